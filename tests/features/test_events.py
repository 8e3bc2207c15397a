"""A row knows of an event from its announcement on, and not a minute before."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from stages.features.catalogue import build_features
from stages.features.context import Context
from tests.features.made_bars import bars_of, features_params, made_calendar, made_events, usable_of

CALENDAR = made_calendar(2, n_bars=6)  # Monday and Tuesday, 2024-01-08 and 09, from 14:30 UTC
KINDS = ["event_fomc", "event_cpi", "event_earnings"]
PARAMS = features_params(names=["event_today", "minutes_to_event", *KINDS], required=[])


def monday(minute, *, days=0):
    return datetime(2024, 1, 8 + days, 14, 30, tzinfo=UTC) + timedelta(minutes=minute)


def built(*events, symbols=("A",)):
    bars = {symbol: bars_of(CALENDAR, [100.0] * 12) for symbol in symbols}
    around = Context(None, made_events(*events))
    return build_features(bars, usable_of(CALENDAR, *symbols), CALENDAR, PARAMS, around)


def columns(frame):
    return frame["event_today"].to_list(), frame["minutes_to_event"].to_list()


def test_announced_at_the_end_of_the_third_minute_for_the_fifth_by_hand():
    today, left = columns(built((monday(5), "A", monday(3)))["A"])

    assert today == [0, 0, 1, 1, 1, 1] + [0] * 6  # bar 2 is known at minute 3
    assert left == [None, None, 2, 1, 0, None] + [None] * 6


def test_of_two_events_the_next_one_is_counted_down_to():
    _, left = columns(built((monday(2), "A", monday(-99)), (monday(6), "A", monday(-99)))["A"])

    assert left[:6] == [1, 0, 3, 2, 1, 0]


def test_an_event_is_over_at_the_first_instant_after_it():
    _, left = columns(built((monday(3) - timedelta(microseconds=1), "A", monday(-99)))["A"])

    assert left[:6] == [pytest.approx(2), pytest.approx(1), None, None, None, None]


def test_an_event_that_is_announced_at_the_instant_of_another_is_not_yet_the_next_one():
    _, left = columns(built((monday(3), "A", monday(-99)), (monday(5), "A", monday(3)))["A"])

    assert left[:6] == [2, 1, 0, 1, 0, None]


def test_an_event_of_all_concerns_every_symbol_and_one_of_a_symbol_only_that():
    frames = built((monday(5), "*", monday(-1)), (monday(3, days=1), "B", monday(-1)), symbols=("A", "B"))

    assert columns(frames["A"])[0] == [1] * 6 + [0] * 6
    assert columns(frames["B"])[0] == [1] * 12


def test_an_event_of_tomorrow_is_announced_amid_today_and_changes_no_row_of_today():
    today, left = columns(built((monday(4, days=1), "A", monday(3)), (monday(5), "A", monday(-9)))["A"])

    assert today == [1] * 12
    assert left == [4, 3, 2, 1, 0, None, 3, 2, 1, 0, None, None]


def test_an_event_after_the_close_belongs_to_the_day_of_new_york():
    late = datetime(2024, 1, 9, 2, 0, tzinfo=UTC)  # 21:00 in New York on Monday
    assert columns(built((late, "A", monday(-1)))["A"])[0] == [1] * 6 + [0] * 6


def test_without_a_list_of_events_nothing_is_known_of_any():
    frame = build_features(
        {"A": bars_of(CALENDAR, [100.0] * 12)}, usable_of(CALENDAR, "A"), CALENDAR, PARAMS, Context()
    )["A"]

    assert columns(frame) == ([0] * 12, [None] * 12)
    assert frame.schema["minutes_to_event"] == pl.Float64


def test_each_kind_has_a_column_of_its_own_in_any_case_of_letters():
    told = ((monday(4), "*", monday(1), "FOMC"), (monday(0, days=1), "A", monday(-9), "earnings"))
    frame = built(*told)["A"]
    assert [frame[kind].to_list() for kind in KINDS] == [
        [1.0] * 6 + [0.0] * 6,  # bar 0 is known at minute 1
        [0.0] * 12,
        [0.0] * 6 + [1.0] * 6,
    ]
