"""A snapshot is a clock time in New York that knows the bars which have ended."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.sessions.calendar import minute_grid, snapshots, trading_calendar

CALENDAR = trading_calendar(date(2024, 10, 28), date(2025, 3, 14))
CLOCKS = st.times(min_value=time(0, 0), max_value=time(23, 59)).map(lambda t: t.strftime("%H:%M"))


def at(frame: pl.DataFrame, session: date, clock: str) -> dict[str, object]:
    return frame.row(by_predicate=(pl.col("session") == session) & (pl.col("snapshot_et") == clock), named=True)


def test_half_past_ten_is_another_instant_after_the_clocks_change() -> None:
    frame = snapshots(trading_calendar(date(2024, 3, 8), date(2024, 3, 11)), ("10:30",))

    assert frame["snapshot_utc"].to_list() == [
        datetime(2024, 3, 8, 15, 30, tzinfo=UTC),
        datetime(2024, 3, 11, 14, 30, tzinfo=UTC),
    ]


def test_half_past_ten_knows_sixty_bars_and_the_last_began_at_10_29() -> None:
    found = at(snapshots(CALENDAR, ("10:30",)), date(2024, 11, 1), "10:30")
    grid = minute_grid(CALENDAR).filter(pl.col("session") == date(2024, 11, 1), pl.col("m") == found["m0"])

    assert found["m0"] == 59
    assert found["minutes_to_close"] == 330
    assert grid["ts"][0].astimezone(ZoneInfo("America/New_York")).time() == time(10, 29)


def test_an_afternoon_snapshot_of_a_half_day_is_not_open() -> None:
    frame = snapshots(CALENDAR, ("12:59", "13:00", "13:30"))
    half = date(2024, 11, 29)

    assert [at(frame, half, clock)["is_open"] for clock in ("12:59", "13:00", "13:30")] == [True, False, False]
    assert [at(frame, half, clock)["minutes_to_close"] for clock in ("12:59", "13:00", "13:30")] == [1, 0, -30]


def test_at_the_open_nothing_is_known_yet() -> None:
    found = at(snapshots(CALENDAR, ("09:30", "09:31")), date(2024, 11, 1), "09:30")

    assert (found["is_open"], found["m0"]) == (False, -1)


def test_rows_are_sorted_whatever_order_the_clock_times_come_in() -> None:
    assert snapshots(CALENDAR, ("13:30", "09:45")).equals(snapshots(CALENDAR, ("09:45", "13:30")))


@settings(max_examples=30, deadline=None)
@given(clock=CLOCKS, row=st.integers(0, CALENDAR.height - 1))
def test_every_conversion_agrees_with_the_standard_librarys_zone_rules(clock: str, row: int) -> None:
    session = CALENDAR["session"][row]
    oracle = datetime.combine(session, time.fromisoformat(clock), ZoneInfo("America/New_York")).astimezone(UTC)

    assert at(snapshots(CALENDAR, (clock,)), session, clock)["snapshot_utc"] == oracle


@settings(max_examples=30, deadline=None)
@given(clock=CLOCKS, row=st.integers(0, CALENDAR.height - 1))
def test_m0_counts_exactly_the_bars_known_at_an_open_snapshot(clock: str, row: int) -> None:
    session = CALENDAR["session"][row]
    found = at(snapshots(CALENDAR, (clock,)), session, clock)
    grid = minute_grid(CALENDAR.slice(row, 1))
    known = grid.filter(pl.col("known_at") <= found["snapshot_utc"]).height

    assert not found["is_open"] or found["m0"] == known - 1
