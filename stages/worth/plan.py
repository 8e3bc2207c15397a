"""The plan of a study that grows: where it ends, and that the holdout begins after it.

*Tables*: `asked` has a row for every session with a question, oldest first: `session`; `outcomes`, its number of
questions with the judged history (`rules.history_days`); `symbols`, how many they are about; `traded`, how many of
these may trade.
*Time*: a holdout counted from the end of the record would slide as the study grows, and release sealed days to the
search. So a study that is bought in steps states the first day of its holdout, after its plan.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil

import polars as pl

from stages.errors import ConfigurationError
from stages.params.study import StageStudy
from stages.sessions.calendar import trading_calendar

SESSIONS_A_YEAR = 250  # at least


def asked_by_session(study: StageStudy, schedule: pl.DataFrame) -> pl.DataFrame:
    """Table `asked` of a `Schedule`."""
    judged = pl.col("history_days") == study.rules.history_days
    may_trade = judged & pl.col("symbol").is_in(list(study.universe.whitelist))
    symbols = {"symbols": judged, "traded": may_trade}
    counts = {name: pl.col("symbol").filter(those).n_unique() for name, those in symbols.items()}
    by_session = schedule.filter(status="ok").group_by("session").agg(outcomes=judged.sum(), **counts)
    return by_session.with_columns(pl.col("outcomes", *symbols).cast(pl.Int64)).sort("session")


def with_whole(study: StageStudy, asked: pl.DataFrame, sessions: Sequence[date]) -> pl.DataFrame:
    """`asked` with later sessions added, in which every symbol is asked at every snapshot."""
    symbols = len(study.universe.symbols)
    counts = {
        "outcomes": symbols * study.requests.snapshots_a_session,
        "symbols": symbols,
        "traded": len(study.universe.whitelist),
    }
    later = pl.DataFrame({"session": sessions}, schema={"session": pl.Date})
    return pl.concat([asked, later.with_columns(**{name: pl.lit(one, pl.Int64) for name, one in counts.items()})])


def calibrating_sessions(study: StageStudy) -> int:
    """How many complete sessions a calibration needs before it corrects any forecast.

    Every symbol and snapshot of a session is one outcome of the widest group, and a correction uses earlier sessions.
    """
    outcomes = len(study.universe.symbols) * study.requests.snapshots_a_session
    return ceil(study.calibration.outcomes_needed / outcomes)


def evidence_sessions(study: StageStudy, asked: pl.DataFrame) -> list[date]:
    """The asked sessions that may be evidence: calibrated, with half of the symbols, and after the training.

    Money also counts days of fewer symbols, from the first with a symbol that may trade. Void outcomes are not known
    in advance, so they count here.
    """
    window, until = study.calibration.window_sessions, study.forecaster.trained_until
    before = pl.col("outcomes").cum_sum().shift(1, fill_value=0)
    known = before - before.shift(window, fill_value=0)
    may = known >= study.calibration.outcomes_needed
    if study.calibration.method == "pid":  # it keeps correcting after its first correction, whatever the window holds
        may = may.cum_max()
    calibrated = asked.filter(pl.col("outcomes") > 0).filter(may)
    if study.worth.decide_by == "money":
        days = calibrated.filter(pl.col("traded").cum_max() > 0)
    else:
        days = calibrated.filter(2 * pl.col("symbols") >= len(study.universe.symbols))
    return days.filter(pl.col("session") > (until or date.min))["session"].to_list()


def sessions_before_evidence(study: StageStudy, asked: pl.DataFrame) -> int:
    """How many asked sessions precede the first of evidence, including sessions still to come."""
    first, known = _nth_of_evidence(study, asked, 0)
    return known.index(first)


def planned_end(study: StageStudy, asked: pl.DataFrame) -> date:
    """The last session of the plan."""
    return _nth_of_evidence(study, asked, study.worth.planned_sessions - 1)[0]


def _nth_of_evidence(study: StageStudy, asked: pl.DataFrame, place: int) -> tuple[date, list[date]]:
    """The session of evidence at this index, and all asked sessions, extended beyond the record if necessary."""
    evidence = evidence_sessions(study, asked)
    if place >= len(evidence):
        asked = _far_ahead(study, asked)
        evidence = evidence_sessions(study, asked)
    return evidence[place], asked["session"].to_list()


def _far_ahead(study: StageStudy, asked: pl.DataFrame) -> pl.DataFrame:
    """`asked` with as many sessions of the exchange after the record as the plan needs."""
    skipped, last = list(study.requests.skip_sessions), max(asked["session"][-1], study.universe.last_session)
    many = study.worth.planned_sessions + calibrating_sessions(study) + len(skipped)
    until = max(last, study.forecaster.trained_until or last)
    end = date(until.year + many // SESSIONS_A_YEAR + 1, 12, 31)
    ahead = trading_calendar(last + timedelta(1), end)["session"]
    return with_whole(study, asked, ahead.filter(~ahead.is_in(skipped)).to_list())


def searched(study: StageStudy, asked: Sequence[date]) -> int:
    """How many of the asked sessions lie in the search span, as `seal` cuts it; no later one is evidence."""
    universe, start = study.universe, study.split.holdout_from or date.max
    record = trading_calendar(universe.first_session, universe.last_session)["session"]
    before = record.filter(record < start)[: -study.split.embargo_sessions]
    return bisect_right(asked, before[-1]) if len(before) else 0


def require_sealed(study: StageStudy, end: date) -> None:
    """*Errors*: `ConfigurationError` if the holdout would slide into the search, or begins before the plan ends."""
    start, embargo = study.split.holdout_from, study.split.embargo_sessions
    far = date(end.year + 1 + embargo // SESSIONS_A_YEAR, 12, 31)
    first = trading_calendar(end, far)["session"][embargo + 1]
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
