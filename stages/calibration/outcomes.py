"""What really happened after each forecast.

*Units*: `y_bp = 1e4 ln(C / last)`, with C the close of the minute that ends `horizon_min` after the snapshot.
*Time*: `target_ts` is the instant at which the outcome is known; nothing else here may be used before it.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

BP = 1e4


def with_outcomes(
    forecasts: pl.DataFrame, bars: Mapping[str, pl.DataFrame], usable: Mapping[str, tuple[date, ...]]
) -> pl.DataFrame:
    """Forecasts (at least one) beside `y_bp`, `target_ts` and `void`; only the bars of their symbols are read.

    An outcome is void, and then null, when the bar it starts from or ends on is missing or filled in, or when the data
    gate dropped the session for that symbol. It lies in its forecast's session, so bars of other sessions are no use.
    """
    asked = forecasts.with_columns(target_ts=pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min")))
    real_closes = pl.concat(_real_closes(symbol, bars[symbol], asked) for symbol in asked["symbol"].unique().sort())
    kept = pl.DataFrame(
        [(symbol, day) for symbol, days in sorted(usable.items()) for day in days],
        schema={"symbol": pl.String, "session": pl.Date},
        orient="row",
    )
    first = real_closes.select("symbol", pl.col("known_at").alias("snapshot_utc"), pl.lit(True).alias("starts"))
    last = real_closes.select("symbol", pl.col("known_at").alias("target_ts"), pl.col("close").alias("_target"))
    outcome = pl.when(pl.col("starts") & pl.col("kept")).then(BP * (pl.col("_target") / pl.col("last")).log())
    return (
        asked.join(first, on=["symbol", "snapshot_utc"], how="left")
        .join(last, on=["symbol", "target_ts"], how="left")
        .join(kept.with_columns(kept=pl.lit(True)), on=["symbol", "session"], how="left")
        .with_columns(outcome.alias("y_bp"))
        .with_columns(pl.col("y_bp").is_null().alias("void"))
        .drop("starts", "kept", "_target")
        .sort("symbol", "snapshot_utc", "horizon_min", "history_days", "model")
    )


def _real_closes(symbol: str, bars: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """The closes of one symbol at which one of its forecasts starts or ends; no more is kept while others are read."""
    mine = asked.filter(symbol=symbol)
    wanted = pl.concat([mine["snapshot_utc"], mine["target_ts"]]).unique()
    real = pl.col("known_at").is_in(wanted.implode()), ~pl.col("is_filled"), pl.col("close").is_not_null()
    return bars.filter(*real).select(pl.lit(symbol).alias("symbol"), "known_at", "close")
