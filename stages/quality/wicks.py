"""Highs and lows that nobody can have traded: wicks beyond what was usual, judged at their own minute.

A wick is what a bar reaches beyond its body (open and close). Stops, targets and ranges read it. A marked bar keeps its
body: high and low are cut to it.

*Time*: the yardstick is the usual wick of that time of day on earlier sessions and of today so far; the bar's own body
and other symbols in its minute count, what came after does not.
*Units*: wicks are log returns.
"""

from math import log

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.quality.others import NOBODY, Others, Place
from stages.quality.outliers import NORMAL_CONSISTENCY, past_values
from stages.quality.params import QualityParams
from stages.universe.earlier_sessions import Floats, median

TODAY_BARS, TODAY_MIN_BARS = 30, 5
BODIES = 3  # a wick of three bodies is natural, however calm the minutes before were


def judge_wicks(bars: pl.DataFrame, quality: QualityParams, others: Others = NOBODY) -> tuple[set[Place], list[Place]]:
    """Rows and sides (1 the high, -1 the low) to be cut; and those which other symbols may excuse.

    *Tables*: the whole grid in order, with `sound`.
    """
    rows = np.flatnonzero(bars["sound"].to_numpy())
    high, low, opening, close = (bars[name].to_numpy()[rows] for name in ("high", "low", "open", "close"))
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    above, below = np.maximum(high / top, 1), np.maximum(bottom / low, 1)
    candidates = np.flatnonzero(np.maximum(above, below) > 1 + quality.wick_floor_share)
    if not len(candidates):
        return set(), []
    wicks = np.log(above), np.log(below)
    larger = np.maximum(*wicks)
    day, m = bars["session"].rle_id().to_numpy()[rows], bars["m"].to_numpy()[rows]
    usual = _usual(larger, day, m, quality)
    ceiling, before = log(quality.jump_ceiling_ratio), np.log(np.append(np.nan, close)[: len(rows)])
    cut, suspects = set(), []
    for at in candidates:
        since = max(int(np.searchsorted(day, day[at])), int(at) - TODAY_BARS)
        today = np.median(larger[since:at]) if at - since >= TODAY_MIN_BARS else 0.0
        yardstick = NORMAL_CONSISTENCY * np.fmax(usual[day[at], m[at] // quality.outlier_bucket_min], today)
        body = np.nanmax(np.abs(np.log(close[at]) - np.array([np.log(opening[at]), before[at]])))
        ticks = log(1 + 3 * quality.tick_size / bottom[at])
        limit = np.fmax(quality.wick_mads * yardstick, log(1 + quality.wick_floor_share)) + BODIES * min(body, ceiling)
        limit = min(max(limit, ticks), ceiling)
        for side, wick in ((1, wicks[0][at]), (-1, wicks[1][at])):
            place = (int(rows[at]), side)
            if wick > limit:
                suspects.append(place)
                if wick > ceiling or place not in others.wicks:
                    cut.add(place)
    return cut, suspects


def cut_to_body(bars: pl.DataFrame, cut: set[Place]) -> pl.DataFrame:
    """High and low of marked bars at their body; `PX8` marks them."""
    if not cut:
        return bars.with_columns(PX8=pl.lit(value=False))
    sides = {side: np.zeros(bars.height, np.bool_) for side in (1, -1)}
    for row, side in cut:
        sides[side][row] = True
    up, down = (pl.Series(sides[side]) for side in (1, -1))
    return bars.with_columns(
        high=pl.when(up).then(pl.max_horizontal("open", "close")).otherwise("high"),
        low=pl.when(down).then(pl.min_horizontal("open", "close")).otherwise("low"),
        PX8=up | down,
    )


def _usual(larger: Floats, day: NDArray[np.uint32], m: NDArray[np.int32], quality: QualityParams) -> Floats:
    every = np.ones(int(day[-1]) + 1, np.bool_)
    pooled, before = past_values(larger, day, m, every, quality)
    return median(pooled)[before]
