"""Params section `calibration`: how quantiles are corrected by past errors."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from stages.params.section import EachOnce, Section

Method = Literal["identity", "widen", "split", "cqr", "cqr_sides", "aci", "pid"]
# Past outcomes below which the rank that a method takes does not exist (`calibration/conformal.py`).
FEWEST: dict[Method, int] = {
    "identity": 0,
    "widen": 1,
    "split": 19,
    "cqr": 9,
    "cqr_sides": 19,
    "aci": 9,
    "pid": 9,
}


class CalibrationParams(Section, section="calibration"):
    """`method` is the one that trades; `methods` are all that are computed and scored (at no cost).

    *Units*: `window_sessions` past sessions; `min_outcomes` past outcomes that a group needs; `aci_gamma` the step of a
    level after one outcome; `pid_step` and `pid_gain` volatilities over the horizon, per excess miss and for the scale
    of the integrator; `pid_saturation` a number: the integrator is at its end when the excess share of misses reaches
    `pi / 2 * pid_saturation / ln(t + 1)` after t outcomes; `widen_grid` shares by which an interval may grow around its
    median.
    """

    method: Method
    methods: Annotated[tuple[Method, ...], Field(min_length=1), EachOnce]
    scale: Literal["sigma", "none"]
    window_sessions: Annotated[int, Field(ge=1, le=100_000)]
    min_outcomes: Annotated[int, Field(ge=1, le=1_000_000)]
    aci_gamma: Annotated[float, Field(gt=0, lt=1)]
    pid_step: Annotated[float, Field(ge=0, le=1_000)]
    pid_gain: Annotated[float, Field(ge=0, le=1_000)]
    pid_saturation: Annotated[float, Field(gt=0, le=1_000)]
    widen_grid: Annotated[tuple[Annotated[float, Field(gt=-1, le=1_000)], ...], Field(min_length=1)]

    def _problems(self) -> Iterator[str]:
        if self.method not in self.methods:
            yield f"calibration.method {self.method!r} is not among calibration.methods {list(self.methods)}"

    @property
    def outcomes_needed(self) -> int:
        """Past outcomes without which the stated method corrects nothing."""
        return max(self.min_outcomes, FEWEST[self.method]) if FEWEST[self.method] else 0


class CalibrationMethod(Section, section="calibration", partial=True):
    """The method whose quantiles trade."""

    method: Method
