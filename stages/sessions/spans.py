"""The spans of the record: search span, embargo and holdout, and the walk-forward folds of the search span.

*Time*: spans follow each other and share no session. A forecast never reaches beyond its session's close, so an embargo
of one session separates every outcome of the search span from the holdout. The embargo counts sessions of the exchange,
scored or not, so a search span never shrinks as the record grows towards `split.holdout_from`. Days after the end of
the calendar are not known to be sessions and do not count: the search span then ends `split.embargo_sessions` before
that end, which is too early rather than too late. In a fold, the training sessions end `split.embargo_sessions` before
the traded ones; folds follow each other and share no traded session.
*Errors*: `ConfigurationError` when the record is too short for the cut that `split` states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import polars as pl

from stages.errors import ConfigurationError, count
from stages.params.split import CutParams, WalkForwardParams

ALL = "all"  # the name of a holdout that is one sealed span


@dataclass(frozen=True)
class Span:
    """Sessions with forecasts, oldest first; possibly none yet."""

    name: str
    sessions: tuple[date, ...]

    def __len__(self) -> int:
        return len(self.sessions)

    def as_document(self) -> dict[str, object]:
        """Name, first and last session, and all sessions, for JSON."""
        days = [session.isoformat() for session in self.sessions]
        return {
            "name": self.name,
            "first_session": days[0] if days else None,
            "last_session": days[-1] if days else None,
            "n_sessions": len(days),
            "sessions": days,
        }


@dataclass(frozen=True)
class Spans:
    """The spans of a record; with `split.holdout_months` the holdout has one span a month, else one named `all`."""

    search: Span
    embargo: Span
    holdout: tuple[Span, ...]

    @property
    def held(self) -> dict[str, int]:
        """Sessions of each holdout part, by name; `{"all": 0}` for a holdout that has not begun."""
        return {one.name: len(one) for one in self.holdout}


def cut_sessions(calendar: pl.DataFrame, calibrated: pl.DataFrame, params: CutParams) -> Spans:
    """The scored sessions, cut by the stated key of `split`.

    A session is scored when any forecast of it exists; days before the first complete history are in no span.
    """
    forecast = set(calibrated["session"].unique())
    exchange = calendar["session"].sort().to_list()
    scored = [session for session in exchange if session in forecast]
    begins = _begin_of_holdout(scored, params)
    held = [session for session in scored if session >= begins]
    before = [session for session in exchange if session < begins]
    embargoed = set(before[-params.embargo_sessions :])
    searched = [session for session in scored if session < begins and session not in embargoed]
    if not searched:
        raise _too_short(scored, params)
    return Spans(
        search=Span("search", tuple(searched)),
        embargo=Span("embargo", tuple(session for session in scored if session in embargoed)),
        holdout=_by_month(held) if params.holdout_months else (Span(ALL, tuple(held)),),
    )


def require_search_span(schedule: pl.DataFrame, calendar: pl.DataFrame, params: CutParams, history_days: int) -> None:
    """Refuse, before an answer is bought, a record that leaves nothing to search, or nothing of the stated history.

    *Tables*: `Schedule`, `Calendar`. *Errors*: `ConfigurationError`, as `seal` and `sweep` would say later.
    """
    asked = schedule.filter(status="ok")
    searched = within(cut_sessions(calendar, asked, params).search, asked)
    if searched.filter(history_days=history_days).is_empty():
        raise ConfigurationError(
            f"no session of the search span has rules.history_days {history_days} before it, so the rule would have no "
            "forecast: choose a shorter one of requests.history_days, hold out fewer sessions, or widen "
            "universe.first_session to universe.last_session."
        )


def within(span: Span, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of the span's sessions, in their order."""
    return frame.filter(pl.col("session").is_in(span.sessions))


def _begin_of_holdout(scored: list[date], params: CutParams) -> date:
    """The first day that is held out."""
    if params.holdout_from is not None:
        return params.holdout_from
    if params.holdout_sessions is not None:
        if params.holdout_sessions >= len(scored):
            raise _too_short(scored, params)
        return scored[-params.holdout_sessions]
    months = _by_month(scored)[-(params.holdout_months or 0) :]
    if not months:
        raise _too_short(scored, params)
    first, last = months[0].sessions[0], scored[-1]
    if 12 * (last.year - first.year) + last.month - first.month + 1 > len(months):
        raise ConfigurationError(
            f"split.holdout_months = {params.holdout_months} needs consecutive months, but a month between "
            f"{months[0].name} and {months[-1].name} has no session with forecasts: see the statuses in "
            "schedule.parquet, or lower split.holdout_months."
        )
    return first.replace(day=1)


def _by_month(sessions: list[date]) -> tuple[Span, ...]:
    return tuple(Span(name, tuple(days)) for name, days in groupby(sessions, "{:%Y-%m}".format))


def _too_short(scored: list[date], params: CutParams) -> ConfigurationError:
    name = next(name for name in ("holdout_sessions", "holdout_from", "holdout_months") if getattr(params, name))
    lowered = "embargo_sessions" if params.embargo_sessions >= len(scored) else name
    if lowered == "holdout_from":
        remedy = "move split.holdout_from to a later day, "
    else:  # each is 1 at least
        remedy = f"lower split.{lowered}, " * (getattr(params, lowered) > 1)
    return ConfigurationError(
        f"the record holds {count(len(scored), 'session')} with forecasts, too few for split.{name} = "
        f"{getattr(params, name)} and split.embargo_sessions = {params.embargo_sessions} with at least one session "
        f"left to search: {remedy}shorten requests.history_days, or ask more sessions (requests.first_session to "
        "requests.last_session, universe.first_session to universe.last_session)."
    )


@dataclass(frozen=True)
class Fold:
    """One step of the walk-forward."""

    train: Span
    trade: Span


def folds(sessions: Sequence[date], params: WalkForwardParams) -> list[Fold]:
    """All folds of these sessions, oldest first; none where `split.walk_forward` is null, or they are too few."""
    walk = params.walk_forward
    if walk is None:
        return []
    ordered = sorted(sessions)
    return [
        Fold(
            train=Span("train", tuple(ordered[: start - params.embargo_sessions])),
            trade=Span("trade", tuple(ordered[start : start + walk.fold_sessions])),
        )
        for start in range(walk.first_train_sessions + params.embargo_sessions, len(ordered), walk.fold_sessions)
    ]
