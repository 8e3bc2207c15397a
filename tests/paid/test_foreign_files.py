"""A file that somebody else left among ours is none of ours: it costs nothing and stops nothing."""

from pathlib import Path
from typing import Any

import pytest

from stages.io.object_store import LocalStore
from stages.paid.budget_report import calls_of, days_of
from stages.paid.checks import forget_refused, release_late
from stages.paid.limits import set_standing_limit, standing_limit
from stages.paid.moving import move_store
from stages.paid.records import path_of
from tests.support.contexts import ContextFactory, asked
from tests.support.timegpt_server import TimeGPTServer

KEY = asked().question.key
LEFT = ["Thumbs.db", "notes", "a-b-c", "zzzz (conflicted copy).json", "0000.json~", "9999-9.json.bak", "x.y.z.abc"]
FOLDERS = [
    "late",
    "dropped",
    "refused",
    "unshared",
    "rescued",
    "quarantine",
    f"attempts/{KEY}",
    "budget/limits",
    "budget/moved",
    "budget/runs",
    "budget/days",
    "budget/days/2026-11-22",
    "budget/months/2026-11",
    path_of(KEY).split("/", 1)[0],
    "zz",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_foreign_file_stops_no_purchase_and_is_no_damage(
    folder: str, contexts: ContextFactory, server: TimeGPTServer, clock: Any, tmp_path: Path
):
    remote = contexts.remote = LocalStore(tmp_path / "remote")
    for objects in (LocalStore(contexts.root), remote):
        for name in LEFT:
            objects.create(f"{folder}/{name}", b"\xffnot ours")
    limits = {"per_month": 9, "per_minute": 9, "tokens_per_day": 10**9}
    assert len(contexts.backend(clock, scope="remote", **limits).answer([asked()])) == 1
    assert [call["state"] for call in calls_of(remote)] == ["answered"]
    assert list(days_of(remote)) == ["2026-11-22"]
    store = contexts.context(clock).store
    assert [list(store.damaged()), list(store.mend_remote()), store.size()] == [[], [], 1]
    store.drop(KEY)
    assert store.get([KEY]) == {}
    assert release_late(remote, KEY) == set()
    assert forget_refused(store.local, KEY) == []


def test_a_new_standing_limit_holds_whatever_lies_beside_it(contexts: ContextFactory, clock: Any):
    objects = contexts.context(clock).ledger.objects
    for name in ("9990.json", "9999.json", "Thumbs.db", "0000.json~"):  # of those between, somebody deleted the notes
        objects.create(f"budget/limits/{name}", b'{"per_day": 7}')
    for per_day in (3, 5):
        set_standing_limit(objects, per_day, clock)
        assert standing_limit(objects) == per_day


def test_a_store_that_moves_keeps_its_limit_and_counts_its_own_requests_only(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any, tmp_path: Path
):
    old, there = LocalStore(contexts.root), ContextFactory(tmp_path / "new", server.url)
    set_standing_limit(old, 7, clock)
    contexts.backend(clock).answer([asked("AAA")])
    there.backend(clock).answer([asked("BBB")])
    for objects in (old, LocalStore(there.root)):
        for name in LEFT:
            for folder in ("budget/limits", "budget/days", "budget/days/2026-11-22"):
                objects.create(f"{folder}/{name}", f"{objects.root}".encode())
    move_store(old, LocalStore(there.root))
    assert there.context(clock).ledger.left_today() == 5
