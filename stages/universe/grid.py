"""The gapless grid of regular trading hours: every minute that should have a bar.

*Tables*: one row a session and minute, key `ts`, oldest first.
*Time*: `ts` is the bar's start; `known_at = ts + 1 min` is the first instant at which the bar may be used.
"""

import polars as pl


def minute_grid(calendar: pl.DataFrame) -> pl.DataFrame:
    """`ts, known_at, session, m` for every minute of the calendar; `m` counts from 0 at the open."""
    minutes = pl.int_ranges(0, pl.col("n_bars"), dtype=pl.Int32)
    ts = pl.col("open_utc") + pl.duration(minutes=pl.col("m"))
    return (
        calendar.sort("session")
        .select("session", "open_utc", m=minutes)
        .explode("m")
        .select(ts=ts, known_at=ts + pl.duration(minutes=1), session=pl.col("session"), m=pl.col("m"))
    )
