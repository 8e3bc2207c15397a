"""Packing: many snapshots in one request, licensed by a proof, answers kept as if bought alone."""

import numpy as np
import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.outside.paid import batches
from stages.outside.paid.batches import packed, per_snapshot
from tests.outside.shops import ShopKeeper, asked, questions
from tests.outside.timegpt_server import TimeGPTServer


def test_packing_needs_a_proof(keeper: ShopKeeper, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match="`make prove-independence` asks the service once"):
        keeper.backend(pack="snapshots").answer([asked()])
    assert server.sent == 0


def test_a_proof_costs_two_requests_and_keeps_its_answers(keeper: ShopKeeper, server: TimeGPTServer):
    assert keeper.backend().prove_independence(questions(["AAA", "BBB"], range(4)))
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [1, 8]
    keeper.backend().answer(questions(["AAA", "BBB"], range(4)))
    assert server.sent == 2


@pytest.mark.parametrize("option", [{"finetune_steps": 3}, {"multivariate": True}])
def test_where_series_shape_each_other_every_question_travels_alone(
    option: dict[str, int | bool], keeper: ShopKeeper, server: TimeGPTServer
):
    """A key names one series: with company, the same key could have another answer."""
    wanted = [asked(symbol, snapshot, options=option) for symbol in ("AAA", "BBB") for snapshot in range(2)]
    assert len(keeper.backend().answer(wanted)) == 4
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100]] * 4
    with pytest.raises(ConfigurationError, match="one series shapes another's answer"):
        keeper.backend(pack="snapshots").answer([asked("CCC", options=option)])


def test_questions_under_different_clocks_do_not_share_a_request():
    both = [asked("AAA", clock="none"), asked("BBB", clock="artificial")]
    assert [len(batch.asked) for batch in per_snapshot(both)] == [1, 1]


def test_a_month_of_snapshots_then_costs_one_request(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().prove_independence(questions(["AAA"], range(2)))
    before = server.sent
    keeper.backend(pack="snapshots").answer(questions(["AAA", "BBB"], range(40)))
    assert server.sent - before == 1


def test_packed_answers_are_those_of_single_purchases(keeper: ShopKeeper, server: TimeGPTServer, tmp_path):
    keeper.backend().prove_independence([asked("ZZZ", 99), asked("ZZZ", 98)])
    wanted = questions(["AAA", "BBB"], range(5))
    together = keeper.backend(pack="snapshots").answer(wanted)
    singly = ShopKeeper(tmp_path / "other", server.url).backend().answer(wanted)
    assert together.keys() == singly.keys()
    assert all(np.array_equal(together[key].values_bp, singly[key].values_bp) for key in singly)
    assert all((together[key].source, together[key].key) == (singly[key].source, key) for key in singly)


def test_the_record_tells_the_company_it_travelled_in(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().prove_independence([asked("ZZZ", 99), asked("ZZZ", 98)])
    keeper.backend(pack="snapshots").answer(questions(["AAA"], range(5)))
    record = keeper.shop().store.get([asked("AAA", 3).question.key])
    assert [(one.company, one.series_in_call) for one in record.values()] == [(5, 5)]


def test_a_service_whose_series_see_each_other_is_never_packed(keeper: ShopKeeper, server: TimeGPTServer):
    server.always("dependent")
    assert not keeper.backend().prove_independence(questions(["AAA"], range(4)))
    sent = server.sent
    with pytest.raises(ConfigurationError, match="answered one question differently in company"):
        keeper.backend(pack="snapshots").answer(questions(["AAA"], range(9)))
    assert server.sent == sent
    assert keeper.shop().store.size() == 1


def test_the_proof_holds_for_one_model_epoch(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().prove_independence(questions(["AAA"], range(2)))
    with pytest.raises(ConfigurationError, match=r"epoch 2027-01"):
        keeper.backend(pack="snapshots").answer([asked("AAA", 5, model_epoch="2027-01")])


def test_known_futures_are_not_packed(keeper: ShopKeeper, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match=r"cannot send known futures \(sin_1\)"):
        keeper.backend(pack="snapshots").answer([asked(futr_exog=("sin_1",))])


@pytest.mark.parametrize("option", ["multivariate", "finetune_steps"])
def test_questions_whose_series_shape_each_other_are_not_packed(option: str, keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().prove_independence(questions(["AAA"], range(2)))
    with pytest.raises(ConfigurationError, match=f"cannot send questions with {option}"):
        keeper.backend(pack="snapshots").answer([asked("AAA", 5, options={option: 1})])
    assert server.sent == 2


def test_a_proof_needs_company(keeper: ShopKeeper, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match="one question has no company"):
        keeper.backend().prove_independence([asked()])
    assert server.sent == 0


def test_a_packed_run_stops_at_its_budget_too(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().prove_independence(questions(["AAA"], range(2)))
    with pytest.raises(BudgetStop, match="Left: 3 questions in 1 requests"):
        keeper.backend(pack="snapshots", per_day=2).answer(questions(["AAA"], range(2, 5)))


def test_requests_end_at_the_byte_limit(monkeypatch: pytest.MonkeyPatch):
    """1100 rows are at most 13,200 bytes: three fit into 40 kB."""
    monkeypatch.setattr(batches, "PACKED_BYTES", 40_000)
    full = packed(per_snapshot(questions(["AAA"], range(8))))
    assert [len(batch.asked) for batch in full] == [3, 3, 2]
    assert [one for batch in full for one in batch.snapshots] == sorted(
        one for batch in full for one in batch.snapshots
    )
