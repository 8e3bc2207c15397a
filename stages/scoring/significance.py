"""Could it be luck: tests whose unit of evidence is the day.

*Source*: Diebold, Mariano (1995) with the correction of Harvey, Leybourne, Newbold (1997). On one value a day and
without lags the corrected statistic is the t statistic of the mean; Diebold, Gunther, Tay (1998) for the PIT.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr

from stages.scoring.resampling import varies

Floats = NDArray[np.float64]


def diebold_mariano(daily_loss_difference: Floats) -> dict[str, float]:
    """Is the mean of daily (loss - benchmark's loss) zero, and is it below zero; NaN where days do not differ."""
    if not varies(daily_loss_difference):
        return {"statistic": np.nan, "p_two_sided": np.nan, "p_better": np.nan}
    days = len(daily_loss_difference)
    spread = daily_loss_difference.std(ddof=1)
    statistic = float(daily_loss_difference.mean() / (spread / np.sqrt(days)))
    p_better, p_two_sided = float(stdtr(days - 1, statistic)), float(2.0 * stdtr(days - 1, -abs(statistic)))
    return {"statistic": statistic, "p_two_sided": p_two_sided, "p_better": p_better}


def pit_uniformity(counts: Floats, drawn: Floats | None) -> dict[str, float]:
    """Chi-square of four equally likely bins: p if outcomes were independent, and p with days drawn anew.

    The second centres each draw on what was seen, so it knows how outcomes of a day move together. Counts that ties
    were shared out in (`figures.hit_counts`) are as even as they can be: then both are upper bounds of p.
    """
    n = counts.sum()
    if n == 0:
        return {"chi2": np.nan, "p_independent": np.nan, "p_days": np.nan}
    chi2 = _distance(counts / n, np.full(4, 0.25), n)
    p_days = np.nan
    if drawn is not None:
        size = drawn.sum(axis=-1)
        luck = _distance(drawn / size[:, None], counts / n, size)
        p_days = (1 + np.count_nonzero(luck >= chi2)) / (1 + len(luck))
    return {"chi2": float(chi2), "p_independent": float(chdtrc(3, chi2)), "p_days": float(p_days)}


def _distance(share: Floats, expected: Floats, n: Floats) -> Floats:
    return np.asarray(n * np.sum((share - expected) ** 2, axis=-1) / 0.25)
