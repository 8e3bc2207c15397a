"""Packing: many snapshots in one request, licensed by a proof, answers kept as if bought alone."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.forecasting.backend import Asked
from stages.io.object_store import LocalStore
from stages.paid import batch_invariance, batches
from stages.paid.batch_invariance import path_of_proof, record_invariance
from stages.paid.batches import calls_by_session, per_snapshot
from stages.paid.locks import Attempts
from stages.paid.model_facts import identity
from stages.paid.records import path_of
from tests.support.contexts import ContextFactory, asked, questions, states
from tests.support.timegpt_server import TimeGPTServer


def test_packing_needs_a_proof(contexts: ContextFactory, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match="`make prove-independence`, which asks the service once"):
        contexts.backend(pack="snapshots").answer([asked()])
    assert server.sent == 0


def test_calls_of_a_session_are_one_a_snapshot_with_the_tokens_of_its_symbols():
    """Two symbols at two snapshots of 3 September and one of the 4th: 1,100 rows, and 7 values for 20 minutes, each."""
    asked_for = [asked(symbol, snapshot).question for symbol in ("AAA", "BBB") for snapshot in (24, 0, 1)]
    tokens = 2 * (1100 + 7 * 20)
    assert calls_by_session(asked_for).rows() == [(date(2024, 9, 3), 2, 2 * tokens), (date(2024, 9, 4), 1, tokens)]


def test_a_proof_costs_two_requests_and_keeps_its_answers(contexts: ContextFactory, server: TimeGPTServer):
    assert contexts.backend().prove_independence(questions(["AAA", "BBB"], range(4)))
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [1, 8]
    contexts.backend().answer(questions(["AAA", "BBB"], range(4)))
    assert server.sent == 2


def test_a_proof_that_is_recorded_costs_nothing(
    contexts: ContextFactory, server: TimeGPTServer, capsys: pytest.CaptureFixture[str]
):
    contexts.backend().prove_independence(questions(["AAA", "BBB"], range(4)))
    assert "costs 2 requests: one question alone, then 8 in one batch; 1 of them" in capsys.readouterr().err
    again = contexts.backend()
    assert again.prove_independence(questions(["AAA", "BBB"], range(8)))
    assert server.sent == 2
    assert again.took["calls"] == 0
    assert re.search("was tested before, with question [0-9a-f]{32}; nothing is sent", capsys.readouterr().err)


@pytest.mark.parametrize("number", [1, 2, 64, 65, 127, 400])
def test_the_candidates_of_a_proof_reach_from_the_shortest_question_to_the_longest(number: int):
    plain = asked().question
    found = batch_invariance.candidates_among(replace(plain, rows=rows) for rows in range(number, 0, -1))
    rows = [one.rows for one in found]
    assert (rows[0], rows[-1], len(rows)) == (1, number, min(number, batch_invariance.CANDIDATES))
    assert rows == sorted({*rows})


def test_the_answers_of_a_proof_are_kept_before_its_result_is_written(
    contexts: ContextFactory, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch_invariance, "record_invariance", killed)
    with pytest.raises(KeyboardInterrupt):
        contexts.backend().prove_independence(questions(["AAA", "BBB"], range(4)))
    assert contexts.context().store.size() == 8
    assert states(contexts) == {"answered": 2}


def test_a_stored_answer_is_one_side_of_a_proof_and_new_questions_the_other(
    contexts: ContextFactory, server: TimeGPTServer, capsys: pytest.CaptureFixture[str]
):
    """Of four snapshots with an answer each and four without, one answer is paid twice, and four are new."""
    contexts.backend().answer(questions(["AAA"], range(4)))
    assert contexts.backend().prove_independence(questions(["AAA"], range(8)))
    assert server.sent == 5
    assert sorted(server.series_billed.values()) == [1] * 7 + [2]
    assert contexts.context().store.size() == 8
    assert "costs 1 request: 5 in one batch; 1 of them already have an answer" in capsys.readouterr().err


def test_a_proof_after_everything_is_bought_says_what_is_paid_again(
    contexts: ContextFactory, server: TimeGPTServer, capsys: pytest.CaptureFixture[str]
):
    contexts.backend().answer(questions(["AAA"], range(10)))
    assert contexts.backend().prove_independence(questions(["AAA"], range(10)))
    assert [len(body["series"]["sizes"]) for body in server.bodies[10:]] == [4]
    assert "costs 1 request: 4 in one batch; 4 of them" in capsys.readouterr().err


def test_a_stored_answer_that_others_in_its_request_changed_is_noticed(contexts: ContextFactory, server: TimeGPTServer):
    """The stand-in shifts answers by the number that travel: the stored ones came five at a time, so five never do."""
    server.always("dependent")
    contexts.backend().answer(questions(["A", "B", "C", "D", "E"], range(1)))
    assert not contexts.backend().prove_independence(questions(["A", "B", "C", "D", "E"], range(2)))
    assert len(server.bodies[1]["series"]["sizes"]) != 5


def test_a_question_bought_with_two_others_is_compared_beside_one_of_them(
    contexts: ContextFactory, server: TimeGPTServer
):
    server.always("dependent")
    contexts.backend().answer(questions(["A", "B", "C"], range(1)))
    candidates = questions(["A", "B", "C"], range(1)) + questions(["A", "B"], range(1, 2))
    assert not contexts.backend().prove_independence(candidates)
    assert len(server.bodies[1]["series"]["sizes"]) == 2


def test_a_stored_answer_with_the_least_company_and_then_the_fewest_rows_is_compared_beside_long_questions():
    crowded, long, short, *new = (
        asked("AAA", n, rows=rows) for n, rows in enumerate((1000, 1200, 1100, 900, 1300, 1250))
    )
    had: Any = {
        one.question.key: SimpleNamespace(company=many, series_in_call=many)
        for one, many in ((crowded, 5), (long, 1), (short, 1))
    }
    found = batch_invariance.comparison_of(batches.Batch((crowded, long, short, *new)), had)
    assert (found.chosen, found.company) == (short, (new[1], new[2], new[0]))
    known = batch_invariance.comparison_of(batches.Batch((crowded, long, short)), had)
    assert (known.chosen, known.company) == (short, (long, crowded))


def test_a_proof_buys_no_key_that_another_machine_holds(tmp_path: Path, server: TimeGPTServer):
    """First the compared question is held, then one of its company: it waits in the store for the next try."""
    contexts = ContextFactory(tmp_path / "a", server.url, LocalStore(tmp_path / "remote"))
    wanted, other, sent = questions(["AAA"], range(4)), Attempts(contexts.remote, "another", 3), []
    for held in (wanted[1], wanted[3]):
        begun = other.begin({held.question.key: 0}, "2026-11-22/0000-0")
        with pytest.raises(BudgetStop, match="another machine is buying these questions"):
            contexts.backend(scope="remote").prove_independence(wanted)
        other.end(begun, "refunded")
        sent.append(server.sent)
    assert contexts.backend(scope="remote").prove_independence(wanted)
    assert [*sent, server.sent] == [0, 1, 2]
    assert {other.latest(one.question.key).endings for one in wanted} == {frozenset({"answered"})}


class TestARefusedRequestOfManyQuestions:
    """Asked again in halves: what it is refused for may be one question of it, or their number."""

    @pytest.fixture
    def packer(self, contexts: ContextFactory, server: TimeGPTServer) -> ContextFactory:
        contexts.backend().prove_independence([asked("ZZZ", 99), asked("ZZZ", 98)])
        server.requests.clear()
        server.series_billed.clear()
        return contexts

    @pytest.mark.parametrize("status", ["400", "413", "422"])
    def test_too_many_are_asked_in_smaller_requests(self, status: str, packer: ContextFactory, server: TimeGPTServer):
        server.judge = lambda body: status if len(body["series"]["sizes"]) > 3 else None
        backend = packer.backend(pack="snapshots")
        assert len(backend.answer(questions(["AAA", "BBB"], range(5)))) == 10
        assert server.sent == 7  # 10, then twice 5, of which each is 2 and 3
        assert backend.took["calls"] == 7
        assert max(server.series_billed.values()) == 1
        assert not list(packer.root.glob("refused/*"))

    def test_one_bad_question_is_found_and_the_others_are_bought(self, packer: ContextFactory, server: TimeGPTServer):
        bad = asked("BBB", 11, rows=1101)
        wanted = [*questions(["AAA"], range(14)), bad]
        server.judge = lambda body: "422" if 1101 in body["series"]["sizes"] else None
        with pytest.raises(ConfigurationError, match=r"BBB at 2024-09-04 01:30Z: .* 422: .*make release KEY="):
            packer.backend(pack="snapshots").answer(wanted)
        assert [path.stem for path in packer.root.glob("refused/*")] == [bad.question.key]
        assert packer.context().store.size() == 2 + 14
        assert max(server.series_billed.values()) == 1

    def test_two_bad_questions_do_not_keep_the_others_from_being_bought_once_one_is_answered(
        self, contexts: ContextFactory, server: TimeGPTServer
    ):
        wanted = [asked(symbol, rows=1101 if symbol in "BC" else 1100) for symbol in "ABCDE"]
        server.judge = lambda body: "422" if 1101 in body["series"]["sizes"] else None
        with pytest.raises(ConfigurationError, match="B at"):
            contexts.backend().answer(wanted)
        assert [body["series"]["sizes"] for body in server.bodies] == [[1100], [1100, 1100]]
        assert len(list(contexts.root.glob("refused/*"))) == 2
        assert contexts.context().store.size() == 3

    def test_several_symbols_of_one_snapshot_too(self, contexts: ContextFactory, server: TimeGPTServer):
        server.judge = lambda body: "413" if len(body["series"]["sizes"]) > 2 else None
        assert len(contexts.backend().answer(questions(["A", "B", "C"], range(1)))) == 3
        assert [len(body["series"]["sizes"]) for body in server.bodies] == [1, 2]

    def test_a_service_that_refuses_everything_is_not_asked_for_each(
        self, packer: ContextFactory, server: TimeGPTServer
    ):
        server.always("422")
        with pytest.raises(ConfigurationError, match="says 422"):
            packer.backend(pack="snapshots").answer(questions(["AAA"], range(46)))
        assert server.sent == 7  # 46, 23, 11, 5, 2, and two alone
        assert len(list(packer.root.glob("refused/*"))) == 2

    def test_an_unknown_model_or_address_marks_nothing(self, packer: ContextFactory, server: TimeGPTServer):
        server.always("404")
        with pytest.raises(ConfigurationError, match="says 404"):
            packer.backend(pack="snapshots").answer(questions(["AAA"], range(46)))
        assert server.sent == 1
        assert not list(packer.root.glob("refused/*"))

    def test_smaller_requests_stop_at_the_budget(self, packer: ContextFactory, server: TimeGPTServer):
        server.judge = lambda body: "413" if len(body["series"]["sizes"]) > 1 else None
        with pytest.raises(BudgetStop, match=r"4 of api.per_run 4 requests"):
            packer.backend(pack="snapshots", per_run=4).answer(questions(["AAA"], range(8)))
        assert states(packer) == {"refused": 3, "answered": 3}  # 8, 4 and 2; the proof's two, and the first alone


@pytest.mark.parametrize("option", [{"finetune_steps": 3}, {"multivariate": True}])
def test_where_series_shape_each_other_every_question_travels_alone(
    option: dict[str, int | bool], contexts: ContextFactory, server: TimeGPTServer
):
    """A key names one series: with company, the same key could have another answer."""
    (name,) = option
    wanted = [asked(symbol, snapshot, options=option) for symbol in ("AAA", "BBB") for snapshot in range(2)]
    assert len(contexts.backend().answer(wanted)) == 4
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100]] * 4
    with pytest.raises(ConfigurationError, match=f"with {name}, since one series then changes the answer to another"):
        contexts.backend(pack="snapshots").answer([asked("CCC", options=option)])


def test_questions_under_different_clocks_do_not_share_a_request():
    both = [asked("AAA", clock="none"), asked("BBB", clock="artificial")]
    assert [len(batch.asked) for batch in per_snapshot(both)] == [1, 1]


def test_options_in_another_order_share_a_request():
    both = [asked("AAA", options={"a": 1, "b": 2}), asked("BBB", options={"b": 2, "a": 1})]
    assert [len(batch.asked) for batch in per_snapshot(both)] == [2]


@pytest.mark.parametrize("option", [{}, {"finetune_steps": 3}], ids=["together", "alone"])
def test_the_symbols_of_a_snapshot_are_asked_in_order(option: dict[str, int]):
    found = per_snapshot([asked("CCC", options=option), asked("AAA", options=option), asked("BBB", options=option)])
    assert [question.symbol for batch in found for question in batch.questions] == ["AAA", "BBB", "CCC"]


def test_a_month_of_snapshots_then_costs_one_request(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().prove_independence(questions(["AAA"], range(2)))
    before = server.sent
    contexts.backend(pack="snapshots").answer(questions(["AAA", "BBB"], range(40)))
    assert server.sent - before == 1


def test_packed_answers_are_those_of_single_purchases(contexts: ContextFactory, server: TimeGPTServer, tmp_path):
    contexts.backend().prove_independence([asked("ZZZ", 99), asked("ZZZ", 98)])
    wanted = questions(["AAA", "BBB"], range(5))
    together = contexts.backend(pack="snapshots").answer(wanted)
    singly = ContextFactory(tmp_path / "other", server.url).backend().answer(wanted)
    assert together.keys() == singly.keys()
    assert all(np.array_equal(together[key].values_bp, singly[key].values_bp) for key in singly)
    assert all((together[key].source, together[key].key) == (singly[key].source, key) for key in singly)


def test_a_record_says_with_how_many_questions_it_was_asked(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().prove_independence([asked("ZZZ", 99), asked("ZZZ", 98)])
    contexts.backend(pack="snapshots").answer(questions(["AAA"], range(5)))
    record = contexts.context().store.get([asked("AAA", 3).question.key])
    assert [(one.company, one.series_in_call) for one in record.values()] == [(5, 5)]


def test_a_service_whose_series_see_each_other_is_never_packed(contexts: ContextFactory, server: TimeGPTServer):
    server.always("dependent")
    assert not contexts.backend().prove_independence(questions(["AAA"], range(4)))
    sent = server.sent
    with pytest.raises(ConfigurationError, match="answered one question differently in a batch"):
        contexts.backend(pack="snapshots").answer(questions(["AAA"], range(9)))
    assert server.sent == sent
    assert contexts.context().store.size() == 1


def test_the_proof_holds_for_one_model_epoch(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().prove_independence(questions(["AAA"], range(2)))
    with pytest.raises(ConfigurationError, match=r"epoch 2027-01"):
        contexts.backend(pack="snapshots").answer([asked("AAA", 5, model_epoch="2027-01")])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        (
            {"hist_exog": ("ret_1m", "rv_5m")},
            "20 minutes ahead, requests.clock artificial, requests.hist_exog ret_1m, rv_5m",
        ),
        ({"horizon_min": 30}, "30 minutes ahead, requests.clock artificial, requests.hist_exog none"),
        ({"clock": "none"}, "20 minutes ahead, requests.clock none, requests.hist_exog none"),
    ],
)
def test_a_proof_counts_for_questions_of_its_kind_and_others_have_one_of_their_own(
    changes: dict[str, Any], kind: str, contexts: ContextFactory, server: TimeGPTServer
):
    contexts.backend().prove_independence(questions(["AAA"], range(2)))
    others = [exogenous(number, **changes) for number in range(4)]
    with pytest.raises(ConfigurationError, match=rf"questions of this kind \({kind}\)") as error:
        contexts.backend(pack="snapshots").answer(others)
    assert "earlier version" not in str(error.value)
    assert contexts.backend().prove_independence(others[:2])
    for either in (others, questions(["AAA"], range(4))):
        contexts.backend(pack="snapshots").answer(either)
    assert server.sent == 2 + 2 + 2


def exogenous(snapshot: int, **changes: Any) -> Asked:
    """A question whose window has its columns."""
    one = asked("BBB", snapshot, **changes)
    window = one.window()
    columns = np.random.default_rng(1).normal(size=(window.rows, len(one.question.hist_exog)))
    return Asked(one.question, lambda: replace(window, hist_exog=columns))


def test_a_proof_keeps_its_name_in_every_version():
    """Else it would be paid again."""
    assert path_of_proof(asked().question) == "proofs/2573ca06b7ddea7d-4a08eab5597d9673.json"


def test_a_proof_of_an_earlier_version_counts_for_the_kind_of_the_question_it_compared(
    contexts: ContextFactory, server: TimeGPTServer
):
    """It named model, epoch and deployment alone; what it compared is known while that answer is stored."""
    plain = questions(["AAA"], range(2))
    contexts.backend().prove_independence(plain)
    (proof,) = contexts.root.glob("proofs/*")
    proof.rename(proof.with_name(f"{identity(plain[0].question)}.json"))
    assert contexts.backend().prove_independence(plain)
    contexts.backend(pack="snapshots").answer(questions(["AAA"], range(4)))
    with pytest.raises(ConfigurationError, match=r"does not count, since .* another kind \(20 .*hist_exog none\)"):
        contexts.backend(pack="snapshots").answer([exogenous(5, hist_exog=("ret_1m",))])
    compared = json.loads((contexts.root / "proofs" / f"{identity(plain[0].question)}.json").read_bytes())["key"]
    (contexts.root / path_of(compared)).unlink()
    with pytest.raises(ConfigurationError, match=f"does not count, since it was made with {compared}, whose answer is"):
        contexts.backend(pack="snapshots").answer(questions(["BBB"], range(4)))
    assert server.sent == 3


def test_a_short_question_is_compared_beside_long_ones(contexts: ContextFactory, server: TimeGPTServer):
    """A service may pad what is shorter than the longest of its request."""
    lengths = [1100, *[1300] * 20, 1500]
    contexts.backend().prove_independence([asked("AAA", number, rows=rows) for number, rows in enumerate(lengths)])
    alone, together = (body["series"]["sizes"] for body in server.bodies)
    assert alone == [1100]
    assert {1100, 1500} <= set(together)


def test_known_futures_are_not_packed(contexts: ContextFactory, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match=r"cannot send known future columns \(sin_1\)"):
        contexts.backend(pack="snapshots").answer([asked(futr_exog=("sin_1",))])


@pytest.mark.parametrize(
    "changes", [{"futr_exog": ("minute",)}, {"options": {"finetune_steps": 5}}, {"options": {"multivariate": True}}]
)
def test_no_proof_is_bought_of_questions_that_are_never_packed(
    changes: dict[str, Any], contexts: ContextFactory, server: TimeGPTServer
):
    with pytest.raises(ConfigurationError, match=r"api\.pack snapshots cannot send"):
        contexts.backend().prove_independence([asked(snapshot=number, **changes) for number in range(3)])
    assert server.sent == 0


def test_a_proof_needs_a_second_question(contexts: ContextFactory, server: TimeGPTServer):
    with pytest.raises(ConfigurationError, match="there is only one question"):
        contexts.backend().prove_independence([asked()])
    assert server.sent == 0


def test_a_proof_and_a_canary_are_on_record_with_the_questions_that_they_asked(
    contexts: ContextFactory, server: TimeGPTServer
):
    """Of twelve stored questions four are asked again; with six stored of twelve, one of these and six new ones."""
    for stored, told in ((12, (4, 4, 0)), (6, (7, 1, 6)), (0, (8, 0, 8))):
        one = replace(contexts, root=contexts.root / str(stored))
        one.backend().answer(questions(["AAA"], range(stored)))
        proving, before = one.backend(), server.series_billed.total()
        proving.prove_independence(questions(["AAA"], range(12)))
        counts = proving.counts
        assert (counts.questions, counts.from_store, counts.bought) == told
        paid_again = server.series_billed.total() - before - counts.bought
        assert paid_again == max(counts.from_store, int(stored == 0))  # the compared question is asked both ways
        asking = one.backend()
        asking.ask_canary(questions(["AAA"], range(12)))
        assert asking.took == {"calls": 1, "bought": 0, "hits": "100.0%"}


def test_what_a_packed_run_leaves_is_counted_as_the_next_run_packs_it(
    contexts: ContextFactory, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    """Three snapshots of four are refused together; of their halves one is sent. The rest travels with the fourth."""
    wanted = questions(["AAA", "BBB"], range(4))
    record_invariance(contexts.context().store, wanted[0].question, 0.0, wanted[0].question.key)
    monkeypatch.setattr(batches, "PACKED_SNAPSHOTS", 3)
    server.next("413")
    with pytest.raises(BudgetStop, match=r"3 answers were bought .*Left: 5 questions in 1 request; runs needed: 1 "):
        contexts.backend(pack="snapshots", per_run=2).answer(wanted)
    contexts.backend(pack="snapshots").answer(wanted)
    assert server.sent == 3


def test_a_packed_run_stops_at_its_budget_too(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().prove_independence(questions(["AAA"], range(2)))
    with pytest.raises(BudgetStop, match="Left: 3 questions in 1 request"):
        contexts.backend(pack="snapshots", per_day=2).answer(questions(["AAA"], range(2, 5)))
