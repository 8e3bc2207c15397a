"""What the calendar knows: half days, special closures, daylight saving, explicit bounds."""

from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import polars as pl
import pytest
from exchange_calendars import calendar_utils

from stages.errors import ConfigurationError
from stages.sessions.calendar import FULL_SESSION_MIN, trading_calendar
from stages.tables.market import Calendar


def row(calendar: pl.DataFrame, session: date) -> dict[str, object]:
    return calendar.row(by_predicate=pl.col("session") == session, named=True)


@pytest.mark.parametrize("half_day", [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)])
def test_half_days_have_210_minutes(half_day: date) -> None:
    found = row(trading_calendar(date(2024, 7, 1), date(2024, 12, 31)), half_day)

    assert found["n_bars"] == 210
    assert found["is_half"]


def test_the_day_of_mourning_in_january_2025_was_no_session() -> None:
    sessions = trading_calendar(date(2025, 1, 6), date(2025, 1, 10))["session"].to_list()

    assert sessions == [date(2025, 1, d) for d in (6, 7, 8, 10)]


def test_the_open_moves_in_utc_with_daylight_saving_and_the_session_keeps_its_length() -> None:
    calendar = trading_calendar(date(2024, 3, 8), date(2024, 3, 11))

    assert row(calendar, date(2024, 3, 8))["open_utc"] == datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    assert row(calendar, date(2024, 3, 11))["open_utc"] == datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    assert calendar["n_bars"].to_list() == [FULL_SESSION_MIN, FULL_SESSION_MIN] == [390, 390]
    assert calendar["is_half"].to_list() == [False, False]


def test_the_calendar_is_the_same_whatever_the_bounds_of_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests cut theirs from a long one (support/calendars.py)."""
    bounds = date(2024, 12, 23), date(2024, 12, 26)
    from_the_long_one = trading_calendar(*bounds)
    monkeypatch.setattr(exchange_calendars, "get_calendar", calendar_utils.get_calendar)
    wide = trading_calendar(date(2023, 1, 1), date(2025, 12, 31))
    narrow = trading_calendar(*bounds)

    assert narrow.equals(wide.filter(pl.col("session").is_between(*bounds)))
    assert narrow.equals(from_the_long_one)


def test_one_day_is_enough_and_the_frame_keeps_its_contract() -> None:
    calendar = Calendar.of(trading_calendar(date(2024, 9, 3), date(2024, 9, 3)))

    assert calendar.height == 1


def test_every_minute_agrees_with_the_library_that_states_the_schedule() -> None:
    calendar = trading_calendar(date(2024, 9, 3), date(2025, 3, 31))
    oracle = exchange_calendars.get_calendar("XNYS", start="2024-09-03", end="2025-03-31", side="left")

    assert calendar["n_bars"].sum() == len(oracle.minutes)
    assert (calendar["open_utc"].min(), calendar["close_utc"].max()) == (
        oracle.minutes[0].to_pydatetime(),
        oracle.minutes[-1].to_pydatetime() + timedelta(minutes=1),
    )


def test_a_span_without_a_session_is_refused_by_the_names_of_its_params() -> None:
    with pytest.raises(ConfigurationError, match=r"2024-09-01 to 2024-09-02.*universe\.first_session"):
        trading_calendar(date(2024, 9, 1), date(2024, 9, 2))
