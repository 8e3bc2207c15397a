"""Cleaning: outliers marked, wicks cut, unsound bars removed, and short gaps filled on the gapless grid.

Outliers: a one-minute return is compared with the median absolute deviation of the last `outlier_past_sessions` usable
sessions, in the same bucket of `outlier_bucket_min` minutes. A spike that reverts one bar later is marked and counted,
not removed: at the time of the spike this is not known.

Wicks: the part of a bar beyond its body (open and close), which stops, targets and ranges depend on. A wick much longer
than usual is cut: high and low are set to the body.

Filling: unsound bars are removed. A gap is filled as it grows, up to `quality.ffill_max_bars` bars (of quiet minutes up
to `quality.quiet_max_min`), and stays empty after that. A gap at the open stays empty from its first minute, since the
only earlier price is of another day; so does a halt, since its price cannot be traded.

*Tables*: in, the rows of `ingest`; `placed` marks each minute and whether it is `sound`; out, table `Bars` without
`is_outlier`, with the marks of removed bars.
*Units*: returns and wicks are log returns within the session, the first one from its open.
*Time*: no row depends on a later one. Outliers are compared with earlier sessions only; wicks with the same time of day
in earlier sessions, with today so far, with the bar's own body, and with other symbols in its minute.
*Source*: the factor 1.4826 makes the deviation a standard deviation for normal returns (Hampel 1974).
"""

from math import log

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.quality.halts import NO_HALTS, inside
from stages.quality.shared_moves import NOBODY, Others, Place
from stages.sessions.calendar import minute_grid
from stages.sessions.rolling import Floats, median, windows_before
from stages.tables.market import PRICES, REAL

NORMAL_CONSISTENCY = 1.4826
ROUNDING = 1e-9  # of log prices: a move that is exactly at a limit is not beyond it


def returns(bars: pl.DataFrame) -> Floats:
    """One-minute log returns of real bars, NaN on every other bar and after a gap that was not filled."""
    close = pl.col("close").log()
    before = pl.when(pl.col("m") == 0).then(pl.col("open").log()).otherwise(close.shift(1))
    return bars.select(pl.when(REAL).then(close - before)).to_series().to_numpy()


def outliers(bars: pl.DataFrame, usable: NDArray[np.bool_], quality: QualityParams) -> pl.DataFrame:
    """Per bar: `is_outlier`, and `reverted` where the next bar takes most of the move back.

    *Shapes*: `bars` is the complete grid in order; `usable` has one entry a session, in order.
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
    """Values of the last usable sessions, pooled by time bucket; and the index of each session's pool."""
    width = quality.outlier_bucket_min
    table = np.full((len(usable), int(m.max()) // width + 1, width), np.nan)
    table[day, m // width, m % width] = values
    windows, before = windows_before(table, usable, quality.outlier_past_sessions)
    return windows.reshape(*windows.shape[:2], -1), before


TODAY_BARS, TODAY_MIN_BARS = 30, 5
BODIES = 3  # a wick of three bodies is normal even after calm minutes


def judge_wicks(bars: pl.DataFrame, quality: QualityParams, others: Others = NOBODY) -> tuple[set[Place], list[Place]]:
    """Rows and sides (1 the high, -1 the low) of wicks to cut; and all beyond their limit, which others may excuse.

    *Tables*: the complete grid in order, with `sound`.
    """
    rows = np.flatnonzero(bars["sound"].to_numpy())
    high, low, opening, close = (bars[name].to_numpy()[rows] for name in ("high", "low", "open", "close"))
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    above, below = np.maximum(high / top, 1), np.maximum(bottom / low, 1)
    least = min(1 + quality.wick_floor_share, quality.jump_ceiling_ratio)
    candidates = np.flatnonzero(np.maximum(above, below) > least)
    if not len(candidates):
        return set(), []
    wicks = np.log(above), np.log(below)
    larger = np.maximum(*wicks)
    day, m = bars["session"].rle_id().to_numpy()[rows], bars["m"].to_numpy()[rows]
    usual = _usual(larger, day, m, quality)
    ceiling = log(quality.jump_ceiling_ratio)
    before = np.log(np.where(np.diff(day, prepend=day[0]) == 0, np.append(np.nan, close)[: len(rows)], np.nan))
    cut, suspects = set(), []
    for at in candidates:
        since = max(int(np.searchsorted(day, day[at])), int(at) - TODAY_BARS)
        today = np.median(larger[since:at]) if at - since >= TODAY_MIN_BARS else 0.0
        yardstick = NORMAL_CONSISTENCY * np.fmax(usual[day[at], m[at] // quality.outlier_bucket_min], today)
        body = np.nanmax(np.abs(np.log(close[at]) - np.array([np.log(opening[at]), before[at]])))
        ticks = log(1 + 3 * quality.tick_size / bottom[at])
        limit = np.fmax(quality.wick_mads * yardstick, log(1 + quality.wick_floor_share)) + BODIES * min(body, ceiling)
        limit = min(max(limit, ticks), ceiling) + ROUNDING
        for side, wick in ((1, wicks[0][at]), (-1, wicks[1][at])):
            place = (int(rows[at]), side)
            if wick > limit:
                suspects.append(place)
                if wick > ceiling + ROUNDING or place not in others.wicks:
                    cut.add(place)
    return cut, suspects


def cut_to_body(bars: pl.DataFrame, cut: set[Place]) -> pl.DataFrame:
    """High and low of these bars set to their body; column `PX8` marks them."""
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


PRICE_DECIMALS, VOLUME_DECIMALS = 6, 3  # as in table Bars, so that the written values are checked
HALF_A_DECIMAL = 0.5 * 10**-PRICE_DECIMALS  # what is exactly at a limit is not beyond it


def placed(
    rows: pl.DataFrame, calendar: pl.DataFrame, quality: QualityParams, halts: pl.DataFrame = NO_HALTS
) -> pl.DataFrame:
    """Every minute with its bar, the checks PX1, PX2, VOL1, HLT1 that remove it, and whether it is `sound`.

    Grid and rows are both ordered by time: with no tolerance, the nearest row is the row of that minute.
    """
    numbers = pl.col(PRICES).round(PRICE_DECIMALS), pl.col("volume").round(VOLUME_DECIMALS)
    rounded = rows.with_columns(number.fill_nan(None) for number in numbers)
    return (
        minute_grid(calendar)
        .join_asof(rounded.with_columns(delivered=True), on="ts", tolerance="0s", check_sortedness=False)
        .with_columns(pl.col("delivered").fill_null(value=False))
        .with_columns(_faults(quality))
        .with_columns(HLT1=inside(halts))
        .with_columns(sound=pl.col("delivered") & ~pl.any_horizontal("PX1", "PX2", "VOL1", "HLT1"))
    )


def filled(marked: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """Bars that are not `sound` removed and short gaps filled: every minute with its `gap_len`."""
    marked = marked.rename({"sound": "is_real"})
    if quality.quiet:
        marked = marked.with_columns(is_real=pl.col("is_real") & ~_idle())
    real_so_far = pl.col("is_real").cum_max().over("session")
    last_real = pl.when(real_so_far).then(pl.when("is_real").then("m").forward_fill())
    carried = pl.when("is_real").then("close").forward_fill()
    gap_len = (pl.col("m") - last_real.fill_null(-1)).cast(pl.Int32)
    is_filled = gap_len.is_between(1, quality.carried_min) & last_real.is_not_null() & ~pl.col("HLT1")
    prices = [pl.when("is_real").then(price).when("is_filled").then("carried").alias(price) for price in PRICES]
    volume = pl.when("is_real").then("volume").when("is_filled").then(0.0)
    return (
        marked.with_columns(gap_len=gap_len, is_filled=is_filled, carried=carried)
        .with_columns(*prices, volume=volume)
        .drop("is_real", "carried")
    )


def _faults(quality: QualityParams) -> list[pl.Expr]:
    """Marks of delivered bars that cannot be true; a minute without a row has none."""
    tolerance = quality.ohlc_tolerance_ticks * quality.tick_size + HALF_A_DECIMAL
    price, inner, volume = pl.col(PRICES), pl.col("open", "close"), pl.col("volume")
    beyond = pl.any_horizontal(inner > pl.col("high") + tolerance, inner < pl.col("low") - tolerance)
    sound = {
        "PX1": pl.all_horizontal(price.is_finite() & (price > 0)),
        "PX2": ~((pl.col("high") < pl.col("low")) | beyond).fill_null(value=False),  # a missing price is PX1 only
        "VOL1": volume.is_finite() & (volume >= 0),
    }
    return [(pl.col("delivered") & ~holds.fill_null(value=False)).alias(check) for check, holds in sound.items()]


def _idle() -> pl.Expr:
    """Bars without a trade: no volume, and all four prices equal the previous close of the session."""
    before = pl.when("is_real").then("close").forward_fill().shift(1).over("session")
    unmoved = pl.all_horizontal(pl.col(PRICES) == before)
    return (unmoved & (pl.col("volume") == 0)).fill_null(value=False)
