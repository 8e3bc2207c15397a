"""Every fault of the service in the middle of a purchase, one after the other, with the counts of the stand-in printed.

After each fault comes a sound run, which a person has let ask again where the sentence said so, and one that must be
free.
"""

from typing import Any

import pytest

from stages.errors import PipelineError
from stages.outside.paid.late import release_late
from stages.outside.paid.moving import move_store
from stages.outside.paid.precautions import forget_refused
from stages.outside.places import Folder
from tests.outside.crowd import counted, tell
from tests.outside.shops import ShopKeeper, questions, states
from tests.outside.test_misbehaviour import ENDS
from tests.outside.timegpt_server import TimeGPTServer

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_in_the_middle_of_a_purchase_loses_nothing_and_what_is_kept_is_free(
    fault: str, keeper: ShopKeeper, server: TimeGPTServer, clock: Any
):
    wanted = questions(["AAA", "BBB"], range(4))
    server.next("ok", *[fault] * 4)
    with pytest.raises(PipelineError) as ended:
        keeper.backend(clock, timeout_sec=0.3 if ENDS[fault].code == 5 else 5.0).answer(wanted)
    first, kept, billed = server.sent, keeper.shop().store.size(), server.billed
    server.next()
    for one in wanted:
        forget_refused(Folder(keeper.root), one.question.key)
        release_late(Folder(keeper.root), one.question.key)
    keeper.backend(clock).answer(wanted)
    second = server.sent - first
    keeper.backend(clock).answer(wanted)
    third = server.sent - first - second
    tell(fault, exit=ended.value.exit_code, sent=first, kept=kept, billed=billed, then_sent=second, then_free=not third,
         paid_most=max(server.series_billed.values()), ledger=counted(keeper))  # fmt: skip
    assert kept >= 2
    assert second <= 4 - kept // 2
    assert third == 0
    assert max(server.series_billed.values()) <= 1 + (billed - 1)
    assert server.sent == counted(keeper)


def test_a_store_that_moves_and_a_clock_that_ran_ahead_cost_nothing(
    keeper: ShopKeeper, server: TimeGPTServer, clock: Any
):
    wanted = questions(["AAA", "BBB"], range(9))
    clock.wait(365 * 86_400)
    keeper.backend(clock).answer(wanted)
    clock.wait(-365 * 86_400)
    keeper.shop(clock).ledger.days.right_clock("a person")
    moved = ShopKeeper(keeper.root.parent / "moved", keeper.url)
    move_store(Folder(keeper.root), Folder(moved.root))
    moved.backend(clock).answer(wanted)
    tell("moved, clock ahead", sent=server.sent, needed=9, left=moved.shop(clock, per_day=10).ledger.left_today())
    assert server.sent == 9
    assert moved.shop(clock, per_day=10).ledger.left_today() == 1


def test_the_proof_and_the_canary_are_counted_and_the_proof_is_paid_once(keeper: ShopKeeper, server: TimeGPTServer):
    wanted = questions(["AAA"], range(9))
    keeper.backend().answer(wanted[:4])
    sent = []
    for _ in range(3):
        before = server.sent
        assert keeper.backend().prove_independence(wanted)
        sent.append(server.sent - before)
    keeper.backend().ask_canary(wanted)
    tell("proof thrice, one canary", proofs=sent, sent=server.sent, states=states(keeper))
    assert sent == [1, 0, 0]
    assert server.sent == counted(keeper) == 6
