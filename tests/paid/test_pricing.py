"""The price of questions: what is missing, in how many requests, and what is paid already."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from stages.forecasting.backend import Asked
from stages.io.object_store import LocalStore, StoreRefused, StoreUnreachable
from stages.paid.answer_store import AnswerStore
from stages.paid.batches import one_per
from stages.paid.model_facts import path_of_facts
from stages.paid.pricing import fitting, paid_span, price, samples_of
from stages.paid.records import path_of
from stages.paid.units import most
from stages.params.api import Tariff
from stages.runs.scratch import stages_to_run
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.timegpt_server import TimeGPTServer

FIRST = date(2024, 9, 3)


def schedule(asked: list[Asked], repeats: int = 1) -> pl.DataFrame:
    rows = [
        {"key": one.question.key, "status": "ok", "session": one.question.snapshot_utc.date()}
        for one in asked
        for _ in range(repeats)
    ]
    return pl.DataFrame([*rows, {"key": None, "status": "closed", "session": FIRST}])


def priced(asked: list[Asked], store: AnswerStore, repeats: int = 1):
    return price([one.question for one in asked], schedule(asked, repeats), store)


def test_an_empty_store_misses_everything_and_the_models_facts(tmp_path: Path):
    one = priced(questions(["AAA", "BBB"], range(6)), AnswerStore(LocalStore(tmp_path), None))
    assert (one.questions, one.local, one.remote, one.missing, one.requests) == (12, 0, 0, 12, 7)
    assert (one.packed_requests, one.span) == (2, None)
    assert one.largest_bytes == 2 * 1100 * 12  # two series of 1100 numbers, at most 12 characters each


@pytest.mark.parametrize("changes", [{"futr_exog": ("sin_1",)}, {"options": {"finetune_steps": 5}}])
def test_no_packed_price_is_told_of_questions_that_are_never_packed(changes: dict[str, Any], tmp_path: Path):
    one = priced([asked("AAA", number, **changes) for number in range(3)], AnswerStore(LocalStore(tmp_path), None))
    assert (one.requests, one.packed_requests) == (4, None)
    assert ("one per question" in one_per(one.batches)) == ("options" in changes)


def test_where_snapshots_are_packed_the_price_is_that_of_packed_requests(tmp_path: Path):
    wanted = questions(["AAA", "BBB"], range(6))
    store, tariff = AnswerStore(LocalStore(tmp_path), None), Tariff(currency="USD", per_request=Decimal(2))
    one = price([one.question for one in wanted], schedule(wanted), store, tariff, "snapshots")
    assert (one.missing, one.requests, one.packed_requests) == (12, 2, 2)
    assert (one.cost(most).money, "packed" in one_per(one.batches)) == (4, True)


def test_the_models_facts_are_paid_for_once_and_only_with_a_question(contexts: ContextFactory, server: TimeGPTServer):
    wanted = questions(["AAA"], range(3))
    contexts.backend().answer(wanted[:2])
    (contexts.root / path_of_facts(wanted[0].question)).unlink()
    assert [priced(wanted[:n], AnswerStore(LocalStore(contexts.root), None)).requests for n in (2, 3)] == [0, 2]


def test_half_the_answers_are_half_the_price(contexts: ContextFactory, server: TimeGPTServer):
    wanted = questions(["AAA", "BBB"], range(8))
    whole = priced(wanted, AnswerStore(contexts.context().store.local, None))
    contexts.backend().answer(questions(["AAA", "BBB"], range(4)))
    half = priced(wanted, contexts.context().store)
    assert (whole.requests, half.requests, half.local, half.missing) == (8, 4, 8, 8)


def test_the_price_is_what_the_server_then_counts(contexts: ContextFactory, server: TimeGPTServer):
    wanted = questions(["AAA", "BBB", "CCC"], range(5))
    contexts.backend().answer(questions(["AAA"], range(2)))
    told, before = priced(wanted, contexts.context().store).requests, server.sent
    contexts.backend().answer(wanted)
    assert server.sent - before == told
    assert priced(wanted, contexts.context().store).requests == 0


def test_a_dropped_answer_is_to_buy_again_until_the_remote_has_a_new_one(
    contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path
):
    contexts.remote, wanted = LocalStore(tmp_path / "remote"), questions(["AAA"], range(2))
    contexts.backend().answer(wanted)
    contexts.context().store.drop(wanted[0].question.key)
    assert (priced(wanted, contexts.context().store).remote, priced(wanted, contexts.context().store).requests) == (
        0,
        1,
    )
    contexts.backend().answer(wanted)
    assert priced(wanted, contexts.context().store).requests == 0
    assert server.sent == 3


def test_answers_on_the_remote_are_not_bought(contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path):
    contexts.remote = LocalStore(tmp_path / "remote")
    contexts.backend().answer(questions(["AAA"], range(3)))
    elsewhere = AnswerStore(LocalStore(tmp_path / "elsewhere"), contexts.remote)
    one = priced(questions(["AAA"], range(4)), elsewhere)
    assert (one.local, one.remote, one.missing) == (0, 3, 1)


def test_rows_that_are_the_same_question_are_counted_as_repeats(tmp_path: Path):
    one = priced(questions(["AAA"], range(3)), AnswerStore(LocalStore(tmp_path), None), repeats=3)
    assert (one.questions, one.repeated) == (3, 6)


@pytest.mark.parametrize(
    ("paid", "span"),
    [("", None), ("a", (0, 0)), ("abde", (0, 1)), ("bcde", (1, 4)), ("abcdef", (0, 5)), ("acdf", (2, 3))],
)
def test_the_widest_paid_stretch_of_sessions_is_named(paid: str, span: tuple[int, int] | None):
    days = [FIRST + timedelta(days=number) for number in range(6)]
    table = pl.DataFrame({"key": list("abcdef"), "status": "ok", "session": days})
    expected = None if span is None else (str(days[span[0]]), str(days[span[1]]))
    assert paid_span(table, set(paid)) == expected


def test_a_session_with_one_question_unpaid_is_not_paid():
    next_day = FIRST + timedelta(days=1)
    table = pl.DataFrame({"key": list("abc"), "status": "ok", "session": [FIRST, FIRST, next_day]})
    assert paid_span(table, {"a", "c"}) == (str(next_day), str(next_day))


def test_only_stages_that_new_params_change_are_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names = ("list_source", "fetch_bars", "check_data", "build_features")
    params = {"universe": {"symbols": ["A"]}, "quality": {"x": 1}, "features": {"names": ["ret_1m"]}}
    seen = dict(zip(names, (["universe"], ["universe"], ["quality"], ["features"]), strict=True))
    for name in names:
        (tmp_path / "artifacts" / name).mkdir(parents=True)
    recorded = {name: {"params": {"params.yaml": {k: params[k] for k in seen[name]}}, "deps": []} for name in names}
    Path("conf").mkdir()
    Path("conf/listing.json").write_text("as committed")
    recorded["list_source"]["deps"] = [
        {"path": "conf/listing.json", "md5": md5(b"as committed").hexdigest()},
        {"path": "stages/list_source.py", "md5": "code is not looked at"},
    ]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": recorded}))

    assert stages_to_run(params) == []
    assert stages_to_run({**params, "requests": {"history_days": [20]}}) == []
    assert stages_to_run({**params, "quality": {"x": 2}}) == ["check_data", "build_features"]
    assert stages_to_run({**params, "universe": {"symbols": ["B"]}}) == list(names)
    recorded["check_data"]["outs"] = [{"path": "artifacts/check_data/bars.csv", "md5": md5(b"as made").hexdigest()}]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": recorded}))
    assert stages_to_run(params) == ["check_data", "build_features"], "a file that is gone is made anew"
    Path("artifacts/check_data/bars.csv").write_text("as made")
    assert stages_to_run(params) == []
    Path("artifacts/check_data/bars.csv").write_text("changed since")
    assert stages_to_run(params) == ["check_data", "build_features"], "what was changed by hand is not believed"
    Path("conf/listing.json").write_text("listed anew")
    assert stages_to_run(params) == list(names), "a revised source changes everything behind it"
    Path("conf/listing.json").unlink()
    assert stages_to_run(params) == list(names)


@pytest.mark.parametrize(
    ("of", "some"), [("", ""), ("1", "1"), ("12", "12"), ("123", "123"), ("1234", "124"), ("123456789", "159")]
)
def test_some_questions_are_the_first_one_in_the_middle_and_the_last(of: str, some: str):
    assert "".join(samples_of(of)) == some


def test_of_longer_horizons_the_one_under_which_most_answers_are_stored_is_named(tmp_path: Path):
    store = AnswerStore(LocalStore(tmp_path), None)
    further = [replace(one.question, horizon_min=h) for one in questions(["AAA", "BBB"], [0]) for h in (30, 40)]
    for question in further[:3]:  # one of 40 minutes is missing
        store.local.create(path_of(question.key), b"{}")
    assert fitting(store, further).startswith(
        "Longer answers to the same questions are stored: `requests.asked_horizon_min: 30`"
    )


@pytest.mark.parametrize("failure", [StoreUnreachable("nobody answers"), StoreRefused("log in")])
def test_no_advice_on_stored_answers_ends_a_run_whose_remote_fails(
    failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A login may expire between the answers that were read and this."""
    remote = LocalStore(tmp_path / "remote")
    store = AnswerStore(LocalStore(tmp_path / "here"), remote)

    def fails(_: str) -> list[str]:
        raise failure

    monkeypatch.setattr(remote, "names", fails)
    assert fitting(store, [asked().question]) == ""
