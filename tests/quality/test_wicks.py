"""A high or low that nobody traded is cut to the body at its own minute, counted and marked."""

from datetime import date

import polars as pl
import pytest

from stages.quality.clean import judge_wicks
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.shared_moves import NOBODY, Others
from stages.tables.market import PRICES
from tests.quality.deliveries import CALENDAR, QUALITY, bar, day, delivery, dialect, minute, minutes, through_the_gate

TUESDAY = date(2024, 11, 26)
MINUTE = minute(TUESDAY, 90)


def with_wick(low: float = 1.0, high: float = 1.0, seed: int = 1, at: pl.Expr = MINUTE) -> pl.DataFrame:
    """Low and high of that minute times these factors."""
    return delivery(seed=seed).with_columns(
        pl.when(at).then(pl.col(name) * factor).otherwise(name).alias(name)
        for name, factor in (("low", low), ("high", high))
    )


def together(**delivered: pl.DataFrame) -> dict[str, Checked]:
    return check_symbols(delivered, dialect(), CALENDAR, QUALITY)


@pytest.mark.parametrize(("low", "high"), [(0.0001, 1.0), (0.94, 1.0), (1.0, 1.2), (1.0, 50.0), (0.5, 2.0)])
def test_a_wick_is_cut_to_the_body_and_the_rest_of_the_bar_stays(low: float, high: float) -> None:
    checked, sound = through_the_gate(with_wick(low, high)), through_the_gate(delivery())
    found, was = bar(checked, TUESDAY, 90), bar(sound, TUESDAY, 90)

    assert (found["open"], found["close"], found["volume"]) == (was["open"], was["close"], was["volume"])
    assert found["low"] == (was["low"] if low == 1 else min(was["open"], was["close"]))
    assert found["high"] == (was["high"] if high == 1 else max(was["open"], was["close"]))
    assert (found["is_outlier"], found["gap_len"]) == (True, 0)
    assert (day(checked, TUESDAY)["PX8"], day(checked, TUESDAY)["verdict"]) == (1, "pass")
    assert checked.days["PX8"].sum() == 1


@pytest.mark.parametrize("factor", [0.8, 0.5])
def test_the_night_of_a_split_is_no_body_of_the_first_bar(factor: float) -> None:
    """The high of the opening minute is still the old price, or 1.9 times the new one: nobody traded there."""
    monday = date(2024, 12, 2)
    since, old = pl.col("ts").dt.date() >= monday, min(1 / factor, 1.9)
    split = delivery().with_columns(pl.when(since).then(pl.col(p) * factor).otherwise(p).alias(p) for p in PRICES)
    opening = pl.when(minute(monday, 0)).then(pl.col("high") * old).otherwise("high")
    checked = through_the_gate(split.with_columns(high=opening))

    assert checked.days["PX8"].sum() == 1
    assert bar(checked, monday, 0)["high"] == max(bar(checked, monday, 0)["open"], bar(checked, monday, 0)["close"])


def test_a_wick_of_two_percent_is_left_alone() -> None:
    checked = through_the_gate(with_wick(0.98, 1.02))

    assert checked.days["PX8"].sum() == 0
    assert checked.bars.equals(through_the_gate(with_wick(0.98, 1.02)).bars)
    assert bar(checked, TUESDAY, 90)["low"] < 0.99 * bar(checked, TUESDAY, 90)["close"]


def test_a_wick_exactly_at_the_limit_is_left_alone_and_none_is_believed_beyond_the_ceiling() -> None:
    """3 % of any price, though ratios round; and a floor above the ceiling allows no more than that."""

    def cut(price: float, high: float, **changes: float) -> bool:
        body = pl.lit(price)
        bars = pl.DataFrame({"m": range(3)}, schema={"m": pl.Int32}).select(
            "m", session=pl.lit(TUESDAY), open=body, close=body, low=body, high=pl.lit(high), sound=True
        )
        return bool(judge_wicks(bars, QUALITY.model_copy(update=changes))[0])

    prices = [cents / 10 for cents in range(100, 4000, 7)]
    assert not [price for price in prices if cut(price, round(price * 1.03, 6))]
    assert all(cut(price, round(price * 1.0301, 6)) for price in prices[::50])
    assert cut(100.0, 250.0, wick_floor_share=3.0)


@pytest.mark.parametrize(("first", "known"), [(60, 75), (0, 5)])
def test_where_wicks_were_as_long_this_morning_they_are_the_days_own(first: int, known: int) -> None:
    """4 % in every minute from 10:30 or the open on: cut until they are half of the last 30, of five bars at least."""
    stormy = through_the_gate(with_wick(0.96, at=minutes(TUESDAY, first, 389)))
    cut = stormy.bars.filter(pl.col("session") == TUESDAY, pl.col("is_outlier"))["m"]

    assert cut.to_list() == list(range(first, known))


def test_a_wick_that_other_symbols_have_in_that_minute_is_the_markets_and_one_minute_later_is_not() -> None:
    shared = together(AAA=with_wick(0.9), BBB=with_wick(0.95, seed=2), CCC=delivery(seed=3))
    late = together(AAA=with_wick(0.9), BBB=with_wick(0.95, seed=2, at=minute(TUESDAY, 91)))

    assert [int(one.days["PX8"].sum()) for one in shared.values()] == [0, 0, 0]
    assert [int(one.days["PX8"].sum()) for one in late.values()] == [1, 1]


@pytest.mark.parametrize(("share", "stays"), [(0.012, True), (0.008, False)])
def test_another_symbols_wick_counts_from_a_third_of_the_floor(share: float, stays: bool) -> None:
    """The floor is 3 %."""
    found = bar(together(AAA=with_wick(0.9, 1.1), BBB=with_wick(1 - share, 1 + share, seed=2))["AAA"], TUESDAY, 90)

    assert (found["low"] < 0.95 * found["close"], found["high"] > 1.05 * found["close"]) == (stays, stays)


def test_a_low_of_a_cent_is_cut_even_if_all_symbols_have_it() -> None:
    found = together(AAA=with_wick(0.0001), BBB=with_wick(0.0001, seed=2))

    assert [int(one.days["PX8"].sum()) for one in found.values()] == [1, 1]


@pytest.mark.parametrize(
    ("price", "others", "kept", "cut"),
    [(0.5, NOBODY, 0.53, 0.54), (1.0, Others(wicks=frozenset({(8, 1)})), 2.0, 2.01)],
    ids=["three ticks", "the ceiling, where others had one"],
)
def test_a_wick_is_cut_beyond_its_limit_and_not_at_it(price: float, others: Others, kept: float, cut: float) -> None:
    """No usual wick, no body: three ticks of 0.01 may be any share, and nothing is believed beyond twice the price."""
    flat = pl.DataFrame({"m": range(10)}, schema={"m": pl.Int32}).with_columns(
        pl.lit(TUESDAY).alias("session"), sound=True, **dict.fromkeys(("open", "high", "low", "close"), price)
    )
    found = [judge_wicks(flat.with_columns(high=pl.when(m=8).then(high).otherwise("high")), QUALITY, others)[0]
             for high in (kept, cut)]  # fmt: skip

    assert found == [set(), {(8, 1)}]


def test_what_came_after_the_wick_does_not_matter() -> None:
    """The price goes to where the wick was: nobody could know."""
    gone = delivery().with_columns(
        pl.when(minutes(TUESDAY, 91, 389)).then(pl.col(name) * 0.93).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close")
    )
    fallen = gone.with_columns(low=pl.when(minute(TUESDAY, 90)).then(pl.col("low") * 0.93).otherwise("low"))

    assert bar(through_the_gate(fallen), TUESDAY, 90) == bar(through_the_gate(with_wick(0.93)), TUESDAY, 90)
