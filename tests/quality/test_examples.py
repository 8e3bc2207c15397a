"""The examples of docs/DATA_QUALITY.md are run: each delivery ends as the page says, and no check is without one."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from stages.io.dated_files import read_halts
from stages.quality.gate import Known, check_symbol
from stages.sessions.calendar import trading_calendar
from tests.quality.deliveries import CALENDAR, QUALITY, day, delivery, dialect, minutes, report_of, through_the_gate
from tests.quality.test_dirty_market import (
    PRICES,
    after_the_early_close,
    contradicting,
    frozen,
    raising,
    setting,
    without,
)
from tests.quality.test_documentation import PAGE, ROWS

TUESDAY, MONDAY, HALF_DAY = date(2024, 11, 19), date(2024, 12, 2), date(2024, 11, 29)
ts = pl.col("ts")
HALTS = read_halts("market_wide")


def on_tuesday(spoil: Callable[[pl.DataFrame, date], pl.DataFrame], check: str, session: date = TUESDAY) -> Any:
    """The verdict on one session, and how often the check marked it."""
    found = day(through_the_gate(spoil(delivery(), session)), session)
    return found["verdict"], found["reason"], int(found.get(check) or 0)


def stopped(vendor: pl.DataFrame, **dialect: Any) -> tuple[str, str]:
    failure = through_the_gate(vendor, **dialect).failure
    assert failure is not None
    return "hard", failure.check


def counted(vendor: pl.DataFrame, check: str) -> int:
    checked = through_the_gate(vendor)
    assert checked.failure is None
    return checked.counts[check]


def report(*vendors: pl.DataFrame) -> dict[str, Any]:
    return report_of({f"S{n}": through_the_gate(vendor) for n, vendor in enumerate(vendors)})


def warned(start: str, *vendors: pl.DataFrame) -> bool:
    return any(warning.startswith(start) for warning in report(*vendors)["warnings"])


def lacking(*sessions: date) -> pl.DataFrame:
    return delivery().filter(~pl.any_horizontal(minutes(session, 0, 389) for session in sessions))


def on_thanksgiving() -> pl.DataFrame:
    rows = delivery().filter(minutes(date(2024, 11, 27), 0, 9)).with_columns(ts + timedelta(days=1))
    return pl.concat([delivery(), rows])


def holding(session: date) -> Callable[[pl.DataFrame, date], pl.DataFrame]:
    """The bars of one session under another's stamps."""

    def spoil(frame: pl.DataFrame, day: date) -> pl.DataFrame:
        copied = frame.filter(minutes(session, 0, 389)).with_columns(ts + (day - session))
        return pl.concat([frame.filter(~minutes(day, 0, 389)), copied])

    return spoil


def raised_after(factor: float, session: date) -> pl.DataFrame:
    """Prices of all sessions after this one times a factor."""
    later = ts.dt.date() > session
    return delivery().with_columns(pl.when(later).then(pl.col(p) * factor).otherwise(p).alias(p) for p in PRICES)


def halved_from(first: date) -> pl.DataFrame:
    prices = [pl.when(ts.dt.date() >= first).then(pl.col(p) / 2).otherwise(p).alias(p) for p in PRICES]
    return delivery().with_columns(prices).with_columns(pl.col(PRICES).round(2))


def halted_in_march() -> bool:
    """NYSE, 2020-03-16: halted from 09:30:01 to 09:45:01."""
    calendar = trading_calendar(date(2020, 3, 13), date(2020, 3, 17))
    gone = ts.is_between(datetime(2020, 3, 16, 13, 31, tzinfo=UTC), datetime(2020, 3, 16, 13, 44, tzinfo=UTC))
    vendor = delivery(calendar).filter(~gone)
    found = day(check_symbol("SYM", vendor, dialect(), calendar, QUALITY, Known(halts=HALTS)), date(2020, 3, 16))
    return (found["verdict"], found["HLT1"], found["n_missing"]) == ("pass", 14, 0)


EXAMPLES: dict[str, Callable[[], bool]] = {
    "SCH1": lambda: stopped(delivery().with_columns(pl.col("close").cast(pl.String))) == ("hard", "SCH1"),
    "SCH2": lambda: stopped(delivery().with_columns(ts.dt.replace_time_zone(None))) == ("hard", "SCH2"),
    "TS1": lambda: counted(delivery().reverse(), "TS1") == delivery().height - 1,
    "TS2": lambda: counted(pl.concat([delivery(), delivery().head(100)]), "TS2") == 100,
    "TS3": lambda: on_tuesday(contradicting, "TS3") == ("fail", "conflicting_rows", 1),
    "TS4": lambda: (
        stopped(delivery().with_columns(ts + timedelta(seconds=1))) == ("hard", "TS4")
        and stopped(delivery().filter(ts.dt.minute() % 5 == 0)) == ("hard", "TS4")
    ),
    "TS5": lambda: (
        stopped(delivery().with_columns(ts + timedelta(minutes=1))) == ("hard", "TS5")
        and [f["check"] for f in report(delivery().filter(~ts.is_in(CALENDAR["open_utc"].implode())))["hard_failures"]]
        == ["TS5"]
    ),
    "TS6": lambda: (
        stopped(on_thanksgiving()) == ("hard", "TS6")
        and on_tuesday(after_the_early_close, "TS6", HALF_DAY) == ("warn", None, 10)
    ),
    "TS7": lambda: (
        stopped(delivery().with_columns(ts.dt.epoch("ms").cast(pl.Datetime("us", "UTC")))) == ("hard", "TS7")
    ),
    "TS8": lambda: on_tuesday(holding(TUESDAY), "TS8", MONDAY) == ("warn", None, 382),
    "CMP1": lambda: (
        on_tuesday(lambda f, d: f.filter(~pl.any_horizontal(minutes(d, m, m) for m in range(10, 50, 2))), "")
        == ("fail", "incomplete", 0)
    ),
    "CMP2": lambda: on_tuesday(without(60, 65), "") == ("fail", "sustained_gap", 0),
    "CMP3": lambda: [f["check"] for f in report(lacking(TUESDAY, MONDAY))["hard_failures"]] == ["CMP3"],
    "CMP4": lambda: on_tuesday(without(0, 0), "CMP4") == ("warn", None, 1),
    "PX1": lambda: on_tuesday(setting(60, 60, close=0.0), "PX1") == ("pass", None, 1),
    "PX2": lambda: on_tuesday(setting(60, 60, low=900.0), "PX2") == ("pass", None, 1),
    "PX3": lambda: on_tuesday(raising(200, 389, 1.05), "PX3", MONDAY) == ("pass", None, 1),
    "PX3_reverted": lambda: on_tuesday(raising(200, 200, 1.05), "PX3_reverted", MONDAY) == ("pass", None, 1),
    "PX4": lambda: day(through_the_gate(halved_from(MONDAY)), MONDAY)["PX4"] == 1,
    "PX5": lambda: (
        on_tuesday(frozen(60, 69), "PX5") == ("warn", None, 1)
        and on_tuesday(frozen(60, 89), "PX5")[:2] == ("fail", "stale")
    ),
    "PX6": lambda: (
        on_tuesday(setting(0, 389, high=pl.col("high") + 0.005), "PX6") == ("pass", None, 390)
        and warned("PX6 S0: 99.6%", delivery().with_columns(pl.col(PRICES) * 0.7312345))
    ),
    "PX7": lambda: (
        on_tuesday(raising(200, 200, 2.1), "PX7", MONDAY) == ("warn", None, 1)
        and on_tuesday(raising(200, 259, 2.1), "PX7", MONDAY) == ("fail", "level_jump", 60)
        and on_tuesday(lambda f, _: raising(200, 389, 2.1)(raised_after(2.1, MONDAY), MONDAY), "PX7", date(2024, 12, 6))
        == ("fail", "level_jump", 390)
    ),
    "PX8": lambda: (
        on_tuesday(setting(60, 60, low=0.01), "PX8") == ("pass", None, 1)
        and on_tuesday(setting(60, 60, high=pl.col("high") * 1.2), "PX8") == ("pass", None, 1)
    ),
    "PX9": lambda: (
        stopped(delivery().with_columns(pl.col(PRICES) * 1e9)) == ("hard", "PX9")
        and stopped(delivery().with_columns((pl.col(PRICES) * 100).round())) == ("hard", "PX9")
    ),
    "VOL1": lambda: on_tuesday(setting(60, 60, volume=-1.0), "VOL1") == ("pass", None, 1),
    "VOL2": lambda: (
        on_tuesday(setting(60, 60, volume=0.0, close=pl.col("open") + 0.01, high=999.0), "VOL2") == ("pass", None, 1)
    ),
    "VOL3": lambda: (
        on_tuesday(setting(0, 389, volume=20.0), "VOL3", MONDAY) == ("warn", None, 1)
        and on_tuesday(setting(0, 389, volume=55_000.0), "VOL3", MONDAY) == ("warn", None, 1)
    ),
    "HLT1": halted_in_march,
    "X1": lambda: warned("X1", lacking(TUESDAY), delivery(seed=2)),
    "X2": lambda: warned("X2 S0 and S1: the same bars", delivery(), delivery()),
    "unexpected_closed": lambda: warned("unexpected_closed: no symbol has a bar on 2024-11-19", lacking(TUESDAY)),
}


@pytest.mark.parametrize("check", EXAMPLES)
def test_the_example_of_a_check_ends_as_the_page_says(check: str) -> None:
    assert EXAMPLES[check]()


def test_every_check_has_an_example_on_the_page_and_here() -> None:
    checks = PAGE.split("## The checks")[1].split("\n### ")[0]
    told = re.findall(r"^\| (\w+) \|.* \| \S[^|]* \|$", checks, re.MULTILINE)

    assert told == ["id", *EXAMPLES]
    assert set(EXAMPLES) == {*ROWS, "unexpected_closed"}
