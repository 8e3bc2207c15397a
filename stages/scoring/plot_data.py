"""Small frames behind the plots: are levels reached as often as they say, and does that hold through the day.

*Tables*: one row a method and level (`reliability`), or a method, horizon and clock time (`coverage_by_time`); both
over all symbols of the asked model, as answered and as calibrated, sorted by key. Outcomes exactly on a quantile count
as in `figures.py`.
"""

import polars as pl

from stages.scoring.figures import Floats, Sums, hit_counts
from stages.scoring.losses import VERSIONS, hits_and_ties
from stages.scoring.metrics import Parts, asked_rows
from stages.tables.quantiles import LEVELS

DECIMALS = 6
KIND = ["method", "horizon_min"]


def reliability(forecasts: Parts) -> pl.DataFrame:
    """Share of outcomes at or below each quantile, against the share there should be."""
    sums = _by_session(forecasts, KIND).drop("session").group_by(KIND).sum()
    counts = {version: hit_counts(_columns(sums), version) for version in VERSIONS}
    levels = [
        sums.select(
            *KIND,
            pl.lit(level / 100).alias("level"),
            *(_share(counts[version][level], sums).alias(version) for version in VERSIONS),
            pl.col("n").cast(pl.UInt32),
        )
        for level in LEVELS
    ]
    return pl.concat(levels).sort(*KIND, "level")


def coverage_by_time(forecasts: Parts) -> pl.DataFrame:
    """Share of outcomes inside [q25, q75], by clock time of the snapshot."""
    keys = [*KIND, "snapshot_et"]
    by_session = _by_session(forecasts, keys)
    days = by_session.group_by(keys).agg(n_days=pl.col("session").n_unique())
    sums = by_session.drop("session").group_by(keys).sum().join(days, on=keys)
    counts = {version: hit_counts(_columns(sums), version) for version in VERSIONS}
    shares = (_share(counts[version][75] - counts[version][25], sums).alias(version) for version in VERSIONS)
    return sums.select(*keys, *shares, pl.col("n").cast(pl.UInt32), "n_days").sort(keys)


def _by_session(forecasts: Parts, keys: list[str]) -> pl.DataFrame:
    """Hits and ties of each session, summed over symbols."""
    parts = [
        asked_rows(part)
        .filter(~pl.col("void"), "calibrated")
        .with_columns(pl.lit(1.0).alias("n"), *hits_and_ties())
        .select(*keys, "session", "n", pl.selectors.matches("_(hit|tie)_"))
        for part in forecasts
    ]
    return pl.concat(parts).group_by(*keys, "session").sum()


def _columns(frame: pl.DataFrame) -> Sums:
    return {name: frame[name].to_numpy() for name in frame.columns if frame[name].dtype == pl.Float64}


def _share(counts: Floats, sums: pl.DataFrame) -> pl.Series:
    return (pl.Series(counts) / sums["n"]).round(DECIMALS)
