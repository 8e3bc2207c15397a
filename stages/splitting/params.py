"""Params section `split`: the search span, the embargo and the sealed holdout."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stages.tables.section import Section


class WalkForward(BaseModel):
    """Choose again for every `fold_sessions` of the search span, from all sessions before them.

    The first choice waits for `first_train_sessions`; `split.embargo_sessions` lie between what is chosen on and what
    is traded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_train_sessions: Annotated[int, Field(ge=20)]
    fold_sessions: Annotated[int, Field(ge=1)]


class WalkForwardParams(Section):
    """How the search span is walked through, if it is; the only keys of the section that stage `sweep` declares."""

    section = "split"
    partial = True

    embargo_sessions: Annotated[int, Field(ge=1)]
    walk_forward: WalkForward | None


class CutParams(Section):
    """Where the record is cut; the only keys that stage `seal` declares, so that opening reruns little."""

    section = "split"
    partial = True

    holdout_sessions: Annotated[int, Field(ge=1)]
    holdout_from: date | None
    embargo_sessions: Annotated[int, Field(ge=1)]


class SplitParams(CutParams):
    """The cut, the walk, and the id of the one strategy for which the holdout is open (null: sealed)."""

    partial = False

    walk_forward: WalkForward | None
    open_holdout: str | None
