"""Params section `requests`: what is asked, when, and over which history."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stages.params.section import Day, EachOnce, Neutral, Section
from stages.tables.forecasts import LEVELS

ClockEt = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Minutes = Annotated[int, Field(ge=1, le=389)]
Policy = Literal["shrink", "carry", "void"]  # see `exogenous`
Days = Annotated[int, Field(ge=1, le=1000)]


class RequestsParams(Section, section="requests"):
    """The questions. *Units*: `history_days` usable sessions before today's known bars; horizons in minutes.

    `asked_horizon_min` (null: the longest of `horizons_min`) is what is asked; shorter horizons are read from the same
    answer. `levels` are the five that every table has a column for, and no others. `clock` says whether stamps are sent
    with the values; `exog_policy` overrides the catalogue's policy by name.
    """

    target: Literal["cumret_bp"]
    history_days: Annotated[tuple[Days, ...], Field(min_length=1), EachOnce]
    max_lookback_ratio: Annotated[float, Field(ge=1, le=1_000_000)]
    horizons_min: Annotated[tuple[Minutes, ...], Field(min_length=1), EachOnce]
    asked_horizon_min: Annotated[Minutes | None, Neutral(None)]
    snapshots_et: Annotated[tuple[ClockEt, ...], Field(min_length=1), EachOnce]
    levels: tuple[Annotated[int, Field(ge=1, le=99)], ...]
    hist_exog: tuple[str, ...]
    futr_exog: tuple[str, ...]
    exog_policy: Annotated[dict[str, Policy], Neutral({})]
    clock: Annotated[Literal["none", "artificial"], Neutral("artificial")]
    first_session: Day | None
    last_session: Day | None
    max_snapshots_per_day: Annotated[int, Field(ge=1, le=10_000)] | None
    skip_sessions: tuple[Day, ...]

    def _problems(self) -> Iterator[str]:
        if self.asked_horizon_min is not None and self.asked_horizon_min < max(self.horizons_min):
            yield (
                f"requests.horizons_min {list(self.horizons_min)} go beyond requests.asked_horizon_min "
                f"{self.asked_horizon_min}: raise it to the longest (null does that), or remove longer horizons"
            )
        if self.levels != LEVELS:
            yield f"requests.levels must be {list(LEVELS)}, the columns of every table; got {list(self.levels)}"

    @property
    def snapshots_a_session(self) -> int:
        """How many snapshots a session is asked at, at most."""
        return min(len(self.snapshots_et), self.max_snapshots_per_day or len(self.snapshots_et))

    @property
    def question_horizon_min(self) -> int:
        """The horizon of every question; shorter horizons are read from the same answer."""
        return self.asked_horizon_min or max(self.horizons_min)
