"""The verdict by day: whether the advantage is surely large enough, surely too small, or not yet known.

From day `min_days` on, the first day that meets a condition decides for good. WORTH IT: E against a mean of at most
zero has ever reached the threshold, and the mean so far is at least `delta`. NOT WORTH IT: E against a mean of at least
`delta` has ever reached it, and WORTH IT does not hold. Since the first crossing decides, it does not matter in which
steps days were bought or how often anyone looked.

*Shapes*: values (days,) in day order; `decide` also takes (..., days).
*Units*: values, `delta` and `s0` alike, a share of the expected loss or money; E as natural logarithm.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stages.worth.evidence import Floats, bounds, log_e_values, running_means, scales

DECIMALS = 9  # of the mean, so that days that all equal `delta` do not fall below it by rounding
UNDECIDED = -1


class State(StrEnum):
    """The four verdicts."""

    WORTH_IT = "WORTH IT"
    NOT_WORTH_IT = "NOT WORTH IT"
    NOT_YET_KNOWN = "NOT YET KNOWN"
    NOT_SHOWN = "NOT SHOWN"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was agreed before the first day; `s0` is the planned deviation of a day, above zero.

    Every earlier study of the same forecaster raises the threshold by 1/alpha, so a change after a look is paid for.
    """

    delta: float
    alpha: float
    prior_studies: int
    min_days: int
    planned_sessions: int
    s0: float

    @property
    def threshold(self) -> float:
        """The E that decides."""
        return (1 + self.prior_studies) / self.alpha


@dataclass(frozen=True, kw_only=True)
class ByDay:
    """The figures after each day that counts; NaN while the interval has no bound."""

    x: Floats
    scale: Floats
    mean: Floats
    log_e_better: Floats
    log_e_small: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The verdict and the figures of the day that decided, or of the last day that counts.

    `decided` is that day's index, None without a verdict; `days` counts the days up to it. `most_better` and
    `most_small` are the largest log E until then, which the verdict compares with the threshold. A bound is None while
    there is none; all figures are None if no day counts.
    """

    state: State
    decided: int | None
    days: int
    estimate: float | None
    interval: tuple[float | None, float | None]
    log_e_better: float | None
    log_e_small: float | None
    most_better: float | None
    most_small: float | None
    by_day: ByDay


def judge(x: Floats, terms: Terms, *, bounds_by_day: bool = True) -> Finding:
    """The verdict on these days; days beyond `planned_sessions` do not count.

    Without `bounds_by_day`, bounds are found only for the deciding day and the last one.
    """
    x = np.asarray(x, np.float64)[: terms.planned_sessions]
    better, small = log_e_values(x, 0.0, terms.s0), log_e_values(x, terms.delta, terms.s0, sign=-1)
    day, worth = decide(better, small, running_means(x), terms)
    decided = None if day == UNDECIDED else int(day)
    days = len(x) if decided is None else decided + 1
    after = None if bounds_by_day else sorted({days - 1, len(x) - 1} - {-1})
    by_day = ByDay(
        x=x,
        scale=scales(x, terms.s0),
        mean=running_means(x),
        log_e_better=better,
        log_e_small=small,
        lower=bounds(x, terms.s0, terms.threshold, after=after),
        upper=bounds(x, terms.s0, terms.threshold, sign=-1, after=after),
    )
    better, small = better[:days], small[:days]
    return Finding(
        state=_state(decided, bool(worth), len(by_day.x), terms),
        decided=decided,
        days=days,
        estimate=last_of(by_day.mean[:days]),
        interval=(last_of(by_day.lower[:days]), last_of(by_day.upper[:days])),
        log_e_better=last_of(better),
        log_e_small=last_of(small),
        most_better=last_of(np.maximum.accumulate(better)),
        most_small=last_of(np.maximum.accumulate(small)),
        by_day=by_day,
    )


def decide(better: Floats, small: Floats, mean: Floats, terms: Terms) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The index of the day that decides, -1 without one, and whether it says WORTH IT.

    *Shapes*: log E and means (..., days); results (...).
    """
    needed = np.log(terms.threshold)
    may_decide = np.arange(1, mean.shape[-1] + 1) >= terms.min_days
    large = np.round(mean, DECIMALS) >= terms.delta
    worth = may_decide & large & (np.maximum.accumulate(better, axis=-1) >= needed)
    decides = worth | (may_decide & (np.maximum.accumulate(small, axis=-1) >= needed))
    nobody = np.zeros((*mean.shape[:-1], 1), bool)
    day = np.where(decides.any(axis=-1), np.argmax(np.concatenate([decides, nobody], axis=-1), axis=-1), UNDECIDED)
    at = np.take_along_axis(np.concatenate([worth, nobody], axis=-1), day[..., None], axis=-1)[..., 0]
    return day, at


def _state(decided: int | None, worth: bool, days: int, terms: Terms) -> State:
    if decided is not None:
        return State.WORTH_IT if worth else State.NOT_WORTH_IT
    return State.NOT_SHOWN if days >= terms.planned_sessions else State.NOT_YET_KNOWN


def last_of(values: Floats) -> float | None:
    """The last value; None if there is none or it is not finite."""
    return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None
