"""The search span walked through: chosen on what came before, traded on what comes next, again and again.

*Time*: what is chosen on ends `split.embargo_sessions` before what is traded; a forecast never looks past its session's
close, so nothing that was chosen on reaches into what is traded. Folds follow each other and share no session.
*Errors*: `ConfigurationError` when the span is too short for a single fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from stages.errors import ConfigurationError
from stages.splitting.cut import Span
from stages.splitting.params import WalkForwardParams


@dataclass(frozen=True)
class Fold:
    """One step of the walk."""

    train: Span
    trade: Span


def folds(sessions: Sequence[date], params: WalkForwardParams) -> list[Fold]:
    """All folds of the search span, oldest first; none where `split.walk_forward` is null."""
    walk = params.walk_forward
    if walk is None:
        return []
    first = walk.first_train_sessions + params.embargo_sessions
    if first >= len(sessions):
        raise ConfigurationError(
            f"the search span has {len(sessions)} sessions, too few for split.walk_forward.first_train_sessions = "
            f"{walk.first_train_sessions} and split.embargo_sessions = {params.embargo_sessions} with at least one "
            "session left to trade: lower the former, or widen universe.first_session..last_session."
        )
    ordered = sorted(sessions)
    return [
        Fold(
            train=Span("train", tuple(ordered[: start - params.embargo_sessions])),
            trade=Span("trade", tuple(ordered[start : start + walk.fold_sessions])),
        )
        for start in range(first, len(ordered), walk.fold_sessions)
    ]
