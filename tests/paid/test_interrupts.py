"""Signals while answers are bought: real ones to real processes; requests are counted by the service."""

import os
import signal
import time
from pathlib import Path

import pytest

from stages.errors import BudgetStop
from stages.io.object_store import LocalStore
from stages.io.terminal import run
from stages.paid.locks import Attempts
from tests.support.contexts import ContextFactory, asked, states
from tests.support.crowd import exit_codes, is_stopped, is_waiting, start, start_stage, until
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.xdist_group("buyers")  # one fork server

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """What the process says."""
    return tmp_path / "told"


def lines(told: Path) -> list[str]:
    text = told.read_text()
    assert "Traceback" not in text
    return text.splitlines()


# a process each: the other signals at length
@pytest.mark.parametrize(
    "one", [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.torture) for one in (signal.SIGINT, signal.SIGHUP))]
)
def test_the_request_in_flight_arrives_and_is_kept(
    one: signal.Signals, contexts: ContextFactory, server: TimeGPTServer, told: Path
):
    server.seconds = 0.1
    buyer = start_stage(contexts, ["AAA", "BBB"], range(3), told)
    server.on_arrival = lambda: os.kill(buyer.pid, one) if server.sent == 2 else None
    assert exit_codes([buyer]) == [CODES[one]]
    sentence = f"{one.name} ended this run: 4 answers were bought and kept in this run, nothing is locked"
    assert [line.startswith(f"error {sentence}") for line in lines(told)] == [True]
    assert states(contexts) == {"answered": 2}
    assert contexts.context().store.size() == 4
    contexts.backend().answer([asked(symbol, snapshot) for symbol in ("AAA", "BBB") for snapshot in range(3)])
    assert server.sent == 3


@pytest.mark.torture  # a process is sent signals
def test_a_terminal_that_closes_may_say_so_twice(contexts: ContextFactory, server: TimeGPTServer, told: Path):
    server.seconds = 0.2
    buyer = start_stage(contexts, ["AAA"], range(3), told)

    def close_twice() -> None:
        os.kill(buyer.pid, signal.SIGHUP)
        time.sleep(0.1)
        os.kill(buyer.pid, signal.SIGHUP)

    server.on_arrival = close_twice
    assert exit_codes([buyer]) == [129]
    assert states(contexts) == {"answered": 1}


def test_the_second_signal_ends_at_once(contexts: ContextFactory, server: TimeGPTServer, told: Path):
    server.next("hang")
    buyer = start_stage(contexts, ["AAA"], range(3), told, timeout_sec=25)
    until(lambda: server.sent == 1)
    while buyer.exitcode is None:  # two signals at one instant would be one
        os.kill(buyer.pid, signal.SIGINT)
        buyer.join(0.05)
    assert buyer.exitcode == -signal.SIGINT
    assert lines(told) == []
    assert states(contexts) == {"reserved": 1}


def test_a_request_that_fails_after_the_signal_is_not_tried_again(
    contexts: ContextFactory, server: TimeGPTServer, told: Path
):
    server.always("503")
    buyer = start_stage(contexts, ["AAA"], range(3), told)
    server.on_arrival = lambda: os.kill(buyer.pid, signal.SIGINT)
    assert exit_codes([buyer]) == [130]
    assert states(contexts) == {"unknown": 1}
    assert len(lines(told)) == 1


@pytest.mark.parametrize("behaviour", ["ok", "429_long_enough"])
def test_a_wait_ends_at_once_and_holds_nothing(
    behaviour: str, contexts: ContextFactory, server: TimeGPTServer, told: Path
):
    """After an answer the cooldown is waited for, after the other what the service asks for."""
    contexts.remote = LocalStore(contexts.root.parent / "remote")
    server.next(behaviour)
    buyer = start_stage(contexts, ["AAA"], range(2), told, scope="remote", cooldown_sec=100)
    until(lambda: set(states_of(contexts.remote)) & {"answered", "refused"} != set())
    os.kill(buyer.pid, signal.SIGINT)
    assert exit_codes([buyer]) == [130]
    assert len(lines(told)) == 1
    other = ContextFactory(contexts.root.parent / "other", server.url, contexts.remote)
    other.backend(scope="remote").answer([asked("AAA", 0), asked("AAA", 1)])
    assert server.sent == (2 if behaviour == "ok" else 3)


def states_of(remote: LocalStore) -> list[str]:
    """How the first attempts at the first key ended."""
    return [name.split(".")[1] for name in remote.names(f"attempts/{asked('AAA', 0).question.key}")]


def test_waiting_for_another_run_ends_at_once(contexts: ContextFactory, server: TimeGPTServer, told: Path):
    first = start(contexts, ["AAA"], range(1), stop_at="sent")
    until(lambda: is_stopped(first))
    second = start_stage(contexts, ["AAA"], range(1), told)
    until(lambda: is_waiting(second))
    os.kill(second.pid, signal.SIGINT)
    assert exit_codes([second]) == [130]
    os.kill(first.pid, signal.SIGCONT)
    assert exit_codes([first]) == [0]
    assert server.billed == 1


def test_waiting_for_another_machines_answer_ends_at_once(contexts: ContextFactory, server: TimeGPTServer, told: Path):
    contexts.remote = LocalStore(contexts.root.parent / "remote")
    Attempts(contexts.remote, "another", 3).begin({asked("AAA", 0).question.key: 0}, "2026-11-22/0000-0")
    buyer = start_stage(contexts, ["AAA"], range(2), told, scope="remote", timeout_sec=100)
    until(lambda: server.sent == 1)
    time.sleep(0.05)
    os.kill(buyer.pid, signal.SIGTERM)
    assert exit_codes([buyer]) == [143]
    assert len(lines(told)) == 1
    assert server.sent == 1


class ToldInVain(BudgetStop):
    """Ctrl-C comes while it is told."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ToldInVain()])
def test_ctrl_c_in_any_script_is_one_sentence(error: BaseException, capsys: pytest.CaptureFixture[str]):
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 130
    assert capsys.readouterr().err.endswith("SIGINT ended this run: what it had finished is kept; run it again.\n")
