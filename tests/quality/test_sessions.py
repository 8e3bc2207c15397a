"""Each check marks the session it should, with the verdict it should, and no other."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from stages.quality.asof import longest_runs, odd_run
from tests.quality.deliveries import CALENDAR, QUALITY, Checked, day, delivery, minute, minutes, through_the_gate

TUESDAY = date(2024, 11, 19)
MONDAY = date(2024, 12, 2)
PRICES = ("open", "high", "low", "close")


def verdicts(checked: Checked) -> dict[date, tuple[str, str | None]]:
    """Sessions that did not simply pass."""
    troubled = checked.days.filter(pl.col("verdict") != "pass")
    return {row["session"]: (row["verdict"], row["reason"]) for row in troubled.iter_rows(named=True)}


def set_to(condition: pl.Expr, **values: Any) -> pl.DataFrame:
    return delivery().with_columns(
        pl.when(condition).then(value).otherwise(name).alias(name) for name, value in values.items()
    )


def scaled(first_day: date, factor: float, last_day: date = date(2024, 12, 31)) -> pl.DataFrame:
    inside = pl.col("ts").dt.date().is_between(first_day, last_day)
    prices = [pl.when(inside).then((pl.col(p) * factor).round(2)).otherwise(p).alias(p) for p in PRICES]
    return delivery().with_columns(prices)


def frozen(first: int, last: int, volume: float) -> pl.DataFrame:
    """One price, half a dollar up, from minute `first` to `last` of a Tuesday."""
    price = delivery().filter(minute(TUESDAY, first))["close"][0] + 0.5
    return set_to(minutes(TUESDAY, first, last), open=price, high=price, low=price, close=price, volume=volume)


@pytest.mark.parametrize(
    ("missing", "verdict"),
    [
        ([(60, 64)], ("pass", None)),  # five in a row may be
        ([(60, 65)], ("fail", "sustained_gap")),  # six may not
        ([(m, m) for m in range(10, 10 + 2 * 19, 2)], ("pass", None)),  # 19 of 390 missing: 95.1 %
        ([(m, m) for m in range(10, 10 + 2 * 20, 2)], ("fail", "incomplete")),  # 20 of 390: 94.9 %
        ([(0, 389)], ("fail", "no_data")),
    ],
)
def test_completeness_and_gaps(missing: list[tuple[int, int]], verdict: tuple[str, str | None]) -> None:
    gone = pl.any_horizontal(minutes(TUESDAY, first, last) for first, last in missing)
    found = day(through_the_gate(delivery().filter(~gone)), TUESDAY)

    assert (found["verdict"], found["reason"]) == verdict
    assert found["n_missing"] == sum(last - first + 1 for first, last in missing)


@pytest.mark.parametrize(
    ("bars", "volume", "verdict"),
    [
        (9, 100.0, None),
        (10, 100.0, ("warn", None)),
        (29, 100.0, ("warn", None)),
        (30, 100.0, ("fail", "stale")),
        (4, 0.0, None),
        (5, 0.0, ("warn", None)),
        (30, 0.0, ("fail", "stale")),
    ],
)
def test_a_feed_that_repeats_itself_is_stale(bars: int, volume: float, verdict: tuple[str, str | None] | None) -> None:
    checked = through_the_gate(frozen(100, 99 + bars, volume))

    assert verdicts(checked) == ({} if verdict is None else {TUESDAY: verdict})
    assert day(checked, TUESDAY)["PX5"] == (verdict is not None)


def test_a_missing_minute_does_not_end_a_stale_run() -> None:
    checked = through_the_gate(frozen(100, 110, 100.0).filter(~minute(TUESDAY, 105)))

    assert day(checked, TUESDAY)["longest_stale"] == 10


def test_a_session_without_a_bar_has_no_stale_run() -> None:
    assert day(through_the_gate(delivery().filter(~minutes(TUESDAY, 0, 389))), TUESDAY)["longest_stale"] == 0


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.5, "warn"), (4.0, "warn"), (10.0, "warn"), (0.7, "fail"), (0.9, None), (1.02, None)],
)
def test_an_overnight_ratio_near_a_usual_split_is_suspected(factor: float, verdict: str | None) -> None:
    expected = {"warn": ("warn", None), "fail": ("fail", "level_jump")}

    assert verdicts(through_the_gate(scaled(MONDAY, factor))) == ({MONDAY: expected[verdict]} if verdict else {})


def test_a_split_is_seen_across_a_session_without_data() -> None:
    gone = ~minutes(MONDAY, 0, 389)
    checked = through_the_gate(scaled(MONDAY, 0.25).filter(gone))

    assert verdicts(checked) == {MONDAY: ("fail", "no_data"), date(2024, 12, 3): ("warn", None)}


def test_a_session_that_hardly_traded_is_noticed_against_the_median_of_those_before() -> None:
    checked = through_the_gate(set_to(minutes(MONDAY, 0, 389), volume=20.0))

    assert verdicts(checked) == {MONDAY: ("warn", None)}
    assert day(checked, MONDAY)["VOL3"] == 1


@pytest.mark.parametrize(
    ("volumes", "odd"),
    [
        ([100, 10], []),  # quality.low_volume_share of the session before, 0.1, exactly
        ([100, 9], [1]),
        ([100, 3000], []),  # quality.high_volume_ratio 30 exactly
        ([100, 3100], [1]),
        ([100, 100, 3100, 3100, 100], [2, 3, 4]),  # medians before: 100, 100, 100, 1600
        ([9, 100, 9], []),  # the median before is 54.5
        ([1, 100, 100, 9], [1, 3]),  # and 1, 50.5, 100: today's own volume is in none of them
        ([0, 100], []),  # no volume is large beside none
    ],
)
def test_the_volume_of_a_session_is_held_against_the_median_of_those_before_without_its_own(
    volumes: list[int], odd: list[int]
) -> None:
    sessions = CALENDAR["session"].head(len(volumes))
    calendar = CALENDAR.head(len(volumes))
    by_day = pl.col("ts").dt.date().replace_strict(sessions.to_list(), volumes, return_dtype=pl.Float64)
    days = through_the_gate(delivery(calendar).with_columns(volume=by_day), calendar).days
    assert days.with_row_index().filter(pl.col("VOL3") == 1)["index"].to_list() == odd


def test_the_longest_runs_that_are_usual_are_those_of_the_sessions_before_and_never_todays() -> None:
    lengths = {"stale_len": [2, 8, 4, 6], "quiet_len": [1, 3, 5, 7]}
    sessions = CALENDAR["session"].head(4)
    runs = pl.DataFrame(
        {"session": [*sessions, *sessions]} | {name: [*told, *[1] * 4] for name, told in lengths.items()}
    )
    found = longest_runs(runs, QUALITY).sort("session")
    assert found["longest_stale"].to_list() == lengths["stale_len"]
    assert found["usual_stale"].to_list() == [None, 2, 5, 4]
    assert found["usual_quiet"].to_list() == [None, 1, 2, 3]
    two = longest_runs(runs, QUALITY.model_copy(update={"low_volume_past_sessions": 2}))
    assert two.sort("session")["usual_stale"].to_list() == [None, 2, 5, 6]


@pytest.mark.parametrize(("usual", "least"), [(None, 30), (3, 10), (4, 12)])
def test_more_than_thrice_the_usual_run_is_odd_and_on_a_first_day_thrice_the_least(usual: int, least: int) -> None:
    frame = pl.DataFrame({"usual": [usual]}, schema={"usual": pl.Float64})
    assert frame.select(odd_run(10, "usual")).item() == least


def test_a_half_day_is_not_a_day_of_low_volume() -> None:
    assert day(through_the_gate(delivery()), date(2024, 11, 29))["VOL3"] == 0


@pytest.mark.parametrize(("volume", "flagged"), [(0.0, 1), (0.0004, 1), (0.0006, 0)])
def test_a_price_that_moves_without_volume_as_it_is_written_is_flagged_but_passes(volume: float, flagged: int) -> None:
    """Volumes are written with three decimals."""
    checked = through_the_gate(set_to(minute(TUESDAY, 100), volume=volume, close=pl.col("open") + 0.01, high=999.0))

    assert (day(checked, TUESDAY)["VOL2"], day(checked, TUESDAY)["verdict"]) == (flagged, "pass")


def test_the_first_minute_has_no_price_before_it_from_which_to_move() -> None:
    checked = through_the_gate(set_to(minute(TUESDAY, 0), volume=0.0, close=pl.col("open") + 0.01, high=999.0))

    assert day(checked, TUESDAY)["VOL2"] == 0


def test_prices_between_ticks_are_counted() -> None:
    checked = through_the_gate(set_to(minutes(TUESDAY, 10, 19), high=pl.col("high") + 0.005))

    assert day(checked, TUESDAY)["PX6"] == 10


def test_a_sound_market_raises_no_flag_at_all() -> None:
    checked = through_the_gate(delivery())

    assert verdicts(checked) == {}
    flags = ("PX1", "PX2", "PX3", "PX4", "PX5", "PX6", "VOL1", "VOL2", "VOL3", "TS3", "TS6", "CMP4")
    assert {flag: checked.days[flag].sum() for flag in flags} == dict.fromkeys(flags, 0)
    assert checked.days.height == CALENDAR.height
