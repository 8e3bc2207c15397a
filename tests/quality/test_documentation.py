"""docs/DATA_QUALITY.md names every check, reason and threshold that the code knows, and no other."""

import re
from pathlib import Path

from stages.params.quality import QualityParams
from stages.quality.report import FLAGS
from stages.quality.sessions import BAR_MARKS, WARNINGS
from tests.benchmarks.detection import FAULTS, FEEDS
from tests.quality.clean_feeds import CALENDAR, CLEAN
from tests.quality.deliveries import delivery, report_of, through_the_gate

CODE = [*sorted(Path("stages/quality").glob("*.py")), Path("stages/params/quality.py")]
PAGE = Path("docs/DATA_QUALITY.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]+\d\w*) \|", PAGE, re.MULTILINE)


def test_every_check_of_the_report_has_a_row() -> None:
    report = report_of({"AAA": through_the_gate(delivery())})
    counted = set(report["symbols"]["AAA"]["checks"])
    counts = {"outside_hours", "auction_rows", "TS5_undecided"}

    assert counted - counts <= set(ROWS)
    assert {name for name in counts if f"`{name}`" not in PAGE} == set()


def test_the_report_holds_every_mark_and_warning() -> None:
    """A session that is warned by a check outside `FLAGS` would not say why; `off_print` is told symbol by symbol."""
    assert {*BAR_MARKS, *WARNINGS} - {"off_print"} <= {*FLAGS}


def test_every_check_that_the_code_names_has_a_row_and_no_row_is_made_up() -> None:
    code = "".join(path.read_text() for path in CODE)
    named = set(re.findall(r"\b(?:SCH|TS|CMP|PX|VOL|HLT|X)\d+\b", code))

    assert {row.removesuffix("_reverted") for row in ROWS} == named


def test_every_threshold_is_named() -> None:
    assert {field for field in QualityParams.model_fields if f"`{field}`" not in PAGE} == set()


def test_what_is_caught_is_reported_for_every_fault_and_the_sound_feeds_are_counted() -> None:
    """`make detection` prints the shares of all sizes; the page shows those at which detection begins."""
    for fault, (_, _, sizes) in FAULTS.items():
        planted = [f"{size:g}" if isinstance(size, float) else str(size) for size in sizes]
        row = re.search(rf"^\| {re.escape(fault)} \| (.*) \|$", PAGE, re.MULTILINE)

        assert row is not None, fault
        told = re.findall(r"(\S+): \d+%", row[1])
        assert told, fault
        assert told == [size for size in planted if size in told], fault
    sound = f"none of {FEEDS * CALENDAR.height} sound sessions of each of {len(CLEAN)} kinds"
    assert sound in " ".join(PAGE.split())
