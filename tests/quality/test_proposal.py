"""What a first look at a vendor's rows proposes: zone, label, hours, step and sessions, by hand."""

from datetime import timedelta

import polars as pl
import pytest

from stages.quality.proposals import hours_of, label_of, sessions_of, step_of, zone_of
from tests.quality.deliveries import CALENDAR, delivery
from tests.quality.label_feeds import Feed, bars_of

OPENING = CALENDAR["open_utc"][0]


def rows(*minutes: float) -> pl.DataFrame:
    """Stamps so many minutes after the first open."""
    return pl.DataFrame({"ts": [OPENING + timedelta(minutes=m) for m in minutes]}).cast(pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("minutes", "step"), [((0, 1, 2, 5), 1), ((0, 5, 10, 11), 5), ((0, 5, 6, 11, 12), 1), ((0,), 1), ((3, 0, 6), 3)]
)
def test_the_step_is_the_most_frequent_distance_and_of_two_the_shorter(minutes: tuple[int, ...], step: int) -> None:
    assert step_of(rows(*minutes), CALENDAR) == step


def test_the_night_is_no_step() -> None:
    two = pl.concat([rows(0, 5), rows(0, 5).with_columns(pl.col("ts") + timedelta(days=1))])
    assert step_of(two, CALENDAR) == 5


@pytest.mark.parametrize(("outside", "hours"), [(0, "regular hours"), (2, "regular hours"), (3, "all hours: 3% of")])
def test_regular_hours_may_hold_fewer_than_three_of_a_hundred_rows_outside(outside: int, hours: str) -> None:
    stamps = rows(*range(100 - outside), *(391 + m for m in range(outside)))
    assert hours_of(stamps, CALENDAR).startswith(hours)
    assert hours_of(stamps.clear(), CALENDAR).startswith("all hours")


@pytest.mark.parametrize(("minute", "inside"), [(-1, 0), (0, 1), (390, 1), (391, 0)])
def test_both_ends_of_a_session_belong_to_it(minute: int, inside: int) -> None:
    assert sessions_of(rows(minute), CALENDAR).to_list() == CALENDAR["session"][:inside].to_list()


def test_sessions_stand_in_order_and_once() -> None:
    shuffled = delivery().sample(fraction=1.0, shuffle=True, seed=4)
    assert sessions_of(shuffled, CALENDAR).to_list() == CALENDAR["session"].to_list()


@pytest.mark.parametrize("label", ["start", "end"])
def test_a_label_is_proposed_where_the_bars_tell_it(label: str) -> None:
    feed = Feed(seed=5, label=label)
    assert label_of(bars_of(feed)["S0"], feed.calendar)[0] == label
    moved = bars_of(feed)["S0"].with_columns(pl.col("ts") + timedelta(minutes=7))
    assert label_of(moved, feed.calendar)[0] is None


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "America/Chicago"])
def test_the_zone_is_the_one_in_which_volume_jumps_at_the_open(zone: str) -> None:
    """Each session: ten shares a minute from an hour before the open on, a thousand after it."""
    minutes = pl.DataFrame({"m": range(-90, 90)})
    naive = pl.col("ts").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    feed = CALENDAR.join(minutes, how="cross").select(
        ts=pl.col("open_utc") + pl.duration(minutes=pl.col("m")),
        volume=pl.when(pl.col("m") < 0).then(10.0).otherwise(1000.0),
    )
    found, words = zone_of(feed.with_columns(naive), CALENDAR)
    assert found == zone
    assert words.startswith(f"{zone}: trading begins at the open in {CALENDAR.height} sessions, against 0 in")
    still = feed.with_columns(naive, volume=pl.lit(5.0))
    assert zone_of(still, CALENDAR) == (
        None,
        "in no zone does trading begin at 09:30 New York in most sessions: state it",
    )


@pytest.mark.parametrize(("sessions", "zone"), [(2, None), (3, "UTC")])
def test_trading_must_begin_at_the_open_in_more_than_half_of_the_sessions(sessions: int, zone: str | None) -> None:
    begins = pl.col("session").is_in(CALENDAR["session"].head(sessions).implode()) & (pl.col("m") >= 0)
    four = CALENDAR.head(4).join(pl.DataFrame({"m": range(-90, 90)}), how="cross")
    feed = four.select(
        ts=pl.col("open_utc").dt.replace_time_zone(None) + pl.duration(minutes=pl.col("m")),
        volume=pl.when(begins).then(1000.0).otherwise(10.0),
    )
    assert zone_of(feed, CALENDAR)[0] == zone


def traded(shares: dict[int, float]) -> pl.DataFrame:
    """One session's naive rows in UTC with so many shares in so many minutes after the open."""
    stamps = rows(*shares).with_columns(pl.col("ts").dt.replace_time_zone(None))
    return stamps.with_columns(volume=pl.Series(list(shares.values()), dtype=pl.Float64))


@pytest.mark.parametrize(
    ("shares", "begins"),
    [
        ((10, 10, 10.1, 10.1), True),
        ((30, 20, 20, 10), False),  # as much as before
        ((30, 20, 15, 5), False),  # less, though it falls by more an hour earlier and later
        ((0, 10, 20, 21), False),  # as large a step an hour earlier
        ((0, 1, 11, 21), False),  # as large a step an hour later
    ],
)
def test_trading_begins_where_volume_rises_and_by_more_than_an_hour_earlier_and_later(
    shares: tuple[float, ...], begins: bool
) -> None:
    hour_by_hour = {m: shares[m // 60 + 2] for m in range(-120, 120)}
    assert (zone_of(traded(hour_by_hour), CALENDAR)[0] == "UTC") is begins


@pytest.mark.parametrize(
    ("shares", "begins"),
    [
        ({0: 9}, False),  # 09:30 may be the stamp of the minute before the open
        ({1: 9}, True),
        ({5: 9}, True),
        ({6: 9}, False),
        ({1: 9, -1: 9}, False),
        ({1: 9, -5: 9}, False),
        ({1: 9, -6: 9}, True),
        ({1: 9, 0: 9}, True),
    ],
)
def test_volume_is_compared_in_five_minutes_on_either_side_of_the_open(shares: dict[int, float], begins: bool) -> None:
    assert (zone_of(traded(shares), CALENDAR)[0] == "UTC") is begins
