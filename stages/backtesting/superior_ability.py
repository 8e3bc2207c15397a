"""Does any variant beat doing nothing, after so many were looked at: Hansen's test of superior predictive ability.

The statistic is studentised, as in the paper: the best ratio of a mean day to the deviation of a day, so that skill of
a variant that moves little is not drowned by luck of one that moves a lot. The deviation is the plain one of the days,
the scale of a Sharpe ratio. The paper's long-run one is too uncertain over a few months: among many variants without
skill one is the best because its scale is underestimated. `bench_superior_ability` prints size and power of both.

Days are drawn by `arch`'s stationary bootstrap, blocks of sqrt(sessions) on average. Each draw is a row of counts, so
that a block of variants is one product, and only the best of a block is kept.

*Shapes*: `daily` (sessions, variants). *Units*: whatever P&L is in.
*Source*: Hansen (2005), "A Test for Superior Predictive Ability", the consistent p-value; one is added above and below
the line, as the sample is one of the draws (Davison and Hinkley 1997, eq. 4.11), so no p-value is 0.
"""

import numpy as np
from numpy.typing import NDArray

from stages.backtesting.statistics import MIN_SESSIONS, moving, varies

Floats = NDArray[np.float64]


def superior_ability_p(daily: Floats, reps: int, seed: int) -> float | None:
    """P-value of "no variant earns more than nothing"; None where none varies or under twenty sessions.

    Where no variant of the sample earned anything it is 1.
    """
    if len(daily) < MIN_SESSIONS or not varies(daily).any():
        return None
    draws = _draws(len(daily), reps, seed)
    best, best_of_luck = 0.0, np.zeros(reps)
    for _, block in moving(daily):
        mean, deviation = block.mean(axis=0), block.std(axis=0)
        best = max(best, float((mean / deviation).max()))
        of_luck = (draws @ block - np.where(_is_relevant(mean, deviation, len(daily)), mean, 0.0)) / deviation
        np.maximum(best_of_luck, of_luck.max(axis=1), out=best_of_luck)
    return float((1 + np.count_nonzero(best_of_luck >= best)) / (1 + reps))


def _draws(sessions: int, reps: int, seed: int) -> Floats:
    """How much each session weighs in each draw. *Shapes*: (reps, sessions), rows sum to 1."""
    from arch.bootstrap import StationaryBootstrap  # here, since its import takes longer than a sweep

    bootstrap = StationaryBootstrap(int(np.sqrt(sessions)), np.arange(sessions), seed=seed)
    drawn = (args[0] for args, _ in bootstrap.bootstrap(reps))
    return np.array([np.bincount(days, minlength=sessions) for days in drawn]) / sessions


def _is_relevant(mean: Floats, deviation: Floats, sessions: int) -> NDArray[np.bool_]:
    """Which variants are not so surely worse than nothing that they cannot be the best (Hansen's threshold)."""
    return np.asarray(np.sqrt(sessions) * mean >= -deviation * np.sqrt(2.0 * np.log(np.log(sessions))))
