"""Rows of regular hours on the gapless grid: unsound bars removed, short gaps carried forward, long ones left empty.

*Tables*: in, the rows of `ingest`; `placed` marks each minute, and `sound` among them; out, table `Bars` but for
`is_outlier`, with the marks of removed bars beside it.
*Time*: no row depends on a later one. A gap is filled as it grows, up to `quality.ffill_max_bars` bars (of quiet
minutes up to `quality.quiet_max_min`), and empty from there on; a gap at the open is empty from its first minute, since
the only price before it is another day's, and so is a halt, since its price cannot be traded at.
"""

import polars as pl

from stages.quality.halts import NO_HALTS, inside
from stages.quality.params import QualityParams
from stages.tables.bars import PRICES
from stages.universe.grid import minute_grid

PRICE_DECIMALS, VOLUME_DECIMALS = 6, 3  # as in table Bars: what is checked is what is written


def placed(
    rows: pl.DataFrame, calendar: pl.DataFrame, quality: QualityParams, halts: pl.DataFrame = NO_HALTS
) -> pl.DataFrame:
    """Every minute with its bar, the checks PX1, PX2, VOL1, HLT1 that remove it, and whether it is `sound`.

    Grid and rows are both in order of time: with no tolerance, the nearest row is the row of that minute.
    """
    rounded = rows.with_columns(pl.col(PRICES).round(PRICE_DECIMALS), pl.col("volume").round(VOLUME_DECIMALS))
    return (
        minute_grid(calendar)
        .join_asof(rounded.with_columns(delivered=True), on="ts", tolerance="0s", check_sortedness=False)
        .with_columns(pl.col("delivered").fill_null(value=False))
        .with_columns(_faults(quality))
        .with_columns(HLT1=inside(halts))
        .with_columns(sound=pl.col("delivered") & ~pl.any_horizontal("PX1", "PX2", "VOL1", "HLT1"))
    )


def filled(marked: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """Bars that are not `sound` removed and gaps carried forward: every minute with its `gap_len`."""
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
    """Marks of the delivered bars that cannot be true; a minute without a row has none of them."""
    tolerance = quality.ohlc_tolerance_ticks * quality.tick_size
    price, inner, volume = pl.col(PRICES), pl.col("open", "close"), pl.col("volume")
    beyond = pl.any_horizontal(inner > pl.col("high") + tolerance, inner < pl.col("low") - tolerance)
    sound = {
        "PX1": pl.all_horizontal(price.is_finite() & (price > 0)),
        "PX2": ~((pl.col("high") < pl.col("low")) | beyond).fill_null(value=False),  # an absent price is PX1 alone
        "VOL1": volume.is_finite() & (volume >= 0),
    }
    return [(pl.col("delivered") & ~holds.fill_null(value=False)).alias(check) for check, holds in sound.items()]


def _idle() -> pl.Expr:
    """Bars that say that nobody traded: no volume, and all four prices the close before, of the same session."""
    before = pl.when("is_real").then("close").forward_fill().shift(1).over("session")
    unmoved = pl.all_horizontal(pl.col(PRICES) == before)
    return (unmoved & (pl.col("volume") == 0)).fill_null(value=False)
