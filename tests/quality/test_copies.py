"""The same bars twice are told: a session that holds an earlier one, a symbol that holds another's."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from stages.quality.copies import copied_sessions, copied_symbols
from stages.quality.cross_symbol import check_symbols
from tests.quality.deliveries import CALENDAR, QUALITY, day, delivery, dialect, minutes, report_of, through_the_gate

FRIDAY, TUESDAY, THURSDAY = date(2024, 11, 22), date(2024, 11, 26), date(2024, 12, 5)


def copied(source: date, target: date, first: int = 0, last: int = 389) -> pl.DataFrame:
    rows = delivery().filter(minutes(source, first, last)).with_columns(pl.col("ts") + (target - source))
    return pl.concat([delivery().filter(~minutes(target, first, last)), rows])


def warnings(**delivered: pl.DataFrame) -> list[str]:
    return report_of(check_symbols(delivered, dialect(), CALENDAR, QUALITY))["warnings"]


@pytest.mark.parametrize(("source", "target"), [(FRIDAY, TUESDAY), (TUESDAY, THURSDAY), (FRIDAY, date(2024, 11, 25))])
def test_a_session_that_holds_an_earlier_one_is_warned_with_its_date(source: date, target: date) -> None:
    checked = through_the_gate(copied(source, target))
    found = day(checked, target)

    assert (found["verdict"], found["copied_from"]) == ("warn", source)
    assert 370 < found["TS8"] <= 390
    assert checked.days.filter(pl.col("verdict") != "pass")["session"].to_list() == [target]


def test_one_sentence_tells_the_first_copy_and_how_many_there_are() -> None:
    once = copied(FRIDAY, TUESDAY)
    source = delivery().filter(minutes(FRIDAY, 0, 389)).with_columns(pl.col("ts") + (THURSDAY - FRIDAY))
    twice = pl.concat([once.filter(~minutes(THURSDAY, 0, 389)), source])
    told = f"TS8 AAA {TUESDAY}: 386 of its bars are those of {FRIDAY}, volumes included%s; get the session again"

    assert warnings(AAA=once) == [told % ""]
    assert warnings(AAA=twice) == [told % " (the first of 2 such sessions)"]


def test_an_hour_of_an_earlier_session_is_enough_and_half_an_hour_is_not() -> None:
    assert day(through_the_gate(copied(FRIDAY, TUESDAY, 100, 159)), TUESDAY)["TS8"] > 50
    assert day(through_the_gate(copied(FRIDAY, TUESDAY, 100, 129)), TUESDAY)["TS8"] == 0


@pytest.mark.parametrize(("last", "source"), [(389, FRIDAY), (388, None)])
def test_a_share_of_exactly_what_is_stated_is_enough(last: int, source: date | None) -> None:
    everything = QUALITY.model_copy(update={"copy_min_share": 1.0})
    found = check_symbols({"SYM": copied(FRIDAY, TUESDAY, 0, last)}, dialect(), CALENDAR, everything)["SYM"]
    assert day(found, TUESDAY)["copied_from"] == source


def test_rows_that_chance_makes_equal_are_no_copy() -> None:
    """One price and one volume all day: every bar equals every other, and none of them has a range."""
    flat = delivery().with_columns(volume=pl.lit(100.0))
    quiet = flat.with_columns(pl.when(pl.int_range(pl.len()) % 9 == 0).then(100.0).otherwise(n).alias(n) for n in
                              ("open", "high", "low", "close"))  # fmt: skip

    assert through_the_gate(quiet).days["TS8"].sum() == 0


def test_two_symbols_with_the_same_bars_are_told_by_name() -> None:
    part = pl.concat([delivery(seed=2).filter(~minutes(TUESDAY, 0, 389)), delivery().filter(minutes(TUESDAY, 0, 389))])

    assert warnings(AAA=delivery(), BBB=delivery(), CCC=delivery(seed=3)) == [
        "X2 AAA and BBB: the same bars, volumes included, in 14 of their sessions, first 2024-11-18; one was "
        "delivered under the other's name, get it again"
    ]
    assert ["in 1 of their sessions, first 2024-11-26" in told for told in warnings(AAA=delivery(), BBB=part)] == [True]
    assert warnings(AAA=delivery(), BBB=delivery(seed=2)) == []


def two_sessions(equal: int, **changed: float) -> pl.DataFrame:
    """Thirty rows each, the first so many of them the same; `changed` is of the first row of both."""
    m = pl.int_range(pl.len(), dtype=pl.Int32)
    one = pl.DataFrame({"open": [100.0 + n for n in range(30)]}).with_columns(m=m, close="open", volume=pl.lit(100.0))
    other = one.with_columns(open=pl.when(m < equal).then("open").otherwise(pl.col("open") + 0.5))
    return pl.concat(
        rows.with_columns(
            session=pl.lit(day), sound=True, high=pl.col("open") + 1.0, low=pl.col("open") - 1.0
        ).with_columns(pl.when(m == 0).then(value).otherwise(name).alias(name) for name, value in changed.items())
        for day, rows in ((FRIDAY, one), (TUESDAY, other))
    )


@pytest.mark.parametrize(
    ("equal", "changed", "told"),
    [
        (20, {}, [20]),
        (19, {}, []),
        (21, {"volume": 0.0}, [20]),
        (20, {"volume": 0.0}, []),
        (20, {"volume": 1.0}, [20]),
        (20, {"high": 99.0}, []),
    ],
)
def test_twenty_rows_with_volume_and_a_range_are_no_chance(
    equal: int, changed: dict[str, float], told: list[int]
) -> None:
    """The first row's low is 99."""
    any_share = QUALITY.model_copy(update={"copy_min_share": 0.0})
    assert copied_sessions(two_sessions(equal, **changed), any_share)["TS8"].to_list() == told


@pytest.mark.parametrize(
    ("samples", "pairs"),
    [
        ([(1, 2, 3, 4, 5), (1, 2, 3, 4, 6)], {("A", "B"): [0]}),
        ([(1, 2, 3, 4, 5), (7, 7, 7, 7, 7), (1, 2, 3, 4, 6)], {("A", "C"): [0]}),
        ([(1, 2, 3, 4, 5), (1, 2, 3, 7, 6)], {}),
        ([(1, 2, 3, 0, 5), (1, 2, 3, 0, 6), (7, 7, 7, 7, 5), (8, 8, 8, 8, 6)], {}),  # each shares four, with two others
    ],
    ids=["four", "four, and another symbol between", "three", "three, and one that is not compared"],
)
def test_symbols_share_a_session_from_four_sampled_rows_on(
    samples: list[tuple[int, ...]], pairs: dict[tuple[str, str], list[int]]
) -> None:
    prints = {symbol: np.array([row], np.uint32) for symbol, row in zip("ABCD", samples, strict=False)}
    assert copied_symbols(prints) == pairs
