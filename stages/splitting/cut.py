"""The record cut into search span, embargo and holdout.

*Time*: the spans follow each other and share no session. A forecast never looks past its session's close, so an embargo
of one session separates every outcome of the search span from the holdout.
*Errors*: `ConfigurationError` when the record is too short for the cut that `split` asks for.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from stages.errors import ConfigurationError
from stages.splitting.params import CutParams


@dataclass(frozen=True)
class Span:
    """Sessions with forecasts, oldest first."""

    name: str
    sessions: tuple[date, ...]

    def __len__(self) -> int:
        return len(self.sessions)

    def as_document(self) -> dict[str, object]:
        """Name, ends and sessions, for JSON."""
        return {
            "name": self.name,
            "first_session": self.sessions[0].isoformat(),
            "last_session": self.sessions[-1].isoformat(),
            "n_sessions": len(self.sessions),
            "sessions": [session.isoformat() for session in self.sessions],
        }


@dataclass(frozen=True)
class Spans:
    """The three spans of a record."""

    search: Span
    embargo: Span
    holdout: Span


def cut_sessions(calendar: pl.DataFrame, calibrated: pl.DataFrame, params: CutParams) -> Spans:
    """The last `split.holdout_sessions` scored sessions (or those from `split.holdout_from`) kept apart by an embargo.

    A session is scored when any forecast of it exists; days before the first full history are in no span.
    """
    forecast = set(calibrated["session"].unique())
    scored = [session for session in calendar["session"].sort() if session in forecast]
    held = _holdout_sessions(scored, params)
    first_held = len(scored) - held
    first_embargoed = first_held - params.embargo_sessions
    if held < 1 or first_embargoed < 1:
        raise ConfigurationError(
            f"the record holds {len(scored)} sessions with forecasts, too few for {_asked(params, held)} and "
            f"split.embargo_sessions = {params.embargo_sessions} with at least one session left to search: lower "
            "split.holdout_sessions, shorten requests.history_days or widen universe.first_session..last_session."
        )
    return Spans(
        search=Span("search", tuple(scored[:first_embargoed])),
        embargo=Span("embargo", tuple(scored[first_embargoed:first_held])),
        holdout=Span("holdout", tuple(scored[first_held:])),
    )


def within(span: Span, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of the span's sessions, in their order."""
    return frame.filter(pl.col("session").is_in(span.sessions))


def bars_within(_: str, bars: pl.DataFrame, span: Span) -> tuple[pl.DataFrame, int]:
    """One symbol's bars of the span, and how many."""
    kept = within(span, bars)
    return kept, kept.height


def _holdout_sessions(scored: list[date], params: CutParams) -> int:
    if params.holdout_from is None:
        return params.holdout_sessions
    return sum(session >= params.holdout_from for session in scored)


def _asked(params: CutParams, held: int) -> str:
    if params.holdout_from is None:
        return f"split.holdout_sessions = {params.holdout_sessions}"
    return f"split.holdout_from = {params.holdout_from} ({held} sessions)"
