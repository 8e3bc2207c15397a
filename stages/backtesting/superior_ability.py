"""Does any variant beat doing nothing, after so many were looked at: Hansen's test of superior predictive ability.

Days are drawn by `arch`'s stationary bootstrap exactly as its own `SPA` draws them, and the p-value is the same; but
`SPA` keeps a figure a variant and draw, and means by one pass over all variants a draw. Here each draw is a row of
counts, so that a block of variants is one product, and only the best of a block is kept.

*Shapes*: `daily` (sessions, variants). *Units*: whatever P&L is in.
*Source*: Hansen (2005), "A Test for Superior Predictive Ability", the consistent p-value, with the variance of Politis
and Romano's bootstrap in closed form, blocks of sqrt(sessions) on average.
"""

import numpy as np
from numpy.typing import NDArray

from stages.backtesting.statistics import MIN_SESSIONS, moving, varies

Floats = NDArray[np.float64]


def superior_ability_p(daily: Floats, reps: int, seed: int) -> float | None:
    """P-value of "no variant earns more than nothing"; None where none varies or under twenty sessions."""
    if len(daily) < MIN_SESSIONS or not varies(daily).any():
        return None
    draws, weights = _draws(len(daily), reps, seed), _covariance_weights(len(daily))
    best, best_of_luck = -np.inf, np.full(reps, -np.inf)
    for _, block in moving(daily):
        mean = block.mean(axis=0)
        best = max(best, float(mean.max()))
        of_luck = draws @ block - np.where(_is_relevant(block, mean, weights), mean, 0.0)
        np.maximum(best_of_luck, of_luck.max(axis=1), out=best_of_luck)
    return float(np.mean(best_of_luck > best))


def _draws(sessions: int, reps: int, seed: int) -> Floats:
    """How much each session weighs in each draw. *Shapes*: (reps, sessions), rows sum to 1."""
    from arch.bootstrap import StationaryBootstrap  # here, since its import takes longer than a sweep

    bootstrap = StationaryBootstrap(int(np.sqrt(sessions)), np.arange(sessions), seed=seed)
    drawn = (args[0] for args, _ in bootstrap.bootstrap(reps))
    return np.array([np.bincount(days, minlength=sessions) for days in drawn]) / sessions


def _covariance_weights(sessions: int) -> Floats:
    """What the bootstrap's variance counts of each pair of sessions. *Shapes*: (sessions, sessions)."""
    stays = 1.0 - 1.0 / int(np.sqrt(sessions))
    lag = np.arange(sessions)
    share = lag / sessions
    kappa = (1.0 - share) * stays**lag + np.where(lag > 0, share * stays ** (sessions - lag), 0.0)
    return np.asarray(kappa[np.abs(lag[:, None] - lag)])


def _is_relevant(block: Floats, mean: Floats, weights: Floats) -> NDArray[np.bool_]:
    """Which variants are not so surely worse than nothing that they cannot be the best (Hansen's threshold)."""
    sessions = len(block)
    centred = block - mean
    variance = np.einsum("ti,ti->i", centred, weights @ centred) / sessions
    threshold = -np.sqrt(np.maximum(variance, 0.0) / sessions * 2.0 * np.log(np.log(sessions)))
    return np.asarray(mean >= threshold)
