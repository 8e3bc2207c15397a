"""Machines that share a folder as remote: races, kills, a person who releases keys. Counts come from the service."""

import random
import signal
from os import kill
from pathlib import Path

import pytest

from stages.io.object_store import LocalStore
from stages.paid.locks import Attempts
from tests.support.contexts import ContextFactory, asked
from tests.support.crowd import at_length, exit_codes, is_stopped, start, start_stage, tell, until
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


def machines(tmp_path: Path, server: TimeGPTServer, number: int) -> list[ContextFactory]:
    remote = LocalStore(tmp_path / "remote")
    return [ContextFactory(tmp_path / str(n), server.url, remote) for n in range(number)]


@pytest.mark.parametrize("number", [2, 4])
def test_racing_machines_send_what_the_plan_says(number: int, tmp_path: Path, server: TimeGPTServer):
    """Rounds of 12 snapshots with 5 symbols: one request a snapshot, whoever sends it."""
    server.seconds, extra, rounds = 0.005, 0, at_length(20)
    for turn in range(rounds):
        before, symbols = server.sent, [f"S{turn}{letter}" for letter in "ABCDE"]
        factories = machines(tmp_path / str(turn), server, number)
        codes = exit_codes([start(one, symbols, range(12), scope="remote", timeout_sec=60) for one in factories])
        assert codes == [0] * number
        extra += server.sent - before - 12
    tell("one flight a snapshot", machines=number, rounds=rounds, plan=12 * rounds, sent=server.sent, extra=extra)
    assert extra == 0
    assert max(server.series_billed.values()) == 1


def test_racing_machines_under_the_default_scope_pay_at_most_once_each(tmp_path: Path, server: TimeGPTServer):
    server.seconds = 0.01
    factories = machines(tmp_path, server, 2)
    told = [tmp_path / f"told-{n}" for n in range(2)]
    buyers = [start_stage(one, ["AAA"], range(50), at) for one, at in zip(factories, told, strict=True)]
    assert exit_codes(buyers) == [0, 0]
    twice = sum(times == 2 for times in server.series_billed.values())
    tell("api.scope machine", machines=2, keys=50, paid=server.billed, twice=twice)
    assert max(server.series_billed.values()) <= 2
    assert [path.read_text().count("api.scope: remote prevents this") for path in told] == [1, 1]


def test_killed_runs_of_one_store_need_no_person_until_the_limit(tmp_path: Path, server: TimeGPTServer):
    """Kills under a common budget: the next run frees what the last one held, until `api.max_attempts`."""
    (contexts,), moments, kills, released = machines(tmp_path, server, 1), random.Random(8), 0, list[int]()
    server.seconds, snapshots = 0.004, 100
    while kills < at_length(100):
        reached = server.sent + moments.randint(0, 3)
        buyer = start(contexts, ["AAA", "BBB"], range(snapshots), scope="remote")
        until(lambda buyer=buyer, reached=reached: server.sent > reached or buyer.exitcode is not None)
        buyer.join(moments.uniform(0.0, 0.02))
        kills += buyer.exitcode is None
        buyer.kill()
        buyer.join()
        if buyer.exitcode == 4:  # a key whose buyer was killed three times
            released.append(release_spent(contexts, server, snapshots, 3 * (1 + len(released))))
        snapshots += 50 if buyer.exitcode == 0 else 0
    while (end := exit_codes([start(contexts, ["AAA", "BBB"], range(snapshots), scope="remote")])) == [4]:
        released.append(release_spent(contexts, server, snapshots, 3 * (1 + len(released))))
    most = max(server.series_billed.values())
    lost = 2 * snapshots - contexts.context().store.size()
    tell("kill -9, api.scope remote", kills=kills, needed=snapshots, paid=server.billed, most=most, lost=lost,
         released=sum(released))  # fmt: skip
    assert end == [0]
    assert lost == 0
    assert server.billed <= snapshots + kills
    assert most <= 3 * (1 + len(released))


def release_spent(contexts: ContextFactory, server: TimeGPTServer, snapshots: int, most: int) -> int:
    """What a person does who reads that `api.max_attempts` is reached; until then nobody paid more than that."""
    assert max(server.series_billed.values()) <= most
    attempts = Attempts(contexts.remote, "a person", 3)
    keys = [asked("AAA", number).question.key for number in range(snapshots)]
    return sum(len(attempts.release(key)) for key in keys if attempts.is_spent(key))


@pytest.mark.parametrize("phase", ["reserved", "sent"])
@pytest.mark.parametrize("ending", ["503", "ok"])
def test_a_live_buyer_whose_key_was_released_pays_no_third_time(
    phase: str, ending: str, tmp_path: Path, server: TimeGPTServer
):
    """It pauses, a person releases its key, another machine takes it; then it goes on, and fails or is answered."""
    first_machine, second_machine = machines(tmp_path, server, 2)
    key, person = asked().question.key, Attempts(first_machine.remote, "a person", 3)
    server.next(*([ending, "ok"] if phase == "sent" else ["ok", ending]))
    first = start(first_machine, ["AAA"], range(1), stop_at=phase, scope="remote")
    until(lambda: is_stopped(first))
    assert person.release(key) == [key]
    second = start(second_machine, ["AAA"], range(1), stop_at="sent", scope="remote")
    until(lambda: is_stopped(second))
    kill(first.pid, signal.SIGCONT)
    until(lambda: len([n for n in person.objects.names(f"attempts/{key}") if n.startswith("0000")]) == 3)
    assert person.latest(key).is_open
    kill(second.pid, signal.SIGCONT)
    codes = exit_codes([first, second])
    tell(f"released while {phase}, then {ending}", sent=server.sent, ends=codes)
    assert codes == [0, 0]
    assert server.sent == 2
