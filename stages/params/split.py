"""Params section `split`: the search span, the embargo and the sealed holdout."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from stages.params.section import Closed, Day, Neutral, Section, Text

Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
ID = Text
HOLDOUT_KEYS = ("holdout_sessions", "holdout_from", "holdout_months")


class WalkForward(Closed):
    """Choose again for every `fold_sessions` of the search span, from all sessions before them.

    The first choice waits for `first_train_sessions`; `split.embargo_sessions` are between the sessions that are chosen
    on and those that are traded.
    """

    first_train_sessions: Annotated[int, Field(ge=20, le=100_000)]
    fold_sessions: Annotated[int, Field(ge=1, le=100_000)]


class WalkForwardParams(Section, section="split", partial=True):
    """The walk-forward of the search span, if any; the only keys of the section that stage `sweep` declares."""

    embargo_sessions: Annotated[int, Field(ge=1, le=10_000)]
    walk_forward: WalkForward | None


class CutParams(Section, section="split", partial=True):
    """Where the record is cut; the only keys that stage `seal` declares, so that opening reruns little.

    The holdout is the last `holdout_sessions` scored sessions, those from the day `holdout_from`, or those of the last
    `holdout_months` calendar months. Exactly one of the three is set, the others are null.
    """

    holdout_sessions: Annotated[int, Field(ge=1, le=100_000)] | None
    holdout_from: Day | None
    holdout_months: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Neutral(None)]
    embargo_sessions: Annotated[int, Field(ge=1, le=10_000)]

    def _problems(self) -> Iterator[str]:
        stated = [f"split.{name} = {value}" for name in HOLDOUT_KEYS if (value := getattr(self, name)) is not None]
        if len(stated) != 1:
            yield (
                f"{' and '.join(stated) or 'nothing'} states which sessions are held out; set exactly one of "
                "split.holdout_sessions, split.holdout_from and split.holdout_months, and the others to null"
            )


class SplitParams(CutParams):
    """The cut, the walk-forward, and the id of the one strategy for which the holdout is open (null: sealed).

    With `holdout_months`, `open_holdout` may name an id for single months, e.g. `{2025-02: s9ae152543da}`.
    """

    walk_forward: Annotated[WalkForward | None, Neutral(None)]
    open_holdout: ID | dict[Month, ID | None] | None

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if isinstance(self.open_holdout, dict) and self.holdout_months is None:
            yield (
                f"split.open_holdout names the months {sorted(self.open_holdout)}, but only split.holdout_months "
                "divides the holdout into months; set it to one id, or set split.holdout_months"
            )
