"""The exchange's sessions: when each one opens and closes, half days and special closures included.

*Tables*: `Calendar`, one row a session, oldest first.
*Time*: all instants in UTC; 09:30 in New York is 14:30 UTC in winter and 13:30 UTC in summer.
*Source*: `exchange_calendars`, XNYS, between explicit bounds: its own defaults move with the day of the run. This is
the only module that imports it, and only when called, since the import takes a second or two.
"""

from datetime import date, timedelta

import polars as pl

from stages.errors import ConfigurationError

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
