"""A price far from the last one that was believed is void at once; only what was known at its minute decides.

Splits that were: AAPL 4:1 on 2020-08-31 (close 499.23, open 127.58) and 7:1 on 2014-06-09 (645.57, 92.70), CMG 50:1 on
2024-06-26 (3283.04, 65.84).
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.params.quality import QualityParams
from stages.quality import levels
from stages.quality.asof import sound_so_far
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.levels import judge_levels, likely_split
from stages.quality.shared_moves import extremes_of
from tests.quality.deliveries import (
    CALENDAR,
    QUALITY,
    bar,
    day,
    delivery,
    dialect,
    minutes,
    report_of,
    through_the_gate,
)

PRICES = ("open", "high", "low", "close")
TUESDAY, WEDNESDAY, LAST = date(2024, 11, 26), date(2024, 11, 27), date(2024, 12, 6)
MONDAY, AFTER = date(2024, 12, 2), date(2024, 12, 3)
ts = pl.col("ts")


def times(factor: float, hit: pl.Expr, seed: int = 1) -> pl.DataFrame:
    return delivery(seed=seed).with_columns(
        pl.when(hit).then(pl.col(price) * factor).otherwise(price).alias(price) for price in PRICES
    )


def from_on(session: date) -> pl.Expr:
    return ts.dt.date() >= session


def together(listed: dict[str, dict[date, float]] | None = None, **delivered: pl.DataFrame) -> dict[str, Checked]:
    return check_symbols(delivered, dialect(), CALENDAR, QUALITY, listed)


def report_on(**delivered: pl.DataFrame) -> dict[str, Any]:
    return report_of(together(**delivered))


def failed(checked: Checked) -> list[date]:
    return checked.days.filter(reason="level_jump")["session"].to_list()


@pytest.mark.parametrize(
    ("factor", "split"),
    [
        (127.58 / 499.23, "4:1"),
        (92.70 / 645.57, "7:1"),
        (65.84 / 3283.04, "50:1"),
        (1.02 / 20, "20:1"),
        (1.028 / 25, "25:1"),  # 24 is nearer
        (0.98 * 2 / 3, "3:2"),
        (0.99 * 25, "1:25"),
        (7.0, "1:7"),
        (0.01, None),
        (100.0, None),
        (1e300, None),
        (0.83, None),
    ],
)
def test_a_split_is_found_behind_a_night_of_two_percent(factor: float, split: str | None) -> None:
    assert likely_split(factor, tolerance=0.03, most=50) == split


@pytest.mark.parametrize(("factor", "split"), [(0.25, "4:1"), (1.5, "2:3"), (0.02, "50:1"), (1 / 51, None)])
def test_a_night_at_exactly_the_tolerance_fits_a_split_up_to_the_largest(factor: float, split: str | None) -> None:
    assert likely_split(factor, tolerance=0.0, most=50) == split


@pytest.mark.parametrize(
    ("share", "kinds"), [(0.1, ["split"]), (0.1002, ["jump"]), (-0.09, ["split"]), (-0.0911, ["jump"])]
)
def test_the_first_bar_of_a_split_may_move_by_the_floor_of_a_minute_and_no_further(
    share: float, kinds: list[str]
) -> None:
    """From 2 p to p, and up by a tenth of it or down by an eleventh, whatever p is, though logarithms round."""
    for cents in range(1000, 1100, 10):
        prices = [cents / 50, cents / 100, cents * (1 + share) / 100]
        bars = pl.DataFrame({"session": [TUESDAY, WEDNESDAY], "open": prices[:2], "close": prices[::2]})
        found = judge_levels(bars.with_columns(m=pl.lit(0, pl.Int32), sound=True), {}, QUALITY).found
        assert [one["kind"] for one in found] == kinds


@pytest.mark.parametrize(("lost", "dropped"), [(0, 2), (1, 1), (2, 1)], ids=["fewer", "as many", "more"])
def test_a_price_beyond_the_ceiling_is_believed_from_the_next_session_on_if_the_old_one_had_no_more_bars(
    lost: int, dropped: int
) -> None:
    """389 bars at 64 times the price, then 390 a session, behind 390 of the first session, 389 or 388."""
    first, second = CALENDAR["session"][:2]
    gone = minutes(second, 5, 5) if not lost else minutes(first, 5, 4 + lost) | minutes(second, 5, 5)
    checked = through_the_gate(times(64.0, from_on(second)).filter(~gone))
    assert failed(checked) == CALENDAR["session"][1 : 1 + dropped].to_list()


@pytest.mark.parametrize("factor", [0.25, 0.05, 1 / 7, 0.02, 2 / 3, 25.0])
def test_a_nights_move_that_fits_a_split_is_reported_and_kept(factor: float) -> None:
    checked = through_the_gate(times(factor * 1.02, from_on(MONDAY)))

    assert (day(checked, MONDAY)["verdict"], day(checked, MONDAY)["PX4"]) == ("warn", 1)
    assert [one["kind"] for one in checked.levels] == ["split"]
    assert checked.days["n_missing"].sum() == 0


def test_a_split_is_reported_also_where_no_other_symbol_tells_of_the_night() -> None:
    others = delivery(seed=2).filter(~minutes(MONDAY, 0, 0))  # its first bar is not the open
    found = together(AAA=times(0.255, from_on(MONDAY)), BBB=others)

    assert [(one["kind"], one["split"]) for one in found["AAA"].levels] == [("split", "4:1")]


@pytest.mark.parametrize("factor", [0.01, 100.0, 1e-4, 1e300, 64.0])
def test_another_unit_overnight_fails_every_session_until_the_price_is_back(factor: float) -> None:
    checked = through_the_gate(times(factor, ts.dt.date().is_between(TUESDAY, WEDNESDAY)))

    assert failed(checked) == [TUESDAY, WEDNESDAY]
    assert checked.days.filter(pl.col("verdict") != "pass").height == 2


@pytest.mark.parametrize("factor", [7.0, 100.0, 0.01, 1e300, 0.5])
@pytest.mark.parametrize(("first", "last", "verdict"), [(200, 200, "warn"), (200, 259, "fail"), (200, 389, "fail")])
def test_a_jump_within_the_session_is_void_at_once(factor: float, first: int, last: int, verdict: str) -> None:
    checked = through_the_gate(times(factor, minutes(TUESDAY, first, last)))
    found = day(checked, TUESDAY)

    assert (found["verdict"], found["PX7"], found["n_missing"]) == (verdict, last - first + 1, last - first + 1)
    assert bar(checked, TUESDAY, first)["gap_len"] == 1
    assert failed(checked) == ([TUESDAY] if verdict == "fail" else [])


@pytest.mark.parametrize("price", ["open", "close"])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_an_open_or_a_close_alone_that_is_far_away_is_void(price: str, factor: float) -> None:
    hit = minutes(TUESDAY, 200, 200)
    wrong = {price: factor, "low": min(factor, 1.0), "high": max(factor, 1.0)}
    checked = through_the_gate(
        delivery(seed=1).with_columns(
            pl.when(hit).then(pl.col(name) * by).otherwise(name).alias(name) for name, by in wrong.items()
        )
    )

    assert day(checked, TUESDAY)["PX7"] == 1


@pytest.mark.parametrize(("last", "dropped"), [(204, []), (205, [TUESDAY])])
def test_as_many_void_bars_in_a_row_as_may_be_missing_drop_no_session(last: int, dropped: list[date]) -> None:
    """Five may be: `max_gap_min`."""
    assert failed(through_the_gate(times(7.0, minutes(TUESDAY, 200, last)))) == dropped


@pytest.mark.parametrize(("last", "dropped"), [(209, []), (210, [TUESDAY])])
def test_of_a_quiet_symbol_as_many_void_bars_in_a_row_as_quiet_minutes_drop_no_session(
    last: int, dropped: list[date]
) -> None:
    """Ten may be: `quiet_max_min`. A snapshot behind them is judged alike."""
    quality = QUALITY.model_copy(update={"no_trade_minutes": "quiet"})
    vendor = times(7.0, minutes(TUESDAY, 200, last))
    checked = check_symbols({"SYM": vendor}, dialect(), CALENDAR, quality)["SYM"]
    unsound = sound_so_far(checked.bars, quality).filter(~pl.col("sound"))["ts"].dt.date().unique().to_list()

    assert failed(checked) == unsound == dropped


@pytest.mark.parametrize(("opening", "night"), [(145.0, np.log(1.45)), (145.01, np.nan)])
def test_a_night_beyond_45_percent_tells_nothing_of_other_symbols(opening: float, night: float) -> None:
    sessions = [*CALENDAR["session"][:2]]
    bars = pl.DataFrame({"session": sessions, "close": [100.0, opening]}).with_columns(
        m=pl.lit(0), sound=True, open="close", high="close", low="close"
    )
    found = extremes_of(bars, np.ones(2, np.bool_), ([], []), [], QUALITY)
    np.testing.assert_allclose(found.nights, [np.nan, night], rtol=1e-12)


def test_the_first_bar_exactly_at_the_limit_is_back() -> None:
    """A price of 1 that is 4 for a minute may come back to 2 where a doubling is the limit, and to no more."""
    quality = QUALITY.model_copy(update={"jump_floor_share": 1.0, "jump_ceiling_ratio": 2.0})
    prices = pl.DataFrame({"close": [1.0] * 10 + [4.0, 2.001, 2.0, 2.0]}).with_row_index("m")
    bars = prices.select(
        pl.lit(TUESDAY).alias("session"), pl.col("m").cast(pl.Int32), "close", open="close", sound=True
    )

    assert judge_levels(bars, {}, quality).unsound.nonzero()[0].tolist() == [10, 11]


@pytest.mark.parametrize("first", [1, 0])
def test_a_move_exactly_at_the_floor_passes_whatever_a_later_bar_does(first: int) -> None:
    """55 over 50 is 10 %, and 57.5 over 50 the 15 % of a night, though logarithms round."""
    floor = 55.0 if first else 57.5
    sessions = pl.Series([TUESDAY] * (4 + first) + [WEDNESDAY] * (4 - first))
    prices = pl.Series([50.0] * 4 + [floor] * 4)

    def voided(last: float) -> list[int]:
        close = pl.concat([prices, pl.Series([last])])
        bars = pl.DataFrame({"session": pl.concat([sessions, sessions[-1:]]), "open": close, "close": close})
        bars = bars.with_columns(m=pl.int_range(pl.len(), dtype=pl.Int32).over("session"), sound=True)
        return judge_levels(bars, {}, QUALITY).unsound.nonzero()[0].tolist()

    assert voided(floor) == []
    assert voided(2.5 * floor) == [8]


def test_no_move_is_believed_beyond_the_ceiling_though_the_floor_or_the_market_would_allow_it() -> None:
    quality = QUALITY.model_copy(update={"jump_floor_share": 3.0, "night_floor_share": 3.0})
    wild = np.exp(np.cumsum(np.tile([0.15, -0.15], 7)))
    scale = pl.DataFrame({"date": CALENDAR["session"], "scale": wild})
    fall = pl.when(ts.dt.date() >= MONDAY).then(0.45 / np.exp(0.15)).otherwise(1.0)
    frame = delivery().with_columns(date=ts.dt.date()).join(scale, on="date", maintain_order="left")
    vendor = frame.with_columns(pl.col(PRICES) * pl.col("scale") * fall).drop("date", "scale")
    crash = {name: times(0.8, from_on(MONDAY), seed) for seed, name in ((2, "BBB"), (3, "CCC"))}

    minute = check_symbols({"AAA": times(2.5, minutes(TUESDAY, 200, 200))}, dialect(), CALENDAR, quality)["AAA"]
    night = {one["session"]: one["kind"] for one in together(AAA=vendor, **crash)["AAA"].levels}
    assert day(minute, TUESDAY)["PX7"] == 1
    assert night.get(str(MONDAY)) in ("jump", "split")


@pytest.mark.parametrize("factor", [0.37, 7.4, 70.31])
@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_jump_does_not_become_usual_where_few_nights_are_known(factor: float, number: int) -> None:
    """It would widen what fits a split, and the next session would be told as one."""
    checked = through_the_gate(times(factor, from_on(CALENDAR["session"][number])))

    assert failed(checked) == CALENDAR["session"][number:].to_list()
    assert {one["kind"] for one in checked.levels} == {"jump"}


def test_the_believed_price_is_the_close_of_the_bar_before() -> None:
    """Nine percent up, then a minute at twice the price, then twelve up: near the nine, far from what was before."""
    up, twice, on = (minutes(TUESDAY, *span) for span in ((100, 100), (101, 101), (102, 389)))
    steps = delivery().with_columns(
        pl.when(up).then(pl.col(price) * 1.09).when(twice).then(pl.col(price) * 2.3).when(on).then(pl.col(price) * 1.12)
        .otherwise(price).alias(price) for price in PRICES
    )  # fmt: skip
    assert (day(through_the_gate(steps), TUESDAY)["PX7"], failed(through_the_gate(steps))) == (1, [])


def test_news_within_a_session_costs_that_session_and_is_believed_from_the_next() -> None:
    """18 % in a minute fit no split and are less than a doubling."""
    checked = through_the_gate(times(1.18, from_on(WEDNESDAY) | minutes(TUESDAY, 200, 389)))

    assert failed(checked) == [TUESDAY]


def test_a_listed_jump_passes_and_another_on_the_same_day_does_not() -> None:
    split = times(0.3, from_on(MONDAY))
    listed = {"AAA": {MONDAY: 0.3}}

    assert failed(through_the_gate(split))[0] == MONDAY
    assert failed(together(listed, AAA=split)["AAA"]) == []
    assert together(listed, AAA=split)["AAA"].days["verdict"].unique().to_list() == ["pass"]
    assert MONDAY not in failed(together({"AAA": {TUESDAY: 0.3}}, AAA=delivery())["AAA"])
    assert failed(together(listed, AAA=times(300.0, from_on(MONDAY)))["AAA"])[0] == MONDAY
    again = split.with_columns(pl.when(from_on(AFTER)).then(pl.col(p) * 0.3).otherwise(p).alias(p) for p in PRICES)
    assert failed(together(listed, AAA=again)["AAA"])[0] == AFTER  # it was listed for the session before


def test_a_jump_listed_for_a_weekend_comes_with_the_first_bar_behind_it() -> None:
    listed = {"AAA": {date(2024, 12, 1): 0.3}}  # a Sunday
    for first, dropped in ((0, []), (1, [MONDAY])):
        moved = times(0.3, from_on(AFTER) | minutes(MONDAY, first, 389))
        assert failed(together(listed, AAA=moved)["AAA"])[:1] == dropped


def test_a_listed_jump_may_come_within_the_session() -> None:
    halved = times(0.6, from_on(WEDNESDAY) | minutes(TUESDAY, 200, 389))

    assert failed(together({"AAA": {TUESDAY: 0.6}}, AAA=halved)["AAA"]) == []


@pytest.mark.parametrize("listed", [MONDAY, date(2024, 11, 30)])
def test_a_listed_jump_passes_at_the_next_bar_if_its_own_session_has_none_or_is_no_session(listed: date) -> None:
    vendor = times(0.3, from_on(MONDAY)).filter(ts.dt.date() != MONDAY)
    checked = together({"AAA": {listed: 0.3}}, AAA=vendor)["AAA"]

    assert failed(checked) == []
    assert [(one["session"], one["kind"]) for one in checked.levels] == [("2024-12-03", "listed")]


def test_a_listed_jump_within_sessions_in_another_unit_is_remembered_until_the_price_is_back() -> None:
    """Times 300 from Tuesday on, and back on Monday; the split of Wednesday was listed."""
    split = times(0.3, from_on(WEDNESDAY))
    wrong = ts.dt.date().is_between(TUESDAY, date(2024, 11, 29))
    vendor = split.with_columns(pl.when(wrong).then(pl.col(name) * 300).otherwise(name).alias(name) for name in PRICES)

    assert failed(together({"AAA": {WEDNESDAY: 0.3}}, AAA=vendor)["AAA"])[-1] == date(2024, 11, 29)


@pytest.mark.parametrize(("factor", "split"), [(0.5, "2:1"), (0.25, "4:1"), (0.05, "20:1"), (7.0, "1:7")])
# more symbols at length
@pytest.mark.parametrize("symbols", [("AAA", "BBB"), pytest.param(("AAA", "BBB", "CCC"), marks=pytest.mark.torture)])
def test_symbols_that_split_on_the_same_night_are_no_market(
    factor: float, split: str, symbols: tuple[str, ...]
) -> None:
    """As both classes of a share do: one's split explains nothing of the other's night."""
    found = together(**{name: times(factor * 1.01, from_on(MONDAY), seed) for seed, name in enumerate(symbols)})

    assert [failed(one) for one in found.values()] == [[]] * len(symbols)
    assert [[one["split"] for one in found[name].levels] for name in symbols] == [[split]] * len(symbols)


# other moves at length
@pytest.mark.parametrize("factor", [0.5, *(pytest.param(factor, marks=pytest.mark.torture) for factor in (0.7, 100.0))])
def test_a_listed_jump_may_come_on_a_night_on_which_the_market_moves(factor: float) -> None:
    """All lose 22 %, and AAA has its listed factor besides; a further fifth less is neither."""
    others = {name: times(0.78, from_on(MONDAY), seed) for seed, name in enumerate(("BBB", "CCC"), 2)}
    found = together({"AAA": {MONDAY: factor}}, AAA=times(0.78 * factor, from_on(MONDAY)), **others)
    wrong = together({"AAA": {MONDAY: factor}}, AAA=times(0.62 * factor, from_on(MONDAY)), **others)

    assert failed(found["AAA"]) == []
    assert [(one["session"], one["kind"]) for one in found["AAA"].levels] == [(str(MONDAY), "listed")]
    assert [one["kind"] for one in wrong["AAA"].levels][:1] != ["listed"]


@pytest.mark.parametrize("away", [False, True])
def test_what_moved_one_symbol_over_more_than_a_night_or_by_its_own_list_is_no_market(away: bool) -> None:
    """Half the price is 2:1 beside a 5:4 split that is listed, and beside a quarter more after two sessions away."""
    others = times(0.8, from_on(MONDAY), seed=2)
    if away:
        others = times(1.25, from_on(MONDAY), seed=2).filter(~ts.dt.date().is_in([WEDNESDAY, date(2024, 11, 29)]))
    found = together({"BBB": {} if away else {MONDAY: 0.8}}, AAA=times(0.5, from_on(MONDAY)), BBB=others)
    wrong = together({"BBB": {} if away else {MONDAY: 0.8}}, AAA=times(0.8, from_on(MONDAY)), BBB=others)

    assert [(one["kind"], one["split"]) for one in found["AAA"].levels] == [("split", "2:1")]
    assert [(one["kind"], one["split"]) for one in wrong["AAA"].levels] == [("split", "5:4")]


@pytest.mark.parametrize("listed", [True, False])
def test_news_of_one_symbol_that_a_list_holds_excuses_no_other_in_that_minute(listed: bool) -> None:
    """Both lose 30 % at minute 100; AAA is back next day: its session fails unless a market moved."""
    news = minutes(TUESDAY, 100, 389)
    other = times(0.7, news | from_on(WEDNESDAY), seed=2)
    found = together({"BBB": {TUESDAY: 0.7}} if listed else {}, AAA=times(0.7, news), BBB=other)

    assert (TUESDAY in failed(found["AAA"]), failed(found["BBB"])) == (listed, [])


# beside the limit; farther from it at length
@pytest.mark.parametrize(
    ("hit", "believed"),
    [(3, False), (4, True), *(pytest.param(*one, marks=pytest.mark.torture) for one in ((1, False), (7, True)))],
)
def test_a_move_is_shared_if_enough_of_all_others_have_it_also_of_those_whose_bars_are_void(
    hit: int, believed: bool
) -> None:
    """Of seven symbols four: three of six others are half of them; of three, two of six are not."""
    crash = minutes(TUESDAY, 200, 389) | from_on(WEDNESDAY)
    feeds = {f"S{seed}": times(0.85 if seed < hit else 1.0, crash, seed) for seed in range(7)}

    assert [failed(one) == [] for one in together(**feeds).values()] == [believed] * hit + [True] * (7 - hit)


def test_of_two_symbols_the_other_one_is_all_others() -> None:
    crash = minutes(TUESDAY, 200, 389) | from_on(WEDNESDAY)
    feeds = {name: times(0.85, crash, seed) for seed, name in enumerate(("AAA", "BBB"))}
    every = QUALITY.model_copy(update={"shared_min_share": 1.0})

    assert [failed(one) for one in check_symbols(feeds, dialect(), CALENDAR, every, None).values()] == [[], []]


def test_a_move_that_others_share_is_the_markets() -> None:
    """15 % in a minute and 17 % overnight, of all three symbols or of one."""
    crash = minutes(TUESDAY, 200, 389) | from_on(WEDNESDAY)
    shared = together(**{name: times(0.85, crash, seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))})
    alone = together(AAA=times(0.85, crash), BBB=delivery(seed=2), CCC=delivery(seed=3))
    night = together(**{name: times(0.83, from_on(MONDAY), seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))})

    assert [failed(one) for one in shared.values()] == [[], [], []]
    assert [failed(one) for one in alone.values()] == [[TUESDAY], [], []]
    assert [failed(one) for one in night.values()] == [[], [], []]


def test_a_whole_feed_in_another_unit_is_no_market() -> None:
    found = together(**{name: times(100.0, from_on(MONDAY), seed) for seed, name in enumerate(("AAA", "BBB", "CCC"))})

    assert [failed(one)[0] for one in found.values()] == [MONDAY] * 3
    minute = together(**{name: times(3.0, minutes(TUESDAY, 200, 389), s) for s, name in enumerate(("AAA", "BBB"))})
    assert [failed(one) for one in minute.values()] == [[TUESDAY], [TUESDAY]]


def test_one_wrong_price_at_the_first_open_does_not_stop_the_study() -> None:
    checked = through_the_gate(times(100.0, minutes(CALENDAR["session"][0], 0, 0)))

    assert failed(checked) == [CALENDAR["session"][0]]


def test_a_symbol_with_volatile_nights_is_measured_by_its_own_nights() -> None:
    """Nights of 10 % either way: a night of 18 % is none to be told."""
    wild = np.exp(np.cumsum(np.tile([0.1, -0.1], 7)))
    scale = pl.DataFrame({"date": CALENDAR["session"], "scale": wild})
    last = pl.when(ts.dt.date() >= MONDAY).then(1.18).otherwise(1.0)
    frame = delivery().with_columns(date=ts.dt.date()).join(scale, on="date", maintain_order="left")
    vendor = frame.with_columns((pl.col(PRICES) * pl.col("scale") * last).round(2)).drop("date", "scale")

    assert failed(through_the_gate(vendor)) == []
    assert failed(through_the_gate(delivery().with_columns((pl.col(PRICES) * last).round(2)))) != []


def test_the_usual_night_is_that_of_as_many_nights_as_stated() -> None:
    """Of nights of 30, 1 and 5 % before the last session two count, each 2 % from their median; one is no spread."""
    price = np.exp(np.cumsum([0.0, 0.3, 0.01, 0.05, 0.4]))
    bars = pl.DataFrame({"session": CALENDAR["session"].head(5), "open": price, "close": price, "m": 0, "sound": True})
    for nights, usual in ((2, 1.4826 * 0.02), (3, 1.4826 * 0.04), (1, QUALITY.night_scale_floor_share)):
        stated = QUALITY.model_copy(update={"night_past_sessions": nights})
        assert levels._Scan(bars, {}, stated, levels.NOBODY).night_scale(4) == pytest.approx(usual)


def test_the_usual_night_is_computed_once_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was computed for every bar that may end a jump: with small limits a check of 66 sessions took minutes."""
    computed = []
    monkeypatch.setattr(levels, "_deviation", lambda moves: computed.append(len(moves)) or 0.0)
    strict = QUALITY.model_dump() | {"night_floor_share": 1e-9, "night_scale_floor_share": 1e-9}

    judge_levels(through_the_gate(delivery()).bars.with_columns(sound=True), {}, QualityParams.model_validate(strict))

    assert 0 < len(computed) <= 2 * CALENDAR.height


@settings(max_examples=5, deadline=None)
@given(cut=st.integers(1, 5200), at=st.integers(0, 5000), length=st.integers(1, 900), factor=st.floats(0.1, 20.0))
def test_cutting_the_future_off_changes_no_bar(cut: int, at: int, length: int, factor: float) -> None:
    rows = pl.int_range(pl.len()).is_between(at, at + length)
    delivered: dict[str, Any] = {"AAA": times(factor, rows), "BBB": times(factor**0.1, rows, seed=2)}
    grid = together(**delivered)["AAA"].bars
    instant = grid["ts"][cut]
    known = {name: frame.filter(ts < instant) for name, frame in delivered.items()}

    assert together(**known)["AAA"].bars.head(cut).equals(grid.head(cut))


def test_the_report_says_what_happened_and_what_to_do() -> None:
    report = report_on(AAA=times(100.0, from_on(MONDAY)))
    [failure] = report["hard_failures"]

    assert failure["check"] == "CMP3"
    assert "level_jump" in failure["detail"]
    assert "PX7 AAA 2024-12-02: at minute 0 the price is 100" in failure["detail"]
    assert "quality.corporate_actions: NAME" in failure["detail"]
    told, *_ = [one for one in report_on(AAA=times(0.25 * 1.02, from_on(MONDAY)))["warnings"] if "PX4" in one]
    assert told.startswith("PX4 AAA 2024-12-02: the price is 0.25")
    assert "a split of 4:1" in told


def test_bars_that_the_gate_took_out_are_no_halt() -> None:
    symbols = {"AAA": times(7.0, minutes(TUESDAY, 200, 259)), "BBB": delivery(seed=2).filter(~minutes(TUESDAY, 9, 20))}
    report = report_on(**symbols)

    assert [gap["kind"] for one in report["symbols"].values() for gap in one["long_gaps"]] == ["level", "halt"]
