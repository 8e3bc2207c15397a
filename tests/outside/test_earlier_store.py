"""Answers bought by an earlier version stay reachable: today's questions have the keys of that store.

`earlier_store` was written from the stand-in service, for the market below, by the version before session digests were
made once (the parent of commit bc9439a, which hashed each window anew).
"""

import shutil
from pathlib import Path

import pytest

from stages.forecasting.backend import Asked
from stages.requests.market import Market
from stages.requests.question import Question
from tests.features.made_bars import made_calendar
from tests.outside.shops import ShopKeeper
from tests.outside.timegpt_server import TimeGPTServer
from tests.requests.markets import plan, random_market, respondent

STORE = Path(__file__).with_name("earlier_store")
KEYS = ["b071104670f1ef418beb5aed7e446813", "1ff04842f31134a2ffc2b58db538a42a"]


@pytest.fixture
def earlier(tmp_path: Path, server: TimeGPTServer) -> ShopKeeper:
    """A shop over a copy of the store."""
    return ShopKeeper(shutil.copytree(STORE, tmp_path / "forecasts"), server.url)


def asked_today() -> tuple[Market, list[Question]]:
    market = random_market(made_calendar(5), "A")
    who = respondent(model="timegpt-2.1", model_epoch="2026-11", deployment="stand-in", min_rows=1008, options={})
    return market, plan(market, who=who, history_days=[3], horizons_min=[5, 20], snapshots_et=["10:30"])[1]


def test_the_same_bars_ask_by_the_same_keys_as_ever():
    assert [question.key for question in asked_today()[1]] == KEYS


def test_what_was_bought_then_is_not_bought_again(earlier: ShopKeeper, server: TimeGPTServer):
    market, questions = asked_today()
    asked = [Asked(question, lambda question=question: market.window(question)) for question in questions]
    answers = earlier.backend().answer(asked)
    assert sorted(answers) == sorted(KEYS)
    assert server.sent == 0


def test_every_stored_record_is_read_and_is_the_answer_of_its_own_question(earlier: ShopKeeper):
    records = earlier.shop().store.get(KEYS)
    assert {key: record.key for key, record in records.items()} == dict(zip(KEYS, KEYS, strict=True))
    assert all(Question.parse(record.question.encode()).key == key for key, record in records.items())
