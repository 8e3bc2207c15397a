"""The calendar: sessions of the exchange, their minutes, and the snapshots at which the pipeline asks.

*Tables*: `Calendar`, one row a session, oldest first. The minute grid has one row a session and minute of regular
hours, key `ts`; snapshots have one row a session and clock time in New York, sorted by both.
*Time*: all instants in UTC; 09:30 in New York is 14:30 UTC in winter and 13:30 UTC in summer. A bar starts at `ts` and
may be used from `known_at = ts + 1 min` on; a snapshot knows the bars with `known_at <= snapshot_utc`, of which `m0` is
the last. Zone rules are those of polars, so the machine's zone files do not matter.
*Units*: `minutes_to_close` in minutes; a horizon fits exactly when it is not longer.
*Source*: `exchange_calendars`, XNYS, between explicit bounds, since its defaults depend on the day of the run. This is
the only module that imports it, and only when called: the import takes a second or two.
"""

from datetime import date, time, timedelta

import polars as pl

from stages.errors import ConfigurationError
from stages.tables.market import NEW_YORK

EXCHANGE = "XNYS"
FULL_SESSION_MIN = 390
MARGIN = timedelta(days=10)


def trading_calendar(first: date, last: date) -> pl.DataFrame:
    """Every session of XNYS from `first` to `last`, both included, under table `Calendar`."""
    from exchange_calendars import get_calendar

    schedule = get_calendar(EXCHANGE, start=first - MARGIN, end=last + MARGIN, side="left").schedule
    calendar = pl.DataFrame(
        {
            "session": schedule.index.to_numpy().astype("datetime64[us]"),
            "open_utc": schedule["open"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"),
            "close_utc": schedule["close"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"),
        }
    )
    n_bars = (pl.col("close_utc") - pl.col("open_utc")).dt.total_minutes().cast(pl.Int32)
    calendar = (
        calendar.with_columns(
            pl.col("session").dt.date(),
            pl.col("open_utc", "close_utc").dt.replace_time_zone("UTC"),
        )
        .filter(pl.col("session").is_between(first, last))
        .with_columns(n_bars=n_bars, is_half=n_bars < FULL_SESSION_MIN)
    )
    if calendar.is_empty():
        raise ConfigurationError(
            f"{EXCHANGE} has no session from {first} to {last}: "
            "widen universe.first_session and universe.last_session to hold at least one trading day."
        )
    return calendar


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


def snapshots(calendar: pl.DataFrame, snapshots_et: tuple[str, ...]) -> pl.DataFrame:
    """`session, snapshot_et, snapshot_utc, m0, minutes_to_close, is_open` for every session and clock time.

    `is_open`: the snapshot is strictly between open and close; otherwise `m0` is not a bar.
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
