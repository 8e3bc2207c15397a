"""docs/DATA_QUALITY.md names every check, reason and threshold that the code knows, and no other."""

import re
from pathlib import Path

from stages.quality.params import QualityParams
from stages.quality.report import quality_report
from tests.quality.deliveries import CALENDAR, QUALITY, delivery, through_the_gate

PAGE = Path("docs/DATA_QUALITY.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]+\d\w*) \|", PAGE, re.MULTILINE)


def test_every_check_of_the_report_has_a_row() -> None:
    manifest = {"source": "mine", "uri_template": None}
    report = quality_report({"AAA": through_the_gate(delivery())}, manifest, CALENDAR, QUALITY)
    counted = set(report["symbols"]["AAA"]["checks"])
    counts = {"outside_hours", "auction_rows", "TS5_undecided"}

    assert counted - counts <= set(ROWS)
    assert {name for name in counts if f"`{name}`" not in PAGE} == set()


def test_every_check_that_the_code_names_has_a_row_and_no_row_is_made_up() -> None:
    code = "".join(path.read_text() for path in sorted(Path("stages/quality").glob("*.py")))
    named = set(re.findall(r"\b(?:SCH|TS|CMP|PX|VOL|HLT|X)\d\b", code))

    assert {row.removesuffix("_reverted") for row in ROWS} == named


def test_every_threshold_is_named() -> None:
    assert {field for field in QualityParams.model_fields if f"`{field}`" not in PAGE} == set()
