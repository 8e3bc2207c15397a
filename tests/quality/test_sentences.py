"""Every sentence of the gate is said where it is true, and not said of a delivery that differs in just that.

Where reading stopped, nothing is said of sessions: no delivery is called absent that nobody could look into.
"""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from stages.errors import DataContractError
from stages.quality.cross_symbol import check_symbols
from stages.quality.report import require_sound
from stages.quality.verdicts import usable_sessions
from stages.runs.replayed_study import replay_of
from tests.audit import small_study
from tests.quality.deliveries import CALENDAR, QUALITY, delivery, dialect, minute, minutes, report_of

TUESDAY, WEDNESDAY = date(2024, 11, 19), date(2024, 11, 20)
ts = pl.col("ts")
Vendors = dict[str, pl.DataFrame]


def report_on(vendors: Vendors, quality: Any = QUALITY, **said: Any) -> dict[str, Any]:
    return report_of(check_symbols(vendors, dialect(**said), CALENDAR, quality), quality=quality)


def told(report: dict[str, Any]) -> str:
    """All that is said in words, with the reasons of sessions."""
    days = [f"{one['session']} {one['reason']}" for symbol in report["symbols"].values() for one in symbol["days"]]
    return json.dumps([report["hard_failures"], report["warnings"], days])


def alone(frame: pl.DataFrame) -> Vendors:
    return {"AAA": frame}


def without(*gone: pl.Expr, seed: int = 1) -> pl.DataFrame:
    return delivery(seed=seed).filter(~pl.any_horizontal(*gone))


def whole(session: date) -> pl.Expr:
    return minutes(session, 0, 389)


def twice(rows: pl.Expr, **changes: Any) -> pl.DataFrame:
    again = delivery().filter(rows).with_columns(value.alias(name) for name, value in changes.items())
    return pl.concat([delivery(), again])


def off_tick(bars: int) -> pl.DataFrame:
    hit = pl.int_range(pl.len()) < bars
    return delivery().with_columns(high=pl.when(hit).then(pl.col("high") + 0.0053217).otherwise("high"))


def unsound(rows: pl.Expr) -> pl.DataFrame:
    return delivery().with_columns(close=pl.when(rows).then(-1.0).otherwise("close"))


def frozen(last: int) -> pl.DataFrame:
    """One price from minute 100 of a Tuesday on."""
    price = delivery().filter(minute(TUESDAY, 100))["close"][0] + 0.5
    hit = minutes(TUESDAY, 100, last)
    names = ("open", "high", "low", "close")
    return delivery().with_columns(pl.when(hit).then(price).otherwise(name).alias(name) for name in names)


def scattered() -> pl.DataFrame:
    return delivery().filter(pl.Series(np.random.default_rng(3).random(delivery().height)) >= 0.07)


def in_one_piece() -> pl.DataFrame:
    """As many minutes of each session, one after the other."""
    m = pl.int_range(pl.len()).over(ts.dt.date())
    return delivery().filter(~m.is_between(100, 130))


THIRD = without(whole(TUESDAY), whole(WEDNESDAY), minutes(date(2024, 11, 21), 50, 60))
# what is said -> a delivery of which it is true, one of which it is not
SENTENCES: dict[str, tuple[Vendors, Vendors]] = {
    "12 of 14 sessions are usable (85.7%), quality.min_sessions_share requires 90.0%; failed: 2 no_data; on "
    "2024-11-19, no row of it came": (alone(without(whole(TUESDAY), whole(WEDNESDAY))), alone(without(whole(TUESDAY)))),
    "failed: 2 no_data, 1 sustained_gap": (alone(THIRD), alone(without(whole(TUESDAY), whole(WEDNESDAY)))),
    "on 2024-11-19, 390 of its minutes came more than once, with different values": (
        alone(twice(whole(TUESDAY) | whole(WEDNESDAY), volume=pl.col("volume") + 1)),
        alone(twice(whole(TUESDAY) | whole(WEDNESDAY))),  # the same rows again: one is kept
    ),
    "on 2024-11-19, none of its 390 rows is a sound bar (PX1: 390, PX2: 390, VOL1: 0)": (
        alone(unsound(whole(TUESDAY) | whole(WEDNESDAY))),
        alone(unsound(minutes(TUESDAY, 0, 300) | minutes(WEDNESDAY, 0, 300))),
    ),
    "on 2024-11-19, 301 of 390 bars are missing (quality.min_session_completeness)": (
        alone(unsound(minutes(TUESDAY, 0, 300) | minutes(WEDNESDAY, 0, 300))),
        alone(unsound(minutes(TUESDAY, 0, 4) | minutes(WEDNESDAY, 0, 4))),
    ),
    "on 2024-11-19, 6 bars in a row are missing (quality.max_gap_min)": (
        alone(without(minutes(TUESDAY, 60, 65), minutes(WEDNESDAY, 60, 65))),
        alone(without(minutes(TUESDAY, 60, 64), minutes(WEDNESDAY, 60, 64))),
    ),
    "2024-11-19 stale": (alone(frozen(129)), alone(frozen(128))),
    "2024-11-19 conflicting_rows": (alone(twice(whole(TUESDAY), volume=pl.col("volume") + 1)), alone(delivery())),
    "2024-11-19 no_data": (alone(without(whole(TUESDAY))), alone(without(minutes(TUESDAY, 1, 389)))),
    "2024-11-19 no_sound_bar": (alone(unsound(whole(TUESDAY))), alone(unsound(minutes(TUESDAY, 1, 389)))),
    "The absent minutes are scattered": (alone(scattered()), alone(in_one_piece())),
    "CMP3 AAA: 92.9% of its sessions are usable": (alone(without(whole(TUESDAY))), alone(delivery())),
    "CMP1 AAA: The absent minutes are scattered": (
        alone(without(*[minute(TUESDAY, m) for m in range(10, 50, 2)])),
        alone(without(minutes(TUESDAY, 10, 29))),
    ),
    "PX6 AAA: 1.1% of its bars hold prices finer than a trade is printed": (alone(off_tick(58)), alone(off_tick(50))),
    "X1: sessions that other symbols have are missing; number by symbol: {'AAA': 1}": (
        alone(without(whole(TUESDAY))) | {"BBB": delivery(seed=2)},
        alone(without(whole(TUESDAY))) | {"BBB": without(whole(TUESDAY), seed=2)},
    ),
    "unexpected_closed: no symbol has a bar on 2024-11-19": (
        alone(without(whole(TUESDAY))) | {"BBB": without(whole(TUESDAY), seed=2)},
        alone(without(whole(TUESDAY))) | {"BBB": delivery(seed=2)},
    ),
    "HLT1 AAA: the other symbols traded through gaps on 2024-11-19": (
        alone(without(minutes(TUESDAY, 60, 70))) | {"BBB": delivery(seed=2)},
        alone(without(minutes(TUESDAY, 60, 70))) | {"BBB": without(minutes(TUESDAY, 60, 70), seed=2)},
    ),
}


def test_a_fault_of_every_session_is_a_sentence_of_a_dozen_days() -> None:
    one_day = dict.fromkeys(("AAA", "BBB"), delivery().filter(ts.dt.date() == TUESDAY))
    paused = {"AAA": in_one_piece(), "BBB": delivery(seed=2)}
    for begins, vendors, more in (("unexpected_closed", one_day, 1), ("HLT1 AAA", paused, 2)):
        [said] = [one for one in report_on(vendors)["warnings"] if one.startswith(begins)]
        assert f" and {more} more" in said
        assert "2024-12-06" not in said


@pytest.mark.parametrize("unlisted", ["drop", "keep"])
def test_what_is_done_already_is_not_proposed(unlisted: str) -> None:
    """A pause from minute 30 to the close: its first five minutes are missing, so 30 bars of 35 are too few."""
    vendors = alone(without(minutes(TUESDAY, 30, 389))) | {"BBB": delivery(seed=2)}
    [said] = report_on(vendors, QUALITY.model_copy(update={"unlisted_halts": unlisted}))["warnings"][1:]

    assert said.startswith("HLT1 AAA: the other symbols traded through gaps on 2024-11-19, which failed")
    assert ("quality.unlisted_halts: keep" in said) == (unlisted == "drop")


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_said_where_it_is_true_and_only_there(sentence: str) -> None:
    true, untrue = SENTENCES[sentence]

    assert sentence in told(report_on(true))
    assert sentence not in told(report_on(untrue))


@pytest.mark.parametrize(
    ("refused_below", "warned_below", "found"),
    [
        (13 / 14, 1.0, ("pass", "CMP3")),
        (0.93, 1.0, ("CMP3", "pass")),
        (0.5, 13 / 14, ("pass", "pass")),
        (0.5, 0.93, ("pass", "CMP3")),
    ],
    ids=["the share that is asked for", "less", "the share that is not warned of", "less than that"],
)
def test_a_share_of_usable_sessions_is_reported_below_its_limit_and_not_at_it(
    refused_below: float, warned_below: float, found: tuple[str, str]
) -> None:
    """13 of 14 are usable."""
    asked = QUALITY.model_copy(update={"min_sessions_share": refused_below, "warn_sessions_share": warned_below})
    scattered_once = alone(without(*[minute(TUESDAY, m) for m in range(10, 50, 2)]))
    report = report_on(scattered_once, asked)
    told_of = [failure["check"] for failure in report["hard_failures"]] or ["pass"]
    said = [one[:4] for one in report["warnings"]]

    assert (told_of[0], "CMP3" if "CMP3" in said else "pass") == found
    assert ("CMP1" in said) == (found[0] == "pass")  # a failure says the same itself


@pytest.mark.parametrize(("finer", "warned"), [(66, False), (67, True)])
def test_a_share_of_too_fine_prices_is_reported_above_its_limit_and_not_at_it(finer: int, warned: bool) -> None:
    """66 of 5,280 bars are 0.0125; two more lie between ticks, where trades are printed."""
    asked = QUALITY.model_copy(update={"off_tick_share": 0.0125})
    printed = pl.int_range(pl.len()).is_between(100, 101)
    vendor = off_tick(finer).with_columns(high=pl.when(printed).then(pl.col("high") + 0.005).otherwise("high"))
    assert any(one.startswith("PX6") for one in report_on(alone(vendor), asked)["warnings"]) == warned


STOPS: dict[str, Callable[[], tuple[pl.DataFrame, dict[str, Any]]]] = {
    "SCH1": lambda: (delivery().drop("close"), {}),
    "SCH2": lambda: (delivery().with_columns(ts.dt.replace_time_zone(None)), {}),
    "TS4": lambda: (delivery().with_columns(ts + timedelta(seconds=1)), {}),
    "TS5": lambda: (delivery().with_columns(ts + timedelta(minutes=1)), {}),
    "TS6": lambda: (twice(minutes(date(2024, 11, 27), 0, 9), ts=ts + timedelta(days=1)), {}),
    "TS7": lambda: (delivery().with_columns(ts.dt.epoch("ms").cast(pl.Datetime("us", "UTC"))), {}),
}


@pytest.mark.parametrize("check", STOPS)
def test_after_a_stop_nothing_is_said_of_sessions(check: str) -> None:
    """All 14 came; the report knows of none, and calls none absent, closed or dropped."""
    frame, said = STOPS[check]()
    report = report_on(alone(frame), **said)
    one = report["symbols"]["AAA"]

    assert [failure["check"] for failure in report["hard_failures"]] == [check]
    assert report["warnings"] == []
    assert (one["days"], one["checks"], one["long_gaps"], one["halts"]) == ([], {}, [], [])
    assert {one[name] for name in ("sessions_present", "sessions_usable", "sessions_dropped", "completeness")} == {None}
    assert usable_sessions(report) == {"AAA": ()}


def test_prices_that_are_too_fine_are_reported_with_the_tick_that_they_were_held_to() -> None:
    own = type(QUALITY).model_validate(QUALITY.model_dump() | {"by_symbol": {"AAA": {"tick_size": 0.02}}})
    adjusted = delivery().with_columns(pl.col("open", "high", "low", "close") * 0.7312345)
    (warning,) = [one for one in report_on({"AAA": adjusted}, own)["warnings"] if one.startswith("PX6")]
    assert "(quality.print_step_ticks of quality.tick_size 0.02)" in warning


def test_of_the_others_only_is_said_what_they_show() -> None:
    """AAA cannot be read. That BBB lacks a Tuesday is known, but not that nobody has it."""
    vendors = {"AAA": delivery().drop("close"), "BBB": without(whole(TUESDAY), seed=2), "CCC": delivery(seed=3)}
    report = report_on(vendors)

    assert report["warnings"] == [
        "CMP3 BBB: 92.9% of its sessions are usable",
        "X1: sessions that other symbols have are missing; number by symbol: {'BBB': 1}",
    ]
    assert "unexpected_closed" not in told(report_on({symbol: vendors[symbol] for symbol in ("AAA", "BBB")}))


def test_a_symbol_that_cannot_be_read_is_no_witness_of_a_halt() -> None:
    vendors = {"AAA": without(minutes(TUESDAY, 60, 70)), "BBB": delivery(seed=2).drop("close")}

    assert [gap["kind"] for gap in report_on(vendors)["symbols"]["AAA"]["long_gaps"]] == ["alone"]


def test_a_session_that_came_twice_is_present_with_all_its_rows() -> None:
    """The other vendor of a session is none of a bar: 390 minutes, 780 rows, and nothing else is wrong with it."""
    report = report_on(alone(twice(whole(TUESDAY), volume=pl.col("volume") + 1)))
    one = report["symbols"]["AAA"]
    found = next(day for day in one["days"] if day["session"] == str(TUESDAY))

    assert (found["n_raw"], found["reason"], one["sessions_present"]) == (780, "conflicting_rows", 14)
    assert report["warnings"] == ["CMP3 AAA: 92.9% of its sessions are usable"]


def test_the_stop_names_the_symbol_that_was_not_delivered() -> None:
    symbols = ("AAA", "BBB")
    with pytest.raises(DataContractError, match="no bars of 'BBB'"):
        require_sound(report_on(alone(delivery())), symbols)
    require_sound(report_on({"AAA": delivery(), "BBB": delivery(seed=2)}), symbols)


@pytest.mark.journey  # many sessions are cut short
def test_a_session_that_fails_late_was_a_trading_day_and_one_that_fails_early_was_not() -> None:
    """Its morning was asked and traded, since nobody could know; its outcomes are void."""
    replay, world = replay_of(small_study.study_of(), small_study.record_of()), small_study.Audited().world
    rows = small_study.run(replay, world)[-1].rows
    traded = rows.filter(pl.col("decision").is_in(["long", "short"]), symbol="STRONG", method="cqr", horizon_min=10)
    at = traded.filter(pl.col("snapshot_utc").dt.hour() == 15)["snapshot_utc"][-1]  # 10:30 in New York

    def after_losing(first_min: int) -> pl.DataFrame:
        gone = ts.is_between(at + timedelta(minutes=first_min), at + timedelta(minutes=first_min + 30))
        bars = {symbol: frame.filter(~gone) for symbol, frame in world.bars.items()}
        known = small_study.run(replay, small_study.World(bars, world.events, world.dialect))
        dropped = known[1].rows.filter(symbol="STRONG", session=at.date())["dropped"].item()
        assert dropped
        outcomes = next(one.rows for one in known if "void" in one.rows.columns).filter(symbol="STRONG")
        assert outcomes.filter(pl.col("snapshot_utc") == at)["void"].all()
        return known[-1].rows.filter(pl.col("snapshot_utc") == at, symbol="STRONG", method="cqr", horizon_min=10)

    late, early = after_losing(120), after_losing(-40)
    assert late["decision"].item() in ("long", "short")
    assert early.is_empty()
