"""The forecasts of each symbol, made with its tables alone, are those of all symbols together."""

import polars as pl
import pytest

from stages.forecasting.answering import (
    answers_summary,
    ask_all,
    benchmark_backend,
    quantile_table,
    total_summary,
)
from stages.forecasting.by_symbol import Answered, AnswerSymbol, asked_by_symbol
from stages.forecasting.local_backend import local_backend
from stages.tables.contract import unpacked
from stages.tables.forecasts import Quantiles
from tests.features.made_bars import made_calendar
from tests.forecasting.windows import forecaster_params
from tests.questions.markets import plan, random_market, requests_params

MARKET = random_market(made_calendar(4, n_bars=60), "A", "B")
REQUESTS = requests_params()
SCHEDULE, QUESTIONS = plan(MARKET)
SEASONAL = forecaster_params(name="seasonal", model="seasonal")
ANSWERS = ask_all(QUESTIONS, MARKET, local_backend("seasonal", SEASONAL, REQUESTS.horizons_min))


def by_symbol(bought: dict | None) -> list[Answered]:
    work = AnswerSymbol(SEASONAL, REQUESTS, MARKET.calendar)
    asked = asked_by_symbol(QUESTIONS, SCHEDULE, MARKET.usable, bought)
    assert list(asked) == ["A", "B"]
    return [work(symbol, MARKET.bars[symbol], MARKET.features[symbol], one) for symbol, one in asked.items()]


@pytest.mark.parametrize("bought", [None, ANSWERS], ids=["asked there", "bought before"])
def test_table_and_summary_are_those_of_all_symbols_at_once(bought):
    beside = ask_all(QUESTIONS, MARKET, benchmark_backend(SEASONAL, REQUESTS))
    whole = Quantiles.of(quantile_table(SCHEDULE, ANSWERS, beside, REQUESTS, SEASONAL))
    parts = by_symbol(bought)

    assert pl.concat(unpacked(one.quantiles) for one in parts).equals(whole)
    assert sum(one.rows for one in parts) == whole.height
    assert total_summary([one.summary for one in parts]) == answers_summary(ANSWERS, whole)


def test_a_forecaster_elsewhere_is_not_asked_for_what_was_bought(monkeypatch):
    monkeypatch.setattr("stages.forecasting.by_symbol.local_backend", None)  # whoever calls it fails
    assert by_symbol(ANSWERS)
