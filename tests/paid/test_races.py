"""Many buyers, one purse: small versions of what tests/torture does at length. Counts come from the server."""

import random
import signal
from os import kill
from pathlib import Path

import pytest

from stages.io.object_store import LocalStore
from stages.paid import locks
from tests.support.contexts import ContextFactory
from tests.support.crowd import counted, exit_codes, is_waiting, ledger_watched, start, until
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.xdist_group("buyers")  # one fork server


def test_four_buyers_of_the_same_keys_pay_once(contexts: ContextFactory, server: TimeGPTServer):
    buyers = [start(contexts, ["AAA"], range(12)) for _ in range(4)]
    assert exit_codes(buyers) == [0] * 4
    assert server.billed == 12
    assert max(server.series_billed.values()) == 1


@pytest.mark.torture  # eight processes race
def test_eight_buyers_spend_a_budget_to_the_last_reservation_and_no_further(
    contexts: ContextFactory, server: TimeGPTServer
):
    with ledger_watched(contexts, server) as wrong:
        buyers = [start(contexts, [f"SYM{number}"], range(3), per_day=10) for number in range(8)]
        codes = exit_codes(buyers)
    assert wrong == []
    assert set(codes) <= {0, 4}
    assert server.sent == counted(contexts) == 10


@pytest.mark.torture  # several processes race and some are killed
def test_killed_buyers_lose_no_answer_and_pay_at_most_what_was_in_flight(
    contexts: ContextFactory, server: TimeGPTServer
):
    server.seconds = 0.004
    kills, moments = 0, random.Random(7)
    with ledger_watched(contexts, server) as wrong:
        while kills < 4:
            buyer, reached = start(contexts, ["AAA"], range(24)), server.sent + moments.randint(0, 4)
            until(lambda buyer=buyer, reached=reached: server.sent > reached or buyer.exitcode is not None)
            buyer.kill()
            buyer.join()
            kills += 1
        assert exit_codes([start(contexts, ["AAA"], range(24))]) == [0]
    assert wrong == []
    assert 24 <= server.billed <= 24 + kills
    assert counted(contexts) >= server.sent
    assert list(contexts.context().store.damaged()) == []
    assert contexts.context().store.size() == 24


@pytest.mark.torture  # several processes race and some are killed
@pytest.mark.parametrize("after", [1, *(pytest.param(sent, marks=pytest.mark.torture) for sent in (0, 3))])
def test_a_stopped_buyer_is_waited_for_never_paid_over(after: int, contexts: ContextFactory, server: TimeGPTServer):
    server.seconds = 0.05
    first = start(contexts, ["AAA"], range(6))
    until(lambda: server.sent > after)
    kill(first.pid, signal.SIGSTOP)
    second = start(contexts, ["AAA"], range(6))
    until(lambda: is_waiting(second))
    kill(first.pid, signal.SIGCONT)
    assert exit_codes([first, second]) == [0, 0]
    assert server.billed == 6


def test_locks_are_taken_in_one_order_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two buyers whose snapshots overlap would else each hold the lock that the other waits for."""
    taken = list[str]()
    monkeypatch.setattr(locks, "_wait_for", lambda held, *_: taken.append(Path(held.name).stem))
    names = [f"{letter}-{number}" for letter in "zyxabc" for number in (1, 1, 0)]

    with locks.lock(LocalStore(tmp_path), names):
        assert taken == ["store", *sorted({*names})]
