"""Buying answers from a service that speaks the real protocol: what is paid, kept, counted and said.

The number of requests is always the server's own count.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from stages.errors import BudgetStop, ConfigurationError, DataContractError, Interrupted, PipelineError
from stages.forecasting.backend import Answer, Asked
from stages.io.clock import SIGNALS
from stages.io.object_store import LocalStore
from stages.paid import opening
from stages.paid.backend import PaidBackend
from stages.paid.limits import set_standing_limit
from stages.paid.reservations import DAYS
from stages.paid.units import Units
from tests.paid.test_answers import ReadOnly
from tests.questions.markets import requests_params
from tests.support.contexts import ContextFactory, asked, everything_under, questions, states
from tests.support.sockets import no_sockets
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer, answer


def test_one_request_buys_all_symbols_of_a_snapshot(contexts: ContextFactory, server: TimeGPTServer):
    answers = contexts.backend().answer(questions(["AAA", "BBB", "CCC"], range(4)))
    assert len(answers) == 12
    assert server.sent == 4
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100] * 3] * 4


def test_the_answer_is_the_servers_by_level_and_step(contexts: ContextFactory, server: TimeGPTServer):
    """Recomputed from the request body with the server's own rule: q05 is lo-90, q50 the mean, q75 hi-50."""
    ours = contexts.backend().answer([asked("AAA"), asked("BBB")])
    theirs = answer(server.bodies[0])
    first = ours[asked("AAA").question.key].values_bp
    second = ours[asked("BBB").question.key].values_bp
    np.testing.assert_allclose(first[0], theirs["intervals"]["lo-90"][:20])
    np.testing.assert_allclose(second[2], theirs["mean"][20:])
    np.testing.assert_allclose(second[3], theirs["intervals"]["hi-50"][20:])


def test_what_is_sent_is_what_the_question_says(contexts: ContextFactory, server: TimeGPTServer):
    one = asked("AAA")
    contexts.backend().answer([one])
    body = server.bodies[0]
    sent = {name: body[name] for name in ("model", "h", "freq", "level", "finetune_steps", "multivariate")}
    assert sent == {
        "model": "timegpt-2.1",
        "h": 20,
        "freq": "min",
        "level": [90, 50, 0, 50, 90],
        "finetune_steps": 0,
        "multivariate": False,
    }
    np.testing.assert_allclose(body["series"]["y"], one.window().y_bp, rtol=1e-6)
    assert body["series"]["start_datetime"] == ["2024-09-02T20:11"]  # 1100 minutes that end at the snapshot, 14:30


def test_a_second_run_pays_nothing(contexts: ContextFactory, server: TimeGPTServer):
    first = contexts.backend().answer(questions(["AAA", "BBB"], range(3)))
    buyer = contexts.backend()
    second = buyer.answer(questions(["AAA", "BBB"], range(3)))
    assert buyer.took == {"calls": 0, "bought": 0, "hits": "100.0%"}
    assert server.sent == 3
    assert all(np.array_equal(first[key].values_bp, second[key].values_bp) for key in first)


def test_one_more_symbol_costs_only_its_own_questions(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer(questions(["AAA", "BBB"], range(3)))
    buyer = contexts.backend()
    buyer.answer(questions(["AAA", "BBB", "CCC"], range(3)))
    assert buyer.took == {"calls": 3, "bought": 3, "hits": "66.7%"}
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [2, 2, 2, 1, 1, 1]


def test_two_histories_of_one_symbol_never_share_a_request(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer([asked(symbol, rows=rows) for symbol in ("AAA", "BBB") for rows in (1100, 1490)])
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100, 1100], [1490, 1490]]


def test_the_same_question_twice_is_asked_once(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer([asked("AAA"), asked("AAA")])
    assert sum(server.series_billed.values()) == 1


def test_offline_opens_no_socket(contexts: ContextFactory, server: TimeGPTServer):
    paid = questions(["AAA"], range(2))
    contexts.backend().answer(paid)
    with no_sockets():
        assert len(contexts.backend(mode="offline").answer(paid)) == 2
        with pytest.raises(BudgetStop):
            contexts.backend(mode="offline").answer(questions(["AAA"], range(3)))
        with pytest.raises(PipelineError, match="a socket was wanted"):
            contexts.backend().answer(questions(["AAA"], range(3)))


def test_a_miss_offline_says_what_it_would_cost(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer(questions(["AAA"], range(2)))
    with pytest.raises(BudgetStop, match=r"4 of 6 questions have no stored answer .* would cost 3 requests") as stop:
        contexts.backend(mode="offline").answer(questions(["AAA", "BBB"], range(3)))
    assert stop.value.exit_code == 4


def test_a_miss_offline_counts_packed_requests_where_snapshots_are_packed(contexts: ContextFactory):
    with pytest.raises(BudgetStop, match=r"would cost 1 request, packed, since api\.pack is snapshots"):
        contexts.backend(mode="offline", pack="snapshots").answer(questions(["AAA", "BBB"], range(3)))


def test_a_miss_offline_prices_the_models_facts_as_the_plan_does(contexts: ContextFactory):
    contexts.know_model = False
    with pytest.raises(BudgetStop, match="would cost 4 requests, one per snapshot, one for the model's facts: run"):
        contexts.backend(mode="offline").answer(questions(["AAA"], range(3)))


def test_a_run_stops_at_its_limit_and_the_next_goes_on(contexts: ContextFactory, server: TimeGPTServer):
    wanted = questions(["AAA", "BBB"], range(5))
    with pytest.raises(BudgetStop, match=r"Left: 6 questions in 3 requests; runs needed: 2 "):
        contexts.backend(per_run=2).answer(wanted)
    with pytest.raises(BudgetStop):
        contexts.backend(per_run=2).answer(wanted)
    assert len(contexts.backend(per_run=2).answer(wanted)) == 10
    assert server.sent == 5


def test_a_day_stops_at_its_limit(contexts: ContextFactory, server: TimeGPTServer):
    with pytest.raises(BudgetStop, match="3 of 3 requests") as stop:
        contexts.backend(per_day=3).answer(questions(["AAA"], range(5)))
    assert "Left: 2 questions in 2 requests" in str(stop.value)
    assert server.sent == 3


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"per_day": 2}, "Left: 6 questions in 3 requests; runs needed: 1 (api.per_run 1000), days with today: 3. The"),
        ({"per_month": 2}, "days with today: 1, months with this one: 3. The next run continues there."),
        ({"tokens_per_day": 5_000}, "days with today: 3. The next run continues there."),
        ({"tokens_per_day": 1_000}, "days with today: never. A single request is beyond a limit: raise it."),
    ],
)
def test_a_run_that_stops_says_how_long_its_limits_make_the_rest_take(
    limit: dict[str, int], told: str, contexts: ContextFactory, server: TimeGPTServer
):
    with pytest.raises(BudgetStop) as stop:
        contexts.backend(**limit).answer(questions(["AAA", "BBB"], range(5)))
    assert told in str(stop.value)


def test_what_was_kept_before_the_remote_failed_is_not_left_to_buy(contexts: ContextFactory, server: TimeGPTServer):
    contexts.remote = ReadOnly(contexts.root.parent / "remote")
    with pytest.raises(BudgetStop, match=r"2 answers were bought and kept in this run\. Left: 4 questions in 2 "):
        contexts.backend(remote_down="stop").answer(questions(["AAA", "BBB"], range(3)))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"per_day": "few"}', b'{"per_day": 1e999}'])
def test_nothing_is_sent_under_a_damaged_standing_limit(damage: bytes, contexts: ContextFactory, server: TimeGPTServer):
    LocalStore(contexts.root).create("budget/limits/0000.json", damage)
    with pytest.raises(BudgetStop, match=r"0000\.json is not readable, .* `make budget PER_DAY=` writes a new one"):
        contexts.backend().answer([asked()])
    assert server.sent == 0


def test_of_two_standing_limits_the_newest_holds_and_it_is_never_above_that_of_params(
    contexts: ContextFactory, clock: Any
):
    ledger = contexts.context(clock, per_day=7).ledger
    in_force = [ledger.per_day()]
    for per_day in (3, 5, 9, 2):
        set_standing_limit(ledger.objects, per_day, clock)
        in_force.append(ledger.per_day())
    assert in_force == [7, 3, 5, 7, 2]


def test_a_refunded_call_counts_no_more_in_its_run_its_day_and_its_month(contexts: ContextFactory, clock: Any):
    ledger = contexts.context(clock, per_run=2, per_day=2, per_month=2).ledger
    for state in ("refunded", "answered", "refunded", "refused"):
        ledger.settle(ledger.reserve({}, Units(requests=1)), state, {})
    assert (ledger.counted, [used.requests for _, used in ledger.used()]) == (2, [2, 2])
    assert ledger.left_today() == 0
    with pytest.raises(BudgetStop, match=r"this run has sent 2 of api\.per_run 2 requests"):
        ledger.reserve({}, Units(requests=1))


def test_a_budget_of_nothing_sends_nothing(contexts: ContextFactory, server: TimeGPTServer):
    for limits in ({"per_day": 0}, {"per_run": 0}):
        with pytest.raises(BudgetStop):
            contexts.backend(**limits).answer([asked()])
    assert server.sent == 0


class TestTheModelsFacts:
    def test_a_first_run_buys_them_and_nothing_else_until_params_agree(
        self, contexts: ContextFactory, server: TimeGPTServer
    ):
        contexts.know_model, contexts.forecaster = False, {"input_size": None, "model_horizon": None}
        told = r"input_size: 500 and model_horizon: 20 .* Run `make learn-model` to write them"
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=told):
                contexts.backend().answer([asked()])
        assert server.requests == {"model_params": 1}
        assert states(contexts) == {"answered": 1}

    def test_params_that_agree_go_straight_on(self, contexts: ContextFactory, server: TimeGPTServer):
        contexts.know_model = False
        contexts.backend().answer(questions(["AAA"], range(3)))
        contexts.backend().answer(questions(["AAA"], range(4)))
        assert server.requests == {"model_params": 1, "forecast": 4}

    def test_params_that_contradict_buy_no_forecast(self, contexts: ContextFactory, server: TimeGPTServer):
        contexts.forecaster = {"input_size": INPUT_SIZE + 1}
        with pytest.raises(ConfigurationError, match="are 501 and 20, but the service says"):
            contexts.backend().answer([asked()])
        assert server.sent == 0


class TestAServiceThatDoesNotTellThem:
    def test_facts_of_the_model_are_asked_once_then_taken_from_params(
        self, contexts: ContextFactory, server: TimeGPTServer
    ):
        contexts.know_model, server.facts_status, server.facts = False, 404, "no such route"
        contexts.forecaster = {"input_size": None, "model_horizon": None}
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"does not give the numbers .* yourself"):
                contexts.backend().answer([asked()])
        contexts.forecaster = {}
        assert len(contexts.backend().answer([asked()])) == 1
        assert server.requests == {"model_params": 1, "forecast": 1}

    def test_azure_is_not_asked_for_facts_of_the_model(self, contexts: ContextFactory, server: TimeGPTServer):
        """The stand-in's port follows an address that the SDK takes for Azure's."""
        contexts.know_model, contexts.url = False, f"{server.url}/ai.azure"
        contexts.forecaster = {"model": "azureai"}
        changes = {"model": "azureai", "deployment": contexts.url}
        one = Asked(replace(asked().question, **changes), asked().window)
        assert len(contexts.backend().answer([one])) == 1
        assert server.requests == {"forecast": 1}
        assert server.bodies[0]["model"] == "azureai"

    @pytest.mark.parametrize("facts", [{"input_size": "500", "horizon": 20}, {"input_size": 0, "horizon": 20}, {}])
    def test_what_cannot_be_a_models_numbers_is_not_kept(
        self, facts: Any, contexts: ContextFactory, server: TimeGPTServer
    ):
        contexts.know_model, server.facts = False, facts
        with pytest.raises(DataContractError, match="is not an answer"):
            contexts.backend().answer([asked()])
        server.facts = {"input_size": INPUT_SIZE, "horizon": MODEL_HORIZON}
        assert len(contexts.backend().answer([asked()])) == 1


@pytest.mark.parametrize(("name", "content"), [("SSL_CERT_FILE", None), ("SSL_CERT_FILE", ""), ("SSLKEYLOGFILE", None)])
def test_certificates_that_cannot_be_read_are_reported_before_a_reservation_is_taken(
    name: str, content: str | None, contexts: ContextFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(name, str(tmp_path / "absent/log") if name == "SSLKEYLOGFILE" else str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NIXTLA_API_KEY", KEY)
    read = getattr(httpx.create_ssl_context, "__wrapped__", httpx.create_ssl_context)  # without the tests' cache
    monkeypatch.setattr(httpx, "create_ssl_context", read)
    with pytest.raises(ConfigurationError, match=rf"TLS cannot be set up with {name} /\S* \(.*: correct it"):
        contexts.backend().answer([asked()])
    assert states(contexts) == {}


def test_the_key_must_be_set_before_a_reservation_is_taken(contexts: ContextFactory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NIXTLA_API_KEY")
    with pytest.raises(ConfigurationError, match="NIXTLA_API_KEY is not set"):
        contexts.backend().answer([asked()])
    assert states(contexts) == {}


def test_the_key_stands_in_the_request_and_nowhere_else(
    contexts: ContextFactory, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    contexts.backend().answer(questions(["AAA", "BBB"], range(2)))
    server.always("503")
    with pytest.raises(BudgetStop):
        contexts.backend().answer([asked("CCC")])
    assert server.authorizations == {f"Bearer {KEY}"}
    assert KEY not in everything_under(contexts.root) + "".join(capfd.readouterr())


NOT_SENT: dict[str, tuple[Callable[[], Asked], str]] = {
    "too little history": (lambda: asked(rows=1007), r"1007 rows of history.*forecaster.min_rows"),
    "more history than the SDK sends": (lambda: asked(rows=1521), "the SDK sends at most 1520"),
    "more bytes than the service takes": (
        lambda: Asked(replace(asked().question, rows=17_000_000), asked().window),
        "would take about 204 MB, and the service accepts at most 200: lower requests.history_days",
    ),
}


@pytest.mark.parametrize("case", NOT_SENT)
def test_a_question_the_service_would_refuse_is_not_sent(case: str, contexts: ContextFactory, server: TimeGPTServer):
    question, told = NOT_SENT[case]
    with pytest.raises(ConfigurationError, match=told):
        contexts.backend().answer([question()])
    assert server.sent == 0
    assert states(contexts) == {}


@pytest.mark.parametrize("rows", [1008, 1520])
def test_as_few_rows_as_the_service_wants_and_as_many_as_the_sdk_sends_are_sent(
    rows: int, contexts: ContextFactory, server: TimeGPTServer
):
    contexts.backend().answer([asked(rows=rows)])
    assert [body["series"]["sizes"] for body in server.bodies] == [[rows]]


@pytest.mark.parametrize("columns", [(("ret_1m",), ()), ((), ("minute",))], ids=["of the past", "known ahead"])
def test_with_a_column_of_either_kind_alone_all_rows_are_sent(
    columns: tuple[tuple[str, ...], tuple[str, ...]], contexts: ContextFactory, server: TimeGPTServer
):
    plain = asked(rows=1521)
    window = replace(plain.window(), hist_exog=np.ones((1521, 1)), futr_exog=np.ones((20, len(columns[1]))))
    question = replace(plain.question, hist_exog=columns[0], futr_exog=columns[1], features_sha256="0" * 64)
    contexts.backend().answer([Asked(question, lambda: window)])
    assert [body["series"]["sizes"] for body in server.bodies] == [[1521]]


def test_what_the_benchmark_beside_cannot_answer_is_not_bought(
    contexts: ContextFactory, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch
):
    """Its rows hold no complete session, so persistence knows no past move."""
    context = contexts.context()
    monkeypatch.setattr(opening, "read_params", lambda _: context.api)
    monkeypatch.setattr(opening, "open_context", lambda *_: context)
    backend = opening.open_backend(context.forecaster, requests_params())
    with pytest.raises(DataContractError, match=r"has 0 past moves .* Nothing was bought"):
        backend.answer([asked()])
    assert server.sent == 0
    assert states(contexts) == {}


def test_nothing_is_bought_beside_a_program_whose_files_changed(
    contexts: ContextFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The free candidate would end the run after the answers were paid."""
    monkeypatch.chdir(tmp_path)
    Path("run.py").write_text("")
    stale = {"command": ("python", "run.py"), "files": ("run.py",), "files_sha256": "0" * 64}
    beside = contexts.context().forecaster.model_copy(update=stale)
    with pytest.raises(ConfigurationError, match=r"the program command have the digest .* `make identify`"):
        opening.open_backend(beside, requests_params())


def test_a_value_that_cannot_be_sent_is_met_before_the_first_request(contexts: ContextFactory, server: TimeGPTServer):
    late = asked(snapshot=1)
    window = late.window()
    late = Asked(late.question, lambda: replace(window, hist_exog=np.full((window.rows, 1), np.inf)))
    late = replace(late, question=replace(late.question, hist_exog=("rv",)))

    class Benchmark:
        took: Mapping[str, object] = {}

        def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
            return {}

    with pytest.raises(
        DataContractError, match=r"holds NaN or infinity \(rv, 1100 minutes back\).* Nothing was bought"
    ):
        PaidBackend(contexts.context(), Benchmark()).answer([asked(), late])
    assert server.sent == 0


def test_a_signal_ends_the_check_before_the_first_request_at_once(contexts: ContextFactory, server: TimeGPTServer):
    checked: list[str] = []

    class Benchmark:
        took: Mapping[str, object] = {}

        def answer(self, asked: Sequence[Asked]) -> Mapping[str, Answer]:
            checked.extend(one.question.symbol for one in asked)
            if checked == ["AAA"]:
                os.kill(os.getpid(), signal.SIGINT)
            return {}

    handlers = {one: signal.getsignal(one) for one in SIGNALS}
    try:
        with pytest.raises(Interrupted, match="0 answers were bought and kept in this run, nothing is locked"):
            PaidBackend(contexts.context(), Benchmark()).answer([asked("AAA"), asked("BBB")])
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
    assert (checked, server.sent) == (["AAA"], 0)


def test_what_another_run_bought_meanwhile_came_from_the_store(contexts: ContextFactory, server: TimeGPTServer):
    """Of four snapshots the other run buys two while the first is asked: one is sent for each of the rest."""
    wanted, other = questions(["AAA", "BBB"], range(4)), contexts.backend()

    def meanwhile() -> None:
        server.on_arrival = lambda: None
        server._lock.release()
        other.answer(questions(["AAA", "BBB"], range(2, 4)))
        server._lock.acquire()

    server.on_arrival = meanwhile
    buyer = contexts.backend()
    assert len(buyer.answer(wanted)) == 8
    assert server.sent == 4
    assert buyer.took == {"calls": 2, "bought": 4, "hits": "50.0%"}
    assert other.took == {"calls": 2, "bought": 4, "hits": "0.0%"}


def test_each_run_leaves_one_line_of_history(contexts: ContextFactory, server: TimeGPTServer):
    contexts.backend().answer(questions(["AAA", "BBB"], range(2)))
    contexts.backend().answer(questions(["AAA", "BBB"], range(3)))
    runs = [json.loads(path.read_text()) for path in sorted(contexts.root.glob("budget/runs/*"))]
    told = [(run["questions"], run["bought"], run["calls"]) for run in runs]
    assert told == [(4, 4, {"answered": 2}), (6, 2, {"answered": 1})]


def test_midnight_between_two_requests_opens_a_new_day(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    clock.wait(12 * 3600 - 1)
    contexts.backend(clock, per_day=2, cooldown_sec=1).answer(questions(["AAA"], range(3)))
    assert contexts.context().store.local.names("budget/days") == ["2026-11-22", "2026-11-23"]


def test_midnight_between_a_reservation_and_its_request_frees_the_reservation(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    """The reservation was of the old day, the request would leave on the new one: it makes a reservation there."""
    context = contexts.context(clock, per_day=1)
    clock.wait(12 * 3600 - 1)
    context.ledger.days.objects = StrikesTwelve(contexts.root, clock)
    PaidBackend(context).answer([asked()])
    days = context.store.local.names(DAYS)
    assert [context.store.local.names(f"{DAYS}/{day}") for day in days] == [
        ["0000-0.json", "0000-0.refunded"],
        ["0000-0.answered", "0000-0.json"],
    ]
    assert server.sent == 1


class StrikesTwelve(LocalStore):
    """A place where midnight falls while the first reservation is being written."""

    def __init__(self, root: Path, clock: Any) -> None:
        super().__init__(root)
        self.clock, self.struck = clock, False

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        created = super().create(name, content, durable=durable)
        if name.startswith(DAYS) and not self.struck:
            self.struck = True
            self.clock.wait(2)
        return created


def test_a_clock_set_back_a_day_buys_nothing(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    contexts.backend(clock).answer([asked()])
    clock.wait(-24 * 3600)
    with pytest.raises(
        BudgetStop, match="the clock says 2026-11-21, but the ledger already holds requests of 2026-11-22"
    ):
        contexts.backend(clock).answer([asked("BBB")])
    assert server.sent == 1


def test_two_clocks_on_two_sides_of_midnight_share_the_newer_day(
    contexts: ContextFactory, server: TimeGPTServer, clock: Any
):
    clock.wait(12 * 3600)
    contexts.backend(clock).answer([asked()])
    clock.wait(-1)
    contexts.backend(clock).answer([asked("BBB")])
    assert contexts.context().store.local.names("budget/days") == ["2026-11-23"]


def test_cooldown_separates_requests_also_across_runs(contexts: ContextFactory, server: TimeGPTServer, clock: Any):
    contexts.backend(clock, cooldown_sec=2).answer([asked()])
    contexts.backend(clock, cooldown_sec=2).answer([asked("BBB")])
    assert clock.waited == [2.0]
    clock.wait(0.5)
    contexts.backend(clock, cooldown_sec=2).answer([asked("CCC")])
    assert clock.waited == [2.0, 0.5, 1.5], "what has passed of it is not waited for again"
