"""Params section `split`: the search span, the embargo and the sealed holdout."""

from datetime import date
from typing import Annotated

from pydantic import Field

from stages.tables.section import Section


class CutParams(Section):
    """Where the record is cut; the only keys that stage `seal` declares, so that opening reruns little."""

    section = "split"
    partial = True

    holdout_sessions: Annotated[int, Field(ge=1)]
    holdout_from: date | None
    embargo_sessions: Annotated[int, Field(ge=1)]


class SplitParams(CutParams):
    """The cut, and the id of the one strategy for which the holdout is open (null: sealed)."""

    partial = False

    open_holdout: str | None
