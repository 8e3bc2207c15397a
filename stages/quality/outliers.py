"""Minutes that moved too far, judged by what was usual at that time of day on the sessions before.

*Time*: the yardstick is the median absolute deviation of one-minute returns over the last `outlier_past_sessions`
usable sessions, in the same bucket of `outlier_bucket_min` minutes; today is never part of it. A spike that reverts one
bar later is marked and counted, not removed: at the time of the spike nobody could know.
*Units*: returns are log returns within the session, the first one from its open.
*Source*: the factor 1.4826 makes the deviation a standard deviation for normal returns (Hampel 1974).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.quality.params import QualityParams
from stages.tables.bars import REAL
from stages.universe.earlier_sessions import Floats, median, windows_before

NORMAL_CONSISTENCY = 1.4826


def returns(bars: pl.DataFrame) -> Floats:
    """One-minute log returns of real bars, NaN on every other bar and after a gap that was not filled."""
    close = pl.col("close").log()
    before = pl.when(pl.col("m") == 0).then(pl.col("open").log()).otherwise(close.shift(1))
    return bars.select(pl.when(REAL).then(close - before)).to_series().fill_null(float("nan")).to_numpy()


def outliers(bars: pl.DataFrame, usable: NDArray[np.bool_], quality: QualityParams) -> pl.DataFrame:
    """Per bar: `is_outlier`, and `reverted` where the next bar takes most of the move back.

    *Shapes*: `bars` is the whole grid in order; `usable` has one entry a session, in order.
    """
    r = returns(bars)
    day = bars["session"].rle_id().to_numpy()
    m = bars["m"].to_numpy()
    usual = NORMAL_CONSISTENCY * past_deviation(r, day, m, usable, quality)[day, m // quality.outlier_bucket_min]
    is_outlier = np.abs(r) > np.fmax(quality.outlier_mads * usual, quality.outlier_floor_share)
    following = np.where(np.append(np.diff(day), 1) == 0, np.append(r[1:], np.nan), np.nan)
    reverted = is_outlier & (-np.sign(r) * following >= quality.outlier_revert_share * np.abs(r))
    return pl.DataFrame({"ts": bars["ts"], "is_outlier": is_outlier, "reverted": reverted})


def past_deviation(
    r: Floats, day: NDArray[np.uint32], m: NDArray[np.int32], usable: NDArray[np.bool_], quality: QualityParams
) -> Floats:
    """Median absolute deviation per session and bucket over the usable sessions before it; NaN without any."""
    pooled, before = past_values(r, day, m, usable, quality)
    return median(np.abs(pooled - median(pooled)[..., None]))[before]


def past_values(
    values: Floats, day: NDArray[np.uint32], m: NDArray[np.int32], usable: NDArray[np.bool_], quality: QualityParams
) -> tuple[Floats, NDArray[np.int64]]:
    """Values of the last usable sessions, pooled by bucket of the day; and which pool lies before each session."""
    width = quality.outlier_bucket_min
    table = np.full((len(usable), int(m.max()) // width + 1, width), np.nan)
    table[day, m // width, m % width] = values
    windows, before = windows_before(table, usable, quality.outlier_past_sessions)
    return windows.reshape(*windows.shape[:2], -1), before
