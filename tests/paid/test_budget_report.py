"""The ledger in readable form: the latest days and runs, and each request with its end."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from stages.io.object_store import LocalStore
from stages.paid.budget_report import calls_of, days_of, runs_of
from stages.paid.ledger import RUNS
from stages.paid.reservations import DAYS, ReservationLog
from stages.paid.units import Units

DAY = "2026-11-22"


@pytest.fixture
def objects(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.mark.parametrize(("days", "shown"), [(30, 30), (31, 31), (32, 31)])
def test_the_latest_31_days_are_shown_oldest_first(objects: LocalStore, days: int, shown: int):
    names = [f"{date(2026, 10, 1) + timedelta(days=k)}" for k in range(days)]
    for name in names:
        objects.create(f"{DAYS}/{name}/0000-0.json", b"{}", durable=False)
    assert list(days_of(objects)) == names[-shown:]
    assert [call["reservation"] for call in calls_of(objects)] == [f"{name}/0000-0" for name in names[-shown:]]


@pytest.mark.parametrize(("runs", "shown"), [(49, 49), (50, 50), (51, 50)])
def test_the_latest_50_runs_are_shown_oldest_first(objects: LocalStore, runs: int, shown: int):
    for number in range(runs):
        objects.create(f"{RUNS}/{number:03d}.json", f'{{"number": {number}}}'.encode(), durable=False)
    assert [run["number"] for run in runs_of(objects)] == list(range(runs))[-shown:]


ABOUT = {"kind": "forecast", "snapshots": [], "series": 1, "rows": 9}
FEW, MORE = (Units(1, count).document() for count in (7, 8))


def test_a_request_is_shown_as_it_was_reserved_and_as_it_ended(objects: LocalStore):
    log = ReservationLog(objects, f"{DAYS}/{DAY}")
    notes: list[Any] = [{**ABOUT, "run": "a", "units": FEW}, {**ABOUT, "run": "of an earlier version"}]
    damaged = [{**ABOUT, "run": "c", "units": 7}, {"run": "d"}, []]
    for content in (*(json.dumps(note).encode() for note in notes + damaged), b"torn"):
        log.take(log.taken(), content)
    log.settle("0000-0", "answered", json.dumps({"run": "-", "units": MORE, "seconds": 2}).encode())
    log.settle("0002-0", "refunded", b"{}")
    log.settle("0003-0", "unknown", b"torn")
    assert calls_of(objects) == [
        {"reservation": f"{DAY}/0000-0", "state": "answered", "run": "a", **ABOUT, "units": MORE, "seconds": 2}
        | {"reserved": FEW},
        {"reservation": f"{DAY}/0001-0", "state": "reserved", "run": "of an earlier version", **ABOUT},
        {"reservation": f"{DAY}/0002-0", "state": "refunded", "damaged": True},
        {"reservation": f"{DAY}/0003-0", "state": "unknown", "damaged": True},
        {"reservation": f"{DAY}/0004-0", "state": "reserved", "damaged": True},
        {"reservation": f"{DAY}/0005-0", "state": "reserved", "damaged": True},
    ]
    assert days_of(objects) == {DAY: {"answered": 1, "refunded": 1, "reserved": 3, "unknown": 1, "counted": 5}}
    assert list(days_of(objects)[DAY]) == ["answered", "refunded", "reserved", "unknown", "counted"]
