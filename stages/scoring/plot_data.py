"""Small frames behind the plots: are levels reached as often as they say, and does that hold through the day.

*Tables*: one row a method and level (`reliability`), or a method, horizon and clock time (`coverage_by_time`); both
over all symbols of the asked model, as answered and as calibrated, sorted by key.
"""

import polars as pl

from stages.scoring.metrics import Parts, asked_rows
from stages.tables.quantiles import LEVELS, QUANTILES

DECIMALS = 6
KIND = ["method", "horizon_min"]
SHARES = [(pl.col(version) / pl.col("n")).round(DECIMALS) for version in ("raw", "calibrated")]


def reliability(forecasts: Parts) -> pl.DataFrame:
    """Share of outcomes at or below each quantile, against the share there should be."""
    y = pl.col("y_bp")
    counts = pl.concat(
        scored.group_by(KIND).agg(
            pl.lit(level / 100).alias("level"),
            (y <= pl.col(f"raw_{name}")).sum().alias("raw"),
            (y <= pl.col(name)).sum().alias("calibrated"),
            pl.len().alias("n"),
        )
        for scored in map(_scored, forecasts)
        for level, name in zip(LEVELS, QUANTILES, strict=True)
    )
    keys = [*KIND, "level"]
    return counts.group_by(keys).sum().with_columns(SHARES).sort(keys)


def coverage_by_time(forecasts: Parts) -> pl.DataFrame:
    """Share of outcomes inside [q25, q75], by clock time of the snapshot."""
    y, keys = pl.col("y_bp"), [*KIND, "snapshot_et"]
    counts = pl.concat(
        scored.group_by(*keys, "session").agg(
            y.is_between("raw_q25", "raw_q75").sum().alias("raw"),
            y.is_between("q25", "q75").sum().alias("calibrated"),
            pl.len().alias("n"),
        )
        for scored in map(_scored, forecasts)
    )
    days = counts.group_by(keys).agg(
        pl.col("raw", "calibrated", "n").sum(), pl.col("session").n_unique().alias("n_days")
    )
    return days.with_columns(SHARES).sort(keys)


def _scored(forecasts: pl.DataFrame) -> pl.DataFrame:
    return asked_rows(forecasts).filter(~pl.col("void"), "calibrated")
