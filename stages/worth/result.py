"""The document `worth.json`: the verdict, and everything that its three lines say.

*Units*: advantages are shares of the expected loss; with `decide_by: money` they are money a session. E is to 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from stages.worth.verdict import Finding, State, Terms

Interval = tuple[float | None, float | None]
DIGITS = 9
LARGEST_LOG = 700.0  # of an E that is written as a number


@dataclass(frozen=True, kw_only=True)
class Money:
    """What the stated rule earns more with the asked forecasts than with the free ones.

    *Units*: `bp_a_call` is before the price of a call. `break_even` is the price of a call at which nothing is gained,
    in the currency of `worth.notional`; None without one. `sessions_needed`: about how many days the answer takes.
    """

    state: State
    bp_a_call: float | None
    bp_interval: Interval
    price_per_call: float | None = None
    break_even: float | None = None
    break_even_interval: Interval = (None, None)
    sessions_needed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """What the model may have seen: sessions up to `trained_until` and after it, of which only these count.

    `unseen`: the forecaster learns from the record alone, and no date says otherwise, so that it has seen none.
    """

    unseen: bool
    trained_until: date | None
    sessions_before: int
    sessions_after: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """The verdict of a study with its figures, as `worth.json` holds them.

    `decided_on` is the session that decided, `sessions` and `calls` count up to it, or all so far. `e_better` and
    `e_small` are those of that day, `most_better` and `most_small` the largest until then, which decide.
    `free_weights` are the last of the free mix. `rehearsal`: the forecaster is local or the market artificial.
    `calls_a_session` and `step` say what the next sessions cost. `more_sessions` are quartiles of what the verdict
    still takes; a quartile beyond the plan is null, and so is the pair where nothing can be said.
    """

    state: State
    decided_on: date | None
    sessions: int
    estimate: float | None
    interval: Interval
    e_better: float | None
    e_small: float | None
    most_better: float | None
    most_small: float | None
    threshold: float
    delta: float
    prior_studies: int
    min_days: int
    planned_sessions: int

    study_id: str
    model: str
    symbols: Sequence[str]
    horizon_min: int
    decide_by: str
    rehearsal: bool
    calls: int
    calls_a_session: int
    step: int
    free_weights: Mapping[str, float]
    training: Training
    money: Money | None
    more_sessions: tuple[int | None, int | None] | None

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def verdict_fields(finding: Finding, sessions: Sequence[date], terms: Terms) -> dict[str, Any]:
    """The first part of a `Result`, from the verdict on the days of these sessions."""
    evidence = {
        "e_better": finding.log_e_better,
        "e_small": finding.log_e_small,
        "most_better": finding.most_better,
        "most_small": finding.most_small,
    }
    return {
        "state": finding.state,
        "decided_on": None if finding.decided is None else sessions[finding.decided],
        "sessions": finding.days,
        "estimate": finding.estimate,
        "interval": finding.interval,
        **{name: None if log_e is None else e_value(log_e) for name, log_e in evidence.items()},
        "threshold": terms.threshold,
        "delta": terms.delta,
        "prior_studies": terms.prior_studies,
        "min_days": terms.min_days,
        "planned_sessions": terms.planned_sessions,
    }


def e_value(log_e: float) -> float:
    """E to six significant digits."""
    return float(f"{np.exp(min(log_e, LARGEST_LOG)):.6g}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, date | State):
        return str(value)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
