"""Positions are closed by New York time, earlier on half days, on both sides of a clock change."""

from datetime import UTC, date, datetime

import pytest

from stages.trading.rules import time_stops
from tests.trading.made_markets import FULL, HALF, RULES, calendar


@pytest.mark.parametrize(
    ("session", "minutes", "expected"),
    [
        (date(2024, 3, 8), FULL, datetime(2024, 3, 8, 20, 55, tzinfo=UTC)),  # winter time
        (date(2024, 3, 11), FULL, datetime(2024, 3, 11, 19, 55, tzinfo=UTC)),  # the Monday after
        (date(2024, 11, 29), HALF, datetime(2024, 11, 29, 17, 55, tzinfo=UTC)),  # closes at 13:00
    ],
)
def test_the_time_stop_is_1555_in_new_york_or_five_minutes_before_an_early_close(session, minutes, expected):
    assert time_stops(calendar({session: minutes}), RULES)["time_stop_utc"].to_list() == [expected]


def test_an_earlier_stated_time_stands_also_on_a_half_day():
    rules = RULES.model_copy(update={"time_stop_et": "12:00"})
    stop = time_stops(calendar({date(2024, 11, 29): HALF}), rules)["time_stop_utc"].item()
    assert stop == datetime(2024, 11, 29, 17, 0, tzinfo=UTC)
