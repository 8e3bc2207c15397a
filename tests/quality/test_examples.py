"""The examples of docs/DATA_QUALITY.md are run: each delivery ends as the page says, and no check is without one."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from stages.quality.gate import Checked
from stages.quality.report import quality_report
from tests.quality.deliveries import CALENDAR, QUALITY, day, delivery, minutes, through_the_gate
from tests.quality.test_dirty_market import after_the_early_close, contradicting, frozen, raising, setting, without
from tests.quality.test_documentation import PAGE, ROWS

TUESDAY, MONDAY, HALF_DAY = date(2024, 11, 19), date(2024, 12, 2), date(2024, 11, 29)
ts = pl.col("ts")


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
    checked: dict[str, Checked] = {f"S{n}": through_the_gate(vendor) for n, vendor in enumerate(vendors)}
    return quality_report(checked, {"source": "mine", "uri_template": None}, CALENDAR, QUALITY)


def warned(start: str, *vendors: pl.DataFrame) -> bool:
    return any(warning.startswith(start) for warning in report(*vendors)["warnings"])


def lacking(*sessions: date) -> pl.DataFrame:
    return delivery().filter(~pl.any_horizontal(minutes(session, 0, 389) for session in sessions))


def on_thanksgiving() -> pl.DataFrame:
    rows = delivery().filter(minutes(date(2024, 11, 27), 0, 9)).with_columns(ts + timedelta(days=1))
    return pl.concat([delivery(), rows])


def halved_from(first: date) -> pl.DataFrame:
    prices = [
        pl.when(ts.dt.date() >= first).then(pl.col(p) / 2).otherwise(p).alias(p)
        for p in ("open", "high", "low", "close")
    ]
    return delivery().with_columns(prices).with_columns(pl.col("open", "high", "low", "close").round(2))


EXAMPLES: dict[str, Callable[[], bool]] = {
    "SCH1": lambda: stopped(delivery().with_columns(pl.col("close").cast(pl.String))) == ("hard", "SCH1"),
    "SCH2": lambda: stopped(delivery().with_columns(ts.dt.replace_time_zone(None))) == ("hard", "SCH2"),
    "TS1": lambda: counted(delivery().reverse(), "TS1") == delivery().height - 1,
    "TS2": lambda: counted(pl.concat([delivery(), delivery().head(100)]), "TS2") == 100,
    "TS3": lambda: on_tuesday(contradicting, "TS3") == ("fail", "conflicting_rows", 1),
    "TS4": lambda: stopped(delivery().with_columns(ts + timedelta(seconds=1))) == ("hard", "TS4"),
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
    "PX6": lambda: warned("PX6 S0: 100.0%", delivery().with_columns(pl.col("high") + 0.005)),
    "VOL1": lambda: on_tuesday(setting(60, 60, volume=-1.0), "VOL1") == ("pass", None, 1),
    "VOL2": lambda: (
        on_tuesday(setting(60, 60, volume=0.0, close=pl.col("open") + 0.01, high=999.0), "VOL2") == ("pass", None, 1)
    ),
    "VOL3": lambda: on_tuesday(setting(0, 389, volume=20.0), "VOL3", MONDAY) == ("warn", None, 1),
    "X1": lambda: warned("X1", lacking(TUESDAY), delivery(seed=2)),
    "unexpected_closed": lambda: warned("unexpected_closed: no symbol has a bar on 2024-11-19", lacking(TUESDAY)),
}


@pytest.mark.parametrize("check", EXAMPLES)
def test_the_example_of_a_check_ends_as_the_page_says(check: str) -> None:
    assert EXAMPLES[check]()


def test_every_check_has_an_example_on_the_page_and_here() -> None:
    examples = PAGE.split("## An example of each")[1].split("\n## ")[0]
    told = re.findall(r"^\| (\w+) \| \S", examples, re.MULTILINE)

    assert told == ["id", *EXAMPLES]
    assert set(EXAMPLES) == {*ROWS, "unexpected_closed"}
