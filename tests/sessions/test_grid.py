"""The grid is gapless inside a session and empty outside."""

from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import polars as pl

from stages.sessions.calendar import minute_grid, trading_calendar


def test_a_half_day_runs_from_the_open_to_the_last_minute_before_one_o_clock() -> None:
    grid = minute_grid(trading_calendar(date(2024, 11, 29), date(2024, 11, 29)))

    assert grid["m"].to_list() == list(range(210))
    assert grid["ts"][0] == datetime(2024, 11, 29, 14, 30, tzinfo=UTC)
    assert grid["ts"][-1] == datetime(2024, 11, 29, 17, 59, tzinfo=UTC)


def test_a_bar_is_known_one_minute_after_it_starts() -> None:
    grid = minute_grid(trading_calendar(date(2024, 3, 8), date(2024, 3, 12)))

    assert (grid["known_at"] - grid["ts"]).unique().to_list() == [timedelta(minutes=1)]


def test_the_grid_is_the_trading_minutes_of_the_exchange() -> None:
    grid = minute_grid(trading_calendar(date(2024, 9, 3), date(2025, 3, 31)))
    oracle = exchange_calendars.get_calendar("XNYS", start="2024-09-03", end="2025-03-31", side="left").minutes

    assert grid["ts"].equals(
        pl.Series("ts", oracle.tz_localize(None).to_numpy().astype("datetime64[us]")).dt.replace_time_zone("UTC")
    )
