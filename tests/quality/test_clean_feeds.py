"""A warning means that a person should look: on sound feeds of every kind the gate is silent.

What it sees when faults are planted into them is measured by `make detection`.
"""

from datetime import date
from typing import Any

import polars as pl
import pytest

from stages.quality.cross_symbol import check_symbols
from stages.sessions.calendar import trading_calendar
from tests.benchmarks.detection import FAULTS, detected
from tests.quality.clean_feeds import CALENDAR, CLEAN, clean_feed
from tests.quality.deliveries import QUALITY, dialect, report_of
from tests.quality.test_real_bars import BARS, VENDOR_A, aapl, spy

CUT = ("PX1", "PX2", "PX7", "PX8", "VOL1")  # checks that remove or change a bar


def report_on(calendar: pl.DataFrame, feeds: dict[str, pl.DataFrame], **changes: Any) -> dict[str, Any]:
    return report_of(check_symbols(feeds, dialect(**changes), calendar, QUALITY), calendar)


def told(report: dict[str, Any]) -> tuple[Any, ...]:
    """Everything that a person is asked to look at."""
    days = [day for one in report["symbols"].values() for day in one["days"]]
    sessions = [(day["session"], day["verdict"], day["flags"]) for day in days if day["verdict"] != "pass"]
    changed = [check for one in report["symbols"].values() for check in CUT if one["checks"][check]]
    return report["warnings"], report["hard_failures"], sessions, changed


@pytest.mark.parametrize("kind", CLEAN)
def test_the_gate_is_silent_on_a_sound_feed(kind: str) -> None:
    feeds = {name: clean_feed(CLEAN[kind], seed) for seed, name in enumerate(("AAA", "BBB"))}

    assert told(report_on(CALENDAR, feeds, **CLEAN[kind].dialect)) == ([], [], [], [])


@pytest.mark.skipif(not BARS.exists(), reason="no real bars beside the repository")
def test_the_gate_is_silent_on_real_bars() -> None:
    winter, march = (trading_calendar(date(2011, month, 1), date(2011, month, 31)) for month in (1, 3))
    spring = trading_calendar(date(2024, 1, 2), date(2024, 4, 4))

    assert told(report_on(winter, {"SPY": spy("01")}, bar_label="end")) == ([], [], [], [])
    assert told(report_on(march, {"SPY": spy("03")}, bar_label="end")) == ([], [], [], [])
    assert told(report_on(spring, {"AAPL": aapl()}, aliases=VENDOR_A)) == ([], [], [], [])


KNOWN = [
    ("prices times, overnight, from then on", 100.0, 1.0, 1.0),
    ("prices times, overnight, from then on", 1.05, 0.0, 0.0),
    ("split, named as one", "4:1", 0.6, 1.0),
    ("low times, one minute", 1e-4, 1.0, 1.0),
    ("low times, one minute", 0.99, 0.0, 0.0),
    ("volume times, one session", 100.0, 1.0, 1.0),
]
SEEN_ON_ONE_FEED = [  # quick tests of copies, ingestion, levels and units see them on the plainest of the five
    ("prices times, an hour", 7.0, 1.0, 1.0),
    ("all prices in units of", 1e-9, 1.0, 1.0),
    ("minutes of an earlier session", 390, 1.0, 1.0),
    ("minutes of another symbol", 390, 1.0, 1.0),
    ("bars of so many minutes", 5, 1.0, 1.0),
]


@pytest.mark.parametrize(
    ("fault", "size", "least", "most"),
    [*KNOWN, *(pytest.param(*one, marks=pytest.mark.torture) for one in SEEN_ON_ONE_FEED)],
)
def test_a_planted_fault_is_caught_by_its_size(fault: str, size: Any, least: float, most: float) -> None:
    """Five feeds, one of each kind."""
    assert size in FAULTS[fault][2]
    assert least <= detected(fault, size, feeds=5) <= most
