"""Answers bought by an earlier version stay reachable: today's questions have the keys of that store.

`earlier_store` was written from the stand-in service, for the market below, by the version before session digests were
made once (the parent of commit bc9439a, which hashed each window anew); `earlier_store_exogenous`, with and without
exogenous columns, by commit d8f182d, before `requests.clock`, `exog_policy`, `asked_horizon_min` and the options of the
SDK were params.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.errors import BudgetStop, ConfigurationError
from stages.forecasting.backend import Asked
from stages.params.forecaster import ForecasterParams
from stages.questions.market import Market
from stages.questions.question import Question
from tests.features.made_bars import made_calendar
from tests.questions.markets import model_spec, plan, random_market
from tests.support.contexts import FORECASTER, ContextFactory
from tests.support.timegpt_server import TimeGPTServer

STORE = Path(__file__).with_name("earlier_store")
EXOGENOUS = {"hist_exog": ["session_share", "ret_1m"], "futr_exog": ["minutes_to_close", "is_half", "sin_1"]}
KEYS = ["b071104670f1ef418beb5aed7e446813", "1ff04842f31134a2ffc2b58db538a42a"]


@pytest.fixture
def earlier(tmp_path: Path, server: TimeGPTServer) -> ContextFactory:
    """A purchase context over a copy of the store."""
    return ContextFactory(shutil.copytree(STORE, tmp_path / "forecasts"), server.url)


def asked_today() -> tuple[Market, list[Question]]:
    market = random_market(made_calendar(5), "A")
    who = model_spec(model="timegpt-2.1", model_epoch="2026-11", deployment="stand-in", min_rows=1008, options={})
    return market, plan(market, who=who, history_days=[3], horizons_min=[5, 20], snapshots_et=["10:30"])[1]


def test_the_same_bars_ask_by_the_same_keys_as_ever():
    assert [question.key for question in asked_today()[1]] == KEYS


def test_what_was_bought_then_is_not_bought_again(earlier: ContextFactory, server: TimeGPTServer):
    market, questions = asked_today()
    asked = [Asked(question, lambda question=question: market.window(question)) for question in questions]
    answers = earlier.backend().answer(asked)
    assert sorted(answers) == sorted(KEYS)
    assert server.sent == 0


def test_every_stored_record_is_read_and_is_the_answer_of_its_own_question(earlier: ContextFactory):
    records = earlier.context().store.get(KEYS)
    assert {key: record.key for key, record in records.items()} == dict(zip(KEYS, KEYS, strict=True))
    assert all(Question.parse(record.question.encode()).key == key for key, record in records.items())


KEYS_BEFORE_THE_CLOCK = {  # as the earlier version printed them
    "exogenous": ["d98bc87e46fa6bd36827875daff33054", "cf5f53430a497b96d35619e86d6c3906"],
    "plain": ["872634d8d30fbe6106d93ab3b7148645", "72f32a4ccb8f82dd2de9f72bd7b436fe"],
}
COLUMNS = {"exogenous": EXOGENOUS, "plain": {}}


def asked_then(**requests: Any) -> tuple[Market, list[Question]]:
    """The questions of the second store, through the params of the forecaster."""
    market = random_market(made_calendar(5), "A")
    who = ForecasterParams(**FORECASTER | {"base_url": "https://stand-in.example/timegpt"}).model_spec
    asked = {"history_days": [3], "horizons_min": [5, 20], "snapshots_et": ["10:30"]} | requests
    return market, plan(market, who=who, **asked)[1]


@pytest.fixture
def second(tmp_path: Path, server: TimeGPTServer) -> ContextFactory:
    """A purchase context over a copy of the second store."""
    store = shutil.copytree(STORE.with_name("earlier_store_exogenous"), tmp_path / "forecasts")
    return ContextFactory(store, server.url)


def bought(contexts: ContextFactory, market: Market, questions: list[Question], **api: Any) -> set[str]:
    asked = [Asked(question, lambda question=question: market.window(question)) for question in questions]
    return set(contexts.backend(**api).answer(asked))


@pytest.mark.parametrize("columns", COLUMNS)
def test_no_key_moved_when_clock_policy_and_options_became_params(
    columns: str, second: ContextFactory, server: TimeGPTServer
):
    market, questions = asked_then(**COLUMNS[columns])
    assert [question.key for question in questions] == KEYS_BEFORE_THE_CLOCK[columns]
    assert bought(second, market, questions) == set(KEYS_BEFORE_THE_CLOCK[columns])
    assert server.sent == 0


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_answers_under_the_other_clock_are_named_before_anything_is_bought(
    mode: str, second: ContextFactory, server: TimeGPTServer
):
    market, questions = asked_then(clock="none")
    with pytest.raises(ConfigurationError, match=r"2 of 2 missing answers .*`requests.clock: artificial` to use them"):
        bought(second, market, questions, mode=mode)
    assert server.sent == 0


def test_a_new_name_of_the_epoch_buys_them_again_without_a_clock(second: ContextFactory, server: TimeGPTServer):
    market, questions = asked_then(clock="none")
    renamed = [replace(question, model_epoch="2026-11-no-clock") for question in questions]
    second.know_model = False
    second.forecaster = {"model_epoch": "2026-11-no-clock"}
    assert bought(second, market, renamed) == {question.key for question in renamed}
    assert all("start_datetime" not in body["series"] for body in server.bodies)


def test_horizons_up_to_the_asked_one_are_free(second: ContextFactory, server: TimeGPTServer):
    market, questions = asked_then(horizons_min=[5, 10], asked_horizon_min=20)
    assert bought(second, market, questions) == set(KEYS_BEFORE_THE_CLOCK["plain"])
    assert server.sent == 0


@pytest.mark.parametrize(
    ("clock", "told"), [("artificial", "20` uses them"), ("none", "20` with `requests.clock: artificial` uses them")]
)
def test_the_offline_stop_names_the_horizon_under_which_stored_answers_fit(
    clock: str, told: str, second: ContextFactory
):
    market, questions = asked_then(horizons_min=[5, 10], clock=clock)
    with pytest.raises(BudgetStop, match=f"`requests.asked_horizon_min: {told}"):
        bought(second, market, questions, mode="offline")
