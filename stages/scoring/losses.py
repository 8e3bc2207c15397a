"""Elementary losses of each forecast, as answered and as calibrated.

Tests compare every formula with that of utilsforecast or scoringrules.

*Shapes*: a loss is (versions, n): a row a version, a column a forecast in the given order. `n`, `abs_y`, `sq_y` (the
losses of persistence, a move of zero) and `unmoved` (y is exactly 0) are equal in all versions. The others differ, as
`hit_05` to `hit_95` (y at or below the quantile), `tie_05` to `tie_95` (y exactly on it) and `tied` (y on any of the
five).
*Units*: bp (squared losses bp^2); hits and ties are 0 or 1.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.tables.forecasts import LEVELS, QUANTILES

Floats = NDArray[np.float64]
VERSIONS = ("raw", "calibrated")
COLUMNS = {"raw": "raw_{}", "calibrated": "{}"}  # a version's columns
LEVEL_NAMES = dict(zip(LEVELS, QUANTILES, strict=True))
INTERVALS = {50: (25, 75), 90: (5, 95)}


def elementary_losses(forecasts: pl.DataFrame, versions: Sequence[str] = VERSIONS) -> dict[str, Floats]:
    """Every loss by name. All forecasts must have an outcome; null quantiles give NaN."""
    y, q = outcomes_and_quantiles(forecasts, versions)
    error = y - q[50]
    alike = {"n": np.ones_like(y), "unmoved": y == 0, "abs_y": np.abs(y), "sq_y": y**2}
    return {
        **{name: np.broadcast_to(values, error.shape) for name, values in alike.items()},
        "abs": np.abs(error),
        "sq": error**2,
        **{f"pinball_{level:02d}": pinball(y - q[level], level / 100) for level in LEVELS},
        **{f"width_{level}": q[high] - q[low] for level, (low, high) in INTERVALS.items()},
        **{f"interval_{level}": interval_score(y, q[low], q[high], level) for level, (low, high) in INTERVALS.items()},
        **hits_and_ties(y, q),
    }


def outcomes_and_quantiles(forecasts: pl.DataFrame, versions: Sequence[str]) -> tuple[Floats, dict[int, Floats]]:
    """Outcomes (n,), and by level the quantiles of these versions (versions, n)."""
    columns = {level: [COLUMNS[version].format(name) for version in versions] for level, name in LEVEL_NAMES.items()}
    found = {level: np.stack([forecasts[name].to_numpy() for name in names]) for level, names in columns.items()}
    return forecasts["y_bp"].to_numpy(), found


def pinball(error: Floats, share: float) -> Floats:
    """The quantile loss of `error`, outcome minus quantile, at the level `share`."""
    return np.maximum(share * error, (share - 1) * error)


def interval_score(y: Floats, low: Floats, high: Floats, level: int) -> Floats:
    """The interval score of a central `level` percent interval: its width plus a penalty for a miss."""
    miss = np.maximum(np.maximum(low - y, y - high), 0.0)
    return np.asarray(high - low + 2 / ((100 - level) / 100) * miss)


def hits_and_ties(y: Floats, q: dict[int, Floats]) -> dict[str, Floats]:
    """Losses `hit_*`, `tie_*` and `tied`."""
    ties = {level: quantile == y for level, quantile in q.items()}
    found = {f"hit_{level:02d}": quantile >= y for level, quantile in q.items()}
    found |= {f"tie_{level:02d}": tie for level, tie in ties.items()}
    found["tied"] = np.logical_or.reduce(list(ties.values()))
    return {name: values.astype(np.float64) for name, values in found.items()}
