"""Every fault of the service in the middle of a purchase, one after the other, with the counts of the stand-in printed.

After each fault comes a sound run, which a person has let ask again where the sentence said so, and one that must be
free.
"""

from typing import Any

import pytest

from stages.errors import PipelineError
from stages.io.object_store import LocalStore
from stages.paid.checks import forget_refused, release_late
from stages.paid.moving import move_store
from tests.paid.test_misbehaviour import ENDS
from tests.support.contexts import ContextFactory, questions, states
from tests.support.crowd import counted, tell
from tests.support.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_in_the_middle_of_a_purchase_loses_no_answer_and_kept_answers_are_free(
    fault: str, contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    wanted = questions(["AAA", "BBB"], range(4))
    server.next("ok", *[fault] * 4)
    with pytest.raises(PipelineError) as ended:
        contexts.backend(clock, timeout_sec=0.3 if ENDS[fault].code == 5 else 5.0).answer(wanted)
    first, kept, billed = server.sent, contexts.context().store.size(), server.billed
    server.next()
    for one in wanted:
        forget_refused(LocalStore(contexts.root), one.question.key)
        release_late(LocalStore(contexts.root), one.question.key)
    contexts.backend(clock).answer(wanted)
    second = server.sent - first
    contexts.backend(clock).answer(wanted)
    third = server.sent - first - second
    tell(fault, exit=ended.value.exit_code, sent=first, kept=kept, billed=billed, then_sent=second, then_free=not third,
         paid_most=max(server.series_billed.values()), ledger=counted(contexts))  # fmt: skip
    assert kept >= 2
    assert second <= 4 - kept // 2
    assert third == 0
    assert max(server.series_billed.values()) <= 1 + (billed - 1)
    assert server.sent == counted(contexts)


def test_a_store_that_moves_and_a_clock_that_ran_ahead_cost_nothing(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    wanted = questions(["AAA", "BBB"], range(9))
    clock.wait(365 * 86_400)
    contexts.backend(clock).answer(wanted)
    clock.wait(-365 * 86_400)
    contexts.context(clock).ledger.days.right_clock("a person")
    moved = ContextFactory(contexts.root.parent / "moved", contexts.url)
    move_store(LocalStore(contexts.root), LocalStore(moved.root))
    moved.backend(clock).answer(wanted)
    tell("moved, clock ahead", sent=server.sent, needed=9, left=moved.context(clock, per_day=10).ledger.left_today())
    assert server.sent == 9
    assert moved.context(clock, per_day=10).ledger.left_today() == 1


def test_the_proof_and_the_canary_are_counted_and_the_proof_is_paid_once(
    contexts: ContextFactory, server: TimeGPTServer
):
    wanted = questions(["AAA"], range(9))
    contexts.backend().answer(wanted[:4])
    sent = []
    for _ in range(3):
        before = server.sent
        assert contexts.backend().prove_independence(wanted)
        sent.append(server.sent - before)
    contexts.backend().ask_canary(wanted)
    tell("proof thrice, one canary", proofs=sent, sent=server.sent, states=states(contexts))
    assert sent == [1, 0, 0]
    assert server.sent == counted(contexts) == 6
