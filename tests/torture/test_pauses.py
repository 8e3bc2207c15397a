"""Buyers that are stopped (SIGSTOP) or killed in every phase of a purchase, while another wants the same keys.

No pause may pay a key twice; a kill may cost what was in flight, and nothing else. Counts come from the server.
"""

import random
import signal
from contextlib import suppress
from os import kill

import pytest

from tests.support.contexts import ContextFactory
from tests.support.crowd import PHASES, at_length, counted, exit_codes, is_stopped, is_waiting, start, tell, until
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("phase", PHASES)
def test_a_buyer_stopped_in_any_phase_is_waited_for_and_never_paid_over(
    phase: str, contexts: ContextFactory, server: TimeGPTServer
):
    first = start(contexts, ["AAA"], range(3), stop_at=phase)
    until(lambda: is_stopped(first))
    paid_before, second = server.billed, start(contexts, ["AAA"], range(3))
    until(lambda: is_waiting(second) or second.exitcode is not None)  # what is stored already needs no wait
    assert is_waiting(second) or phase == "stored"
    assert server.billed == (3 if phase == "stored" else paid_before)
    kill(first.pid, signal.SIGCONT)
    assert exit_codes([first, second]) == [0, 0]
    tell(f"SIGSTOP while {phase}", keys=3, paid=server.billed)
    assert server.billed == 3 == counted(contexts)


@pytest.mark.parametrize(
    ("phase", "paid_again", "reservations"),
    [("claimed", 0, 3), ("reserved", 0, 4), ("sent", 1, 4), ("storing", 1, 4), ("stored", 0, 3)],
)
def test_a_buyer_killed_in_any_phase_costs_at_most_what_was_in_flight(
    phase: str, paid_again: int, reservations: int, contexts: ContextFactory, server: TimeGPTServer
):
    """Its lock ends with it; a reservation it held stays counted, sent or not."""
    first = start(contexts, ["AAA"], range(3), stop_at=phase)
    until(lambda: is_stopped(first))
    second = start(contexts, ["AAA"], range(3))
    until(lambda: is_waiting(second) or second.exitcode is not None)
    first.kill()
    assert exit_codes([first, second]) == [-signal.SIGKILL, 0]
    tell(f"kill -9 while {phase}", keys=3, paid=server.billed, reservations=counted(contexts))
    assert server.billed == 3 + paid_again
    assert counted(contexts) == reservations
    assert contexts.context().store.size() == 3


def test_pauses_at_random_instants_never_pay_twice(contexts: ContextFactory, server: TimeGPTServer):
    """One of two buyers of the same keys is stopped somewhere, and goes on later."""
    server.seconds = 0.005
    moments, rounds, paused = random.Random(11), at_length(40), 0
    for number in range(rounds):
        buyers = [start(contexts, [f"SYM{number}"], range(4)) for _ in range(2)]
        buyers[0].join(moments.uniform(0.0, 0.2))
        with suppress(ProcessLookupError):  # it may have ended by then
            kill(buyers[0].pid, signal.SIGSTOP)
            buyers[1].join(0.1)
            kill(buyers[0].pid, signal.SIGCONT)
            paused += 1
        assert exit_codes(buyers) == [0, 0]
    tell("SIGSTOP at random", rounds=rounds, paused=paused, keys=4 * rounds, paid=server.billed)
    assert server.billed == 4 * rounds
    assert paused > rounds / 4
