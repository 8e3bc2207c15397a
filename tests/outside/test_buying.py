"""Buying answers from a service that speaks the real protocol: what is paid, kept, counted and said.

The number of requests is always the server's own count.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.errors import BudgetStop, ConfigurationError, DataContractError, PipelineError
from stages.outside.paid.seats import Row
from tests.outside.shops import ShopKeeper, asked, questions
from tests.outside.timegpt_server import INPUT_SIZE, KEY, TimeGPTServer, answer


def everything_under(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())


def states(keeper: ShopKeeper) -> dict[str, int]:
    ledger = keeper.shop().ledger
    found: dict[str, int] = {}
    for day in ledger.place.names("budget/days"):
        for seat in Row(ledger.place, f"budget/days/{day}").taken().values():
            found[seat.state] = found.get(seat.state, 0) + 1
    return found


def test_one_request_buys_all_symbols_of_a_snapshot(keeper: ShopKeeper, server: TimeGPTServer):
    answers = keeper.backend().answer(questions(["AAA", "BBB", "CCC"], range(4)))
    assert len(answers) == 12
    assert server.sent == 4
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100] * 3] * 4


def test_the_answer_is_the_servers_by_level_and_step(keeper: ShopKeeper, server: TimeGPTServer):
    """Recomputed from the request body with the server's own rule: q05 is lo-90, q50 the mean, q75 hi-50."""
    ours = keeper.backend().answer([asked("AAA"), asked("BBB")])
    theirs = answer(server.bodies[0])
    first = ours[asked("AAA").question.key].values_bp
    second = ours[asked("BBB").question.key].values_bp
    np.testing.assert_allclose(first[0], theirs["intervals"]["lo-90"][:20])
    np.testing.assert_allclose(second[2], theirs["mean"][20:])
    np.testing.assert_allclose(second[3], theirs["intervals"]["hi-50"][20:])


def test_what_is_sent_is_what_the_question_says(keeper: ShopKeeper, server: TimeGPTServer):
    one = asked("AAA")
    keeper.backend().answer([one])
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


def test_a_second_run_pays_nothing(keeper: ShopKeeper, server: TimeGPTServer):
    first = keeper.backend().answer(questions(["AAA", "BBB"], range(3)))
    second = keeper.backend().answer(questions(["AAA", "BBB"], range(3)))
    assert server.sent == 3
    assert all(np.array_equal(first[key].values_bp, second[key].values_bp) for key in first)


def test_one_more_symbol_costs_only_its_own_questions(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer(questions(["AAA", "BBB"], range(3)))
    keeper.backend().answer(questions(["AAA", "BBB", "CCC"], range(3)))
    assert [len(body["series"]["sizes"]) for body in server.bodies] == [2, 2, 2, 1, 1, 1]


def test_two_histories_of_one_symbol_never_share_a_request(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer([asked(symbol, rows=rows) for symbol in ("AAA", "BBB") for rows in (1100, 1490)])
    assert [body["series"]["sizes"] for body in server.bodies] == [[1100, 1100], [1490, 1490]]


def test_the_same_question_twice_is_asked_once(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer([asked("AAA"), asked("AAA")])
    assert sum(server.series_billed.values()) == 1


def test_offline_opens_no_socket(keeper: ShopKeeper, server: TimeGPTServer, monkeypatch: pytest.MonkeyPatch):
    paid = questions(["AAA"], range(2))
    keeper.backend().answer(paid)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert len(keeper.backend(mode="offline").answer(paid)) == 2
    with pytest.raises(BudgetStop):
        keeper.backend(mode="offline").answer(questions(["AAA"], range(3)))


def test_a_miss_offline_says_what_it_would_cost(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer(questions(["AAA"], range(2)))
    with pytest.raises(BudgetStop, match=r"4 of 6 questions have no stored answer .* would cost 3 requests") as stop:
        keeper.backend(mode="offline").answer(questions(["AAA", "BBB"], range(3)))
    assert stop.value.exit_code == 4


def test_a_run_stops_at_its_limit_and_the_next_goes_on(keeper: ShopKeeper, server: TimeGPTServer):
    wanted = questions(["AAA", "BBB"], range(5))
    with pytest.raises(BudgetStop, match=r"Left: 6 questions in 3 requests; runs needed: 2 "):
        keeper.backend(per_run=2).answer(wanted)
    with pytest.raises(BudgetStop):
        keeper.backend(per_run=2).answer(wanted)
    assert len(keeper.backend(per_run=2).answer(wanted)) == 10
    assert server.sent == 5


def test_a_day_stops_at_its_limit(keeper: ShopKeeper, server: TimeGPTServer):
    with pytest.raises(BudgetStop, match="3 of 3 requests") as stop:
        keeper.backend(per_day=3).answer(questions(["AAA"], range(5)))
    assert "Left: 2 questions in 2 requests" in str(stop.value)
    assert server.sent == 3


def test_a_budget_of_nothing_sends_nothing(keeper: ShopKeeper, server: TimeGPTServer):
    for limits in ({"per_day": 0}, {"per_run": 0}):
        with pytest.raises(BudgetStop):
            keeper.backend(**limits).answer([asked()])
    assert server.sent == 0


class TestTheModelsFacts:
    def test_a_first_run_buys_them_and_nothing_else_until_params_agree(self, keeper: ShopKeeper, server: TimeGPTServer):
        keeper.know_model, keeper.forecaster = False, {"input_size": None, "model_horizon": None}
        told = r"input_size: 500 and model_horizon: 20 .* set them in conf/forecaster"
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=told):
                keeper.backend().answer([asked()])
        assert server.requests == {"model_params": 1}
        assert states(keeper) == {"answered": 1}

    def test_params_that_agree_go_straight_on(self, keeper: ShopKeeper, server: TimeGPTServer):
        keeper.know_model = False
        keeper.backend().answer(questions(["AAA"], range(3)))
        keeper.backend().answer(questions(["AAA"], range(4)))
        assert server.requests == {"model_params": 1, "forecast": 4}

    def test_params_that_contradict_buy_no_forecast(self, keeper: ShopKeeper, server: TimeGPTServer):
        keeper.forecaster = {"input_size": INPUT_SIZE + 1}
        with pytest.raises(ConfigurationError, match="are 501 and 20, but the service says"):
            keeper.backend().answer([asked()])
        assert server.sent == 0


REFUSED = {  # behaviour -> exit code, requests sent, state of each
    "401": (5, 1, "refused"),
    "401_echo": (5, 1, "refused"),
    "402": (4, 1, "refused"),
    "403": (5, 1, "refused"),
    "400": (5, 1, "refused"),
    "404": (5, 1, "refused"),
    "413": (5, 1, "refused"),
    "422": (5, 1, "refused"),
    "429": (4, 3, "refused"),
    "429_quota": (4, 1, "refused"),
    "408": (4, 3, "unknown"),
    "409": (4, 3, "unknown"),
    "500": (4, 2, "unknown"),
    "502": (4, 3, "unknown"),
    "503": (4, 3, "unknown"),
    "504": (4, 3, "unknown"),
    "drop_before": (4, 3, "unknown"),
    "drop_after": (4, 3, "unknown"),
    "garbage": (2, 1, "unknown"),
    "missing_intervals": (2, 1, "unknown"),
    "wrong_length": (2, 1, "unknown"),
    "nulls": (2, 1, "unknown"),
    "crossed": (2, 1, "unknown"),
    "equal": (2, 1, "unknown"),
    "huge": (2, 1, "unknown"),
}


@pytest.mark.parametrize("behaviour", REFUSED)
def test_every_misbehaviour_has_its_state_its_sentence_and_an_end(
    behaviour: str, keeper: ShopKeeper, server: TimeGPTServer
):
    code, sent, state = REFUSED[behaviour]
    server.always(behaviour)
    with pytest.raises(PipelineError) as failure:
        keeper.backend().answer([asked()])
    assert failure.value.exit_code == code
    assert server.sent == sent
    assert states(keeper) == {state: sent}
    assert not list(keeper.root.glob("??/*.json"))
    assert KEY not in str(failure.value) + everything_under(keeper.root)

    server.always(None)
    if code == 5 and behaviour in {"400", "404", "413", "422"}:
        with pytest.raises(ConfigurationError, match=r"was refused before: .*make release KEY="):
            keeper.backend().answer([asked()])
        assert server.sent == sent
    else:
        assert len(keeper.backend().answer([asked()])) == 1


@pytest.mark.parametrize(("behaviour", "code"), [("hang", 4), ("drip", 2)])
def test_a_service_that_never_ends_is_left_after_the_timeout(
    behaviour: str, code: int, keeper: ShopKeeper, server: TimeGPTServer
):
    server.always(behaviour)
    with pytest.raises(PipelineError) as failure:
        keeper.backend(timeout_sec=0.5, max_attempts=1).answer([asked()])
    assert failure.value.exit_code == code
    assert states(keeper) == {"unknown": 1}


def test_an_endless_answer_is_cut_off(keeper: ShopKeeper, server: TimeGPTServer):
    server.next("huge")
    with pytest.raises(DataContractError, match="the response is longer than 50 MB"):
        keeper.backend().answer([asked()])


def test_a_passing_trouble_is_retried_on_seats_of_its_own(keeper: ShopKeeper, server: TimeGPTServer):
    server.next("503", "drop_after", "ok")
    assert len(keeper.backend().answer([asked()])) == 1
    assert server.sent == 3
    assert states(keeper) == {"unknown": 2, "answered": 1}


def test_the_wait_that_the_service_asks_for_is_kept(keeper: ShopKeeper, server: TimeGPTServer, clock: Any):
    server.next("429_retry_after", "ok")
    keeper.backend(clock).answer([asked()])
    assert clock.waited == [7.0]


def test_retries_stop_at_the_budget(keeper: ShopKeeper, server: TimeGPTServer):
    server.always("503")
    with pytest.raises(BudgetStop):
        keeper.backend(per_day=2).answer([asked()])
    assert server.sent == 2


def test_nobody_listening_costs_nothing(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.url = "http://127.0.0.1:9"
    with pytest.raises(ConfigurationError, match=r"cannot be reached .* nothing was sent or counted"):
        keeper.backend(per_run=1).answer([asked()])
    assert states(keeper) == {"refunded": 1}


def test_an_unsound_answer_lies_in_quarantine_as_it_came(keeper: ShopKeeper, server: TimeGPTServer):
    server.next("crossed")
    with pytest.raises(DataContractError, match="AAA at 2024-09-03 14:30Z is unsound: its quantiles cross"):
        keeper.backend().answer([asked()])
    kept = list(keeper.root.glob("quarantine/call-*.txt"))
    assert len(kept) == 1
    assert "values_bp" in kept[0].read_text()


def test_an_unsound_series_takes_its_siblings_with_it(keeper: ShopKeeper, server: TimeGPTServer):
    server.next("crossed")
    with pytest.raises(DataContractError):
        keeper.backend().answer(questions(["AAA", "BBB"], range(1)))
    assert not list(keeper.root.glob("??/*.json"))


def test_the_key_must_be_set_before_a_seat_is_taken(keeper: ShopKeeper, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NIXTLA_API_KEY")
    with pytest.raises(ConfigurationError, match="NIXTLA_API_KEY is not set"):
        keeper.backend().answer([asked()])
    assert states(keeper) == {}


def test_the_key_stands_in_the_request_and_nowhere_else(
    keeper: ShopKeeper, server: TimeGPTServer, capfd: pytest.CaptureFixture[str]
):
    keeper.backend().answer(questions(["AAA", "BBB"], range(2)))
    server.always("503")
    with pytest.raises(BudgetStop):
        keeper.backend().answer([asked("CCC")])
    assert server.authorizations == {f"Bearer {KEY}"}
    assert KEY not in everything_under(keeper.root) + "".join(capfd.readouterr())


TOO_SHORT = {"rows": 1000}
NOT_SENT: dict[str, tuple[Callable[[], Any], type[PipelineError], str]] = {
    "too little history": (lambda: asked(rows=1000), ConfigurationError, r"1000 rows of history.*forecaster.min_rows"),
    "more history than the SDK sends": (lambda: asked(rows=1600), ConfigurationError, "the SDK sends 1520 at most"),
}


@pytest.mark.parametrize("case", NOT_SENT)
def test_a_question_the_service_would_refuse_is_not_sent(case: str, keeper: ShopKeeper, server: TimeGPTServer):
    question, error, told = NOT_SENT[case]
    with pytest.raises(error, match=told):
        keeper.backend().answer([question()])
    assert server.sent == 0
    assert states(keeper) == {}


def test_each_run_leaves_one_line_of_history(keeper: ShopKeeper, server: TimeGPTServer):
    keeper.backend().answer(questions(["AAA", "BBB"], range(2)))
    keeper.backend().answer(questions(["AAA", "BBB"], range(3)))
    runs = [json.loads(path.read_text()) for path in sorted(keeper.root.glob("budget/runs/*"))]
    told = [(run["questions"], run["bought"], run["calls"]) for run in runs]
    assert told == [(4, 4, {"answered": 2}), (6, 2, {"answered": 1})]


def test_midnight_between_two_requests_opens_a_new_day(keeper: ShopKeeper, server: TimeGPTServer, clock: Any):
    clock.wait(12 * 3600 - 1)
    keeper.backend(clock, per_day=2, cooldown_sec=1).answer(questions(["AAA"], range(3)))
    assert keeper.shop().store.local.names("budget/days") == ["2026-11-22", "2026-11-23"]


def test_a_clock_set_back_a_day_buys_nothing(keeper: ShopKeeper, server: TimeGPTServer, clock: Any):
    keeper.backend(clock).answer([asked()])
    clock.wait(-24 * 3600)
    with pytest.raises(
        BudgetStop, match="the clock says 2026-11-21, but the ledger already holds requests of 2026-11-22"
    ):
        keeper.backend(clock).answer([asked("BBB")])
    assert server.sent == 1


def test_two_clocks_on_two_sides_of_midnight_share_the_newer_day(keeper: ShopKeeper, server: TimeGPTServer, clock: Any):
    clock.wait(12 * 3600)
    keeper.backend(clock).answer([asked()])
    clock.wait(-1)
    keeper.backend(clock).answer([asked("BBB")])
    assert keeper.shop().store.local.names("budget/days") == ["2026-11-23"]


def test_cooldown_separates_requests_also_across_runs(keeper: ShopKeeper, server: TimeGPTServer, clock: Any):
    keeper.backend(clock, cooldown_sec=2).answer([asked()])
    keeper.backend(clock, cooldown_sec=2).answer([asked("BBB")])
    assert clock.waited == [2.0]


class TestDisks:
    def test_a_disk_without_room_for_the_answer_buys_nothing(
        self, small_disk: Path, keeper: ShopKeeper, server: TimeGPTServer
    ):
        keeper.root = small_disk / "forecasts"
        with pytest.raises(ConfigurationError, match=r"kB left and .* wanted before the next request"):
            keeper.backend().answer([asked()])
        assert server.sent == 0

    def test_a_read_only_store_still_answers_and_buys_nothing(
        self, small_disk: Path, keeper: ShopKeeper, server: TimeGPTServer
    ):
        paid = ShopKeeper(keeper.root, server.url).backend().answer([asked()])
        shutil.copytree(keeper.root, small_disk / "forecasts")
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        keeper.root, keeper.know_model = small_disk / "forecasts", False
        for mode in ("offline", "online"):
            again = keeper.backend(mode=mode).answer([asked()])
            assert again.keys() == paid.keys()
        with pytest.raises(ConfigurationError, match="the file system is read-only"):
            keeper.backend().answer([asked("BBB")])
        assert server.sent == 1
