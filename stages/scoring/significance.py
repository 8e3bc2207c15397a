"""Could it be luck: tests whose unit of evidence is the day.

*Source*: Diebold, Mariano (1995) with the correction of Harvey, Leybourne, Newbold (1997). On one value a day and
without lags the corrected statistic is the t statistic of the mean; Diebold, Gunther, Tay (1998) for the PIT.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr

Floats = NDArray[np.float64]


def diebold_mariano(daily_loss_difference: Floats) -> dict[str, float]:
    """Is the mean of daily (loss - benchmark's loss) zero, and is it below zero; NaN where nothing varies."""
    days = len(daily_loss_difference)
    spread = daily_loss_difference.std(ddof=1) if days > 1 else 0.0
    if spread == 0.0:
        return {"statistic": np.nan, "p_two_sided": np.nan, "p_better": np.nan}
    statistic = float(daily_loss_difference.mean() / (spread / np.sqrt(days)))
    p_better = float(stdtr(days - 1, statistic))
    return {"statistic": statistic, "p_two_sided": 2.0 * min(p_better, 1.0 - p_better), "p_better": p_better}


def pit_uniformity(counts: Floats, drawn: Floats | None) -> dict[str, float]:
    """Chi-square of four equally likely bins: p if outcomes were independent, and p with days drawn anew.

    The second centres each draw on what was seen, so it knows how outcomes of a day move together.
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
