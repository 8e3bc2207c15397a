"""Short gaps carry the last close forward, long ones and those at the open stay empty, and nothing looks ahead."""

from datetime import date
from math import isnan

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.tables.market import Bars
from tests.quality.deliveries import CALENDAR, bar, day, delivery, minute, minutes, through_the_gate

TUESDAY = date(2024, 11, 19)
PRICES = ("open", "high", "low", "close")


def without(condition: pl.Expr) -> pl.DataFrame:
    return delivery().filter(~condition)


def test_a_missing_minute_carries_the_close_before_it_and_no_volume() -> None:
    checked = through_the_gate(without(minutes(TUESDAY, 100, 102)))
    last = bar(checked, TUESDAY, 99)["close"]

    for m, gap_len in ((100, 1), (101, 2), (102, 3)):
        found = bar(checked, TUESDAY, m)
        assert [found[price] for price in PRICES] == [last] * 4
        assert (found["volume"], found["is_filled"], found["gap_len"]) == (0.0, True, gap_len)
    assert (bar(checked, TUESDAY, 103)["is_filled"], bar(checked, TUESDAY, 103)["gap_len"]) == (False, 0)


def test_a_gap_is_filled_while_it_is_short_and_empty_from_the_sixth_minute_on() -> None:
    checked = through_the_gate(without(minutes(TUESDAY, 100, 106)))

    assert [bar(checked, TUESDAY, m)["is_filled"] for m in range(100, 107)] == [True] * 5 + [False] * 2
    assert [bar(checked, TUESDAY, m)["close"] is None for m in range(100, 107)] == [False] * 5 + [True] * 2
    assert [bar(checked, TUESDAY, m)["gap_len"] for m in range(100, 107)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_gap_at_the_open_stays_empty_since_yesterdays_close_is_no_price_of_today() -> None:
    checked = through_the_gate(without(minutes(TUESDAY, 0, 1)))

    assert [bar(checked, TUESDAY, m)["close"] for m in (0, 1)] == [None, None]
    assert [bar(checked, TUESDAY, m)["gap_len"] for m in (0, 1, 2)] == [1, 2, 0]
    assert (day(checked, TUESDAY)["CMP4"], day(checked, TUESDAY)["verdict"]) == (1, "warn")


def test_every_minute_of_every_session_is_there_dropped_sessions_too() -> None:
    checked = through_the_gate(without(minutes(TUESDAY, 0, 389)))

    assert Bars.check(checked.bars).height == CALENDAR["n_bars"].sum()
    assert day(checked, TUESDAY)["reason"] == "no_data"


@pytest.mark.parametrize(
    ("check", "spoiled"),
    [
        ("PX1", {"close": 0.0}),
        ("PX1", {"high": -1.0}),
        ("PX1", {"open": None}),
        ("PX1", {"low": float("nan")}),
        ("PX1", {"high": float("inf")}),
        ("PX2", {"high": 1.0}),
        ("PX2", {"open": 500.0}),
        ("VOL1", {"volume": -1.0}),
        ("VOL1", {"volume": None}),
        ("VOL1", {"volume": float("nan")}),
    ],
)
def test_an_impossible_bar_counts_as_missing(check: str, spoiled: dict[str, float | None]) -> None:
    changes = [
        pl.when(minute(TUESDAY, 100)).then(pl.lit(value, pl.Float64)).otherwise(name).alias(name)
        for name, value in spoiled.items()
    ]
    checked = through_the_gate(delivery().with_columns(changes))

    assert checked.bars.equals(through_the_gate(without(minute(TUESDAY, 100))).bars)
    found = day(checked, TUESDAY)
    assert (found[check], found["n_raw"], found["n_missing"], found["n_filled"]) == (1, 390, 1, 1)
    absent = any(value is None or isnan(value) for value in spoiled.values())
    assert not (absent and found["PX2"]), "an absent price lies beyond nothing"


def test_half_a_tick_beyond_the_range_is_rounding_and_a_whole_one_is_not() -> None:
    def closing_above(ticks: float) -> pl.DataFrame:
        above = pl.when(minute(TUESDAY, 100)).then(pl.col("high") + ticks * 0.01).otherwise("close")
        return delivery().with_columns(close=above)

    assert day(through_the_gate(closing_above(0.4)), TUESDAY)["PX2"] == 0
    assert day(through_the_gate(closing_above(1.0)), TUESDAY)["PX2"] == 1

    exactly = delivery().with_columns(close=(pl.col("high") + 0.005).round(3))
    assert through_the_gate(exactly).days["PX2"].sum() == 0, "though sums of floats are a little off"
    further = pl.when(minutes(TUESDAY, 0, 389)).then((pl.col("high") + 0.005001).round(6)).otherwise("close")
    beyond = through_the_gate(delivery().with_columns(close=further))
    assert day(beyond, TUESDAY)["PX2"] == 390, "by the last of six decimals"


def scrambled_after(cut: int, seed: int) -> pl.DataFrame:
    """The same delivery up to row `cut`, another market after it, with gaps of its own."""
    after = delivery(seed=seed).slice(cut).sample(fraction=0.8, seed=seed).sort("ts")
    return pl.concat([delivery().head(cut), after])


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(1, 5000), seed=st.integers(2, 1000))
def test_no_row_depends_on_a_later_one(cut: int, seed: int) -> None:
    cut = min(cut, delivery().height - 1)
    gone = set(delivery().head(cut).sample(n=cut // 10, seed=seed)["ts"])
    kept = ~pl.col("ts").is_in(gone)

    truth = through_the_gate(delivery().filter(kept)).bars
    other = through_the_gate(scrambled_after(cut, seed).filter(kept)).bars

    assert other.head(cut).equals(truth.head(cut))
    assert not other.slice(cut).equals(truth.slice(cut))
