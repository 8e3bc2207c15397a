"""The plan of a study that grows: where it ends, and that the holdout begins behind it.

*Time*: a holdout that is counted from the end of the record would slide as the study grows, and hand sealed days to the
search. So a study that is bought in steps states the day from which on sessions are held out, behind its plan.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil

from stages.errors import ConfigurationError
from stages.params.study import StageStudy
from stages.sessions.calendar import trading_calendar


def calibrating_sessions(study: StageStudy) -> int:
    """How many sessions pass before any forecast is calibrated: no day of evidence, but paid for.

    Every symbol and snapshot of a session is one outcome of the widest group, and a correction uses earlier sessions.
    """
    outcomes = len(study.universe.symbols) * len(study.requests.snapshots_et)
    return ceil(study.calibration.outcomes_needed / outcomes)


def sessions_before_evidence(study: StageStudy, asked: Sequence[date], judged: date) -> int:
    """How many of the asked sessions pass before the first of evidence: they calibrate, or lie in the training.

    `judged`: the first session that asks the judged history (`rules.history_days`); others may be asked before it.
    """
    until = study.forecaster.trained_until
    calibrated = bisect_left(asked, judged) + calibrating_sessions(study)
    return max(calibrated, 0 if until is None else bisect_right(asked, until))


def planned_end(study: StageStudy, asked: Sequence[date], judged: date) -> date:
    """The last session of the plan; `asked`: every session of the record with a question, oldest first."""
    sessions = sessions_before_evidence(study, asked, judged) + study.worth.planned_sessions
    if sessions <= len(asked):
        return asked[sessions - 1]
    ahead, years = sessions - len(asked), sessions // 250 + 2
    last = asked[-1]
    calendar: list[date] = trading_calendar(last, date(last.year + years, 12, 31))["session"].sort().to_list()
    return calendar[ahead]


def searched(study: StageStudy, asked: Sequence[date]) -> int:
    """How many of the asked sessions lie before the holdout and its embargo: no later one is evidence."""
    start = study.split.holdout_from
    if start is None or not asked or asked[-1] < start:
        return len(asked)
    before = trading_calendar(asked[0], start - timedelta(1))["session"].sort()[: -study.split.embargo_sessions]
    return bisect_right(asked, before[-1]) if len(before) else 0


def require_sealed(study: StageStudy, end: date) -> None:
    """*Errors*: `ConfigurationError` where the holdout would slide into the search, or begins before the plan ends."""
    start, embargo = study.split.holdout_from, study.split.embargo_sessions
    first = trading_calendar(end, date(end.year + 1, 12, 31))["session"].sort().to_list()[embargo + 1]
    advice = (
        f"set split.holdout_from to {first} or later and the other keys of the holdout to null: the plan of "
        f"{study.worth.planned_sessions} sessions (worth.planned_sessions) ends on {end}"
    )
    if start is None:
        name = "holdout_sessions" if study.split.holdout_sessions is not None else "holdout_months"
        raise ConfigurationError(
            f"split.{name} = {getattr(study.split, name)} counts from the end of the record, which moves as the study "
            f"grows, so that sealed days would be searched: {advice}."
        )
    if start < first:
        raise ConfigurationError(f"split.holdout_from {start} begins before the plan of the study ends: {advice}.")
