"""The report says what was found, the same way every time, and the stop names what to repair."""

import json
import pickle
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.errors import DataContractError
from stages.io.files import read_json, write_json
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import check_one_symbol, check_symbol
from stages.quality.report import quality_report, require_sound
from stages.quality.verdicts import HardFailure, usable_sessions, verdict_alone
from tests.quality.deliveries import CALENDAR, QUALITY, delivery, dialect, minutes

MANIFEST = {"source": "mine", "uri_template": "bars/{symbol}.parquet", "files": []}
TUESDAY = date(2024, 11, 19)
SESSIONS = CALENDAR["session"].to_list()


def report_on(**delivered: pl.DataFrame) -> dict[str, Any]:
    return quality_report(check_symbols(delivered, dialect(), CALENDAR, QUALITY), MANIFEST, CALENDAR, QUALITY)


def lacking(*sessions: date) -> pl.DataFrame:
    return delivery().filter(~pl.any_horizontal(minutes(session, 0, 389) for session in sessions))


def test_a_sound_universe_passes_and_nothing_is_raised() -> None:
    report = report_on(AAA=delivery(), BBB=delivery(seed=2))

    assert (report["verdict"], report["hard_failures"], report["warnings"]) == ("pass", [], [])
    assert report["schema_version"] == 1
    require_sound(report, ["AAA", "BBB"])


def test_the_bars_of_a_symbol_come_apart_from_what_is_kept_of_all() -> None:
    whole = check_symbol("AAA", delivery(), dialect(), CALENDAR, QUALITY)
    bars, kept = check_one_symbol("AAA", delivery(), dialect=dialect(), calendar=CALENDAR, quality=QUALITY)

    assert bars.equals(whole.bars)
    assert (kept.bars.height, kept.days.equals(whole.days)) == (0, True)


def test_a_failure_comes_whole_out_of_another_process() -> None:
    failure = HardFailure("CMP3", "level_jump: what it says", TUESDAY)
    again = pickle.loads(pickle.dumps(failure))
    assert (str(again), vars(again)) == (str(failure), vars(failure))


def test_a_dropped_session_is_reported_with_its_reason_and_is_not_usable() -> None:
    report = report_on(AAA=lacking(TUESDAY), BBB=delivery(seed=2))
    one = report["symbols"]["AAA"]
    found = next(day for day in one["days"] if day["session"] == "2024-11-19")

    assert (one["sessions_expected"], one["sessions_present"], one["sessions_usable"]) == (14, 13, 13)
    assert one["sessions_dropped"] == 1
    assert (found["verdict"], found["dropped"], found["reason"], found["completeness"]) == (
        "fail",
        True,
        "no_data",
        0.0,
    )
    assert usable_sessions(report) == {
        "AAA": tuple(session for session in SESSIONS if session != TUESDAY),
        "BBB": tuple(SESSIONS),
    }
    require_sound(report, ["AAA", "BBB"])


def test_a_session_that_one_symbol_lacks_is_told_apart_from_one_that_all_lack() -> None:
    alone = report_on(AAA=lacking(TUESDAY), BBB=delivery(seed=2))["warnings"]
    both = report_on(AAA=lacking(TUESDAY), BBB=lacking(TUESDAY))["warnings"]

    assert any(warning.startswith("X1") and "'AAA': 1" in warning for warning in alone)
    assert any(warning.startswith("unexpected_closed") and "2024-11-19" in warning for warning in both)
    assert not any(warning.startswith("X1") for warning in both)


def test_too_few_usable_sessions_stop_the_run_by_the_name_of_the_threshold() -> None:
    """Two of 14 sessions fallen leave 85.7 %, the threshold is 90 %."""
    report = report_on(AAA=lacking(TUESDAY, date(2024, 12, 2)))

    assert report["verdict"] == "fail"
    with pytest.raises(DataContractError, match=r"AAA 2024-11-19, check CMP3.*12 of 14.*quality\.min_sessions_share"):
        require_sound(report, ["AAA"])


def test_a_fault_of_the_whole_file_reaches_the_report_before_it_stops_the_run() -> None:
    report = report_on(AAA=delivery().with_columns(pl.col("ts") + timedelta(minutes=1)), BBB=delivery().drop("close"))

    assert [(failure["symbol"], failure["check"]) for failure in report["hard_failures"]] == [
        ("AAA", "TS5"),
        ("BBB", "SCH1"),
    ]
    with pytest.raises(DataContractError, match=r"AAA 2024-11-18, check TS5.*bar_label.*\(1 more in .*dq_report"):
        require_sound(report, ["AAA", "BBB"])


def test_a_symbol_of_the_universe_without_bars_is_named() -> None:
    with pytest.raises(DataContractError, match=r"no bars of 'CCC'.*'AAA'"):
        require_sound(report_on(AAA=delivery()), ["AAA", "CCC"])


def test_doubts_about_a_whole_symbol_are_reported_in_words() -> None:
    adjusted = delivery().with_columns(pl.col("open", "high", "low", "close") * 0.7312345)
    late = delivery().filter(~pl.col("ts").is_in(CALENDAR["open_utc"].to_list()))

    assert any("PX6 AAA: 99.6%" in warning for warning in report_on(AAA=adjusted)["warnings"])
    assert [failure["check"] for failure in report_on(AAA=late)["hard_failures"]] == ["TS5"]
    assert any(warning.startswith("CMP3 AAA: 92.9%") for warning in report_on(AAA=lacking(TUESDAY))["warnings"])


def test_read_for_its_verdicts_alone_the_report_says_the_same_and_equal_days_are_one_object(tmp_path: Path) -> None:
    report = report_on(AAA=delivery(), BBB=delivery(seed=2))
    write_json(report, tmp_path / "report.json")
    whole, alone = (read_json(tmp_path / "report.json", *kept) for kept in ((), (verdict_alone,)))

    assert usable_sessions(whole) == usable_sessions(alone) == usable_sessions(report)
    assert whole["symbols"]["AAA"]["days"] == list(report["symbols"]["AAA"]["days"])
    first, second = (alone["symbols"][symbol]["days"] for symbol in ("AAA", "BBB"))
    assert [set(day) for day in first] == [{"session", "dropped"}] * CALENDAR.height
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert alone["symbols"]["AAA"]["checks"] == whole["symbols"]["AAA"]["checks"]


def test_the_report_is_the_same_whatever_the_order_of_symbols_and_rows() -> None:
    one, other = delivery(), delivery(seed=2)
    straight = report_on(AAA=one, BBB=other)
    crossed = report_on(BBB=other, AAA=one)

    written = [json.dumps(one, sort_keys=True, default=list) for one in (straight, crossed)]
    assert written[0] == written[1]
    assert "TS1" in straight["symbols"]["AAA"]["checks"]


def test_the_report_names_source_calendar_and_every_threshold() -> None:
    report = report_on(AAA=delivery())

    assert report["source"]["rows"] == delivery().height
    assert report["calendar"] == {"start": "2024-11-18", "end": "2024-12-06", "sessions": 14}
    assert report["config"] == QUALITY.model_dump(mode="json")
