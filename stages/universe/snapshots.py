"""The instants at which the pipeline asks: clock times in New York, on each session's own date.

*Tables*: one row a session and clock time, sorted by both.
*Time*: a snapshot knows the bars with `known_at <= snapshot_utc`; `m0` is the last of them. The conversion uses the
zone rules that polars carries, so that it does not depend on the machine's own zone files.
*Units*: `minutes_to_close` in minutes; a horizon fits exactly when it is not longer.
"""

from datetime import time

import polars as pl

NEW_YORK = "America/New_York"


def snapshots(calendar: pl.DataFrame, snapshots_et: tuple[str, ...]) -> pl.DataFrame:
    """`session, snapshot_et, snapshot_utc, m0, minutes_to_close, is_open` for every session and clock time.

    `is_open` says that the snapshot lies strictly between open and close; outside, `m0` names no bar.
    """
    asked = pl.DataFrame(
        {"snapshot_et": list(snapshots_et), "clock": [time.fromisoformat(clock) for clock in snapshots_et]},
        schema={"snapshot_et": pl.String, "clock": pl.Time},
    )
    local = pl.col("session").dt.combine(pl.col("clock"), time_unit="us")
    snapshot = pl.col("snapshot_utc")
    return (
        calendar.join(asked, how="cross")
        .with_columns(snapshot_utc=local.dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC"))
        .select(
            "session",
            "snapshot_et",
            "snapshot_utc",
            m0=(snapshot - pl.col("open_utc")).dt.total_minutes().cast(pl.Int32) - 1,
            minutes_to_close=(pl.col("close_utc") - snapshot).dt.total_minutes().cast(pl.Int32),
            is_open=(pl.col("open_utc") < snapshot) & (snapshot < pl.col("close_utc")),
        )
        .sort("session", "snapshot_utc")
    )
