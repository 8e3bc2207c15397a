"""Small frames behind the plots: are levels reached as often as they say, and does that hold through the day.

*Tables*: one row a method and level (`reliability`), or a method, horizon and clock time (`coverage_by_time`); both
over all symbols of the asked model, as answered and as calibrated, sorted by key.
"""

import polars as pl

from stages.scoring.metrics import asked_rows
from stages.tables.quantiles import LEVELS, QUANTILES

DECIMALS = 6


def reliability(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Share of outcomes at or below each quantile, against the share there should be."""
    scored = _scored(forecasts)
    levels = [
        scored.group_by("method", "horizon_min").agg(
            pl.lit(level / 100).alias("level"),
            (pl.col("y_bp") <= pl.col(f"raw_{name}")).mean().round(DECIMALS).alias("raw"),
            (pl.col("y_bp") <= pl.col(name)).mean().round(DECIMALS).alias("calibrated"),
            pl.len().alias("n"),
        )
        for level, name in zip(LEVELS, QUANTILES, strict=True)
    ]
    return pl.concat(levels).sort("method", "horizon_min", "level")


def coverage_by_time(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Share of outcomes inside [q25, q75], by clock time of the snapshot."""
    y = pl.col("y_bp")
    return (
        _scored(forecasts)
        .group_by("method", "horizon_min", "snapshot_et")
        .agg(
            y.is_between("raw_q25", "raw_q75").mean().round(DECIMALS).alias("raw"),
            y.is_between("q25", "q75").mean().round(DECIMALS).alias("calibrated"),
            pl.len().alias("n"),
            pl.col("session").n_unique().alias("n_days"),
        )
        .sort("method", "horizon_min", "snapshot_et")
    )


def _scored(forecasts: pl.DataFrame) -> pl.DataFrame:
    return asked_rows(forecasts).filter(~pl.col("void"), "calibrated")
