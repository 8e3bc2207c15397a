"""What a change costs: real questions cut from bars, bought from the stand-in, series counted by the server."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.errors import BudgetStop
from stages.forecasting.answering import answers_summary, ask_all, quantile_table
from stages.forecasting.backend import Asked, Backend
from stages.io.files import write_table
from stages.params.forecaster import SDK_OPTIONS, ForecasterParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.tables.forecasts import Quantiles
from tests.features.made_bars import made_calendar
from tests.questions.markets import market_of, model_spec, plan, random_market, requests_params
from tests.support.contexts import FORECASTER, ContextFactory, everything_under
from tests.support.timegpt_server import INPUT_SIZE, KEY, MODEL_HORIZON, TimeGPTServer

CALENDAR = made_calendar(6, n_bars=60)
DAYS = CALENDAR["session"].to_list()
MARKET = random_market(CALENDAR, "A", "B", "C")
WHO = {name: FORECASTER[name] for name in ("model", "model_epoch")} | {"deployment": "stand-in", "options": SDK_OPTIONS}
FACTS = {"input_size": INPUT_SIZE, "model_horizon": MODEL_HORIZON}


class Study:
    """A study over one store; `series_paid` says what answering it costs now."""

    def __init__(self, contexts: ContextFactory, server: TimeGPTServer) -> None:
        contexts.forecaster = {"min_rows": 1}
        self.contexts, self.server = contexts, server

    def series_paid(self, market: Market = MARKET, who: dict[str, Any] | None = None, **requests: Any) -> int:
        before = self.server.series_billed.total()
        questions = questions_of(market, who, **requests)
        self.contexts.backend().answer([Asked(one, partial(market.window, one)) for one in questions])
        return self.server.series_billed.total() - before


def questions_of(market: Market, who: dict[str, Any] | None = None, **requests: Any) -> list[Question]:
    return plan(market, who=model_spec(**WHO | FACTS | (who or {})), **requests)[1]


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds the answers to all questions of the market."""
    store = tmp_path_factory.mktemp("bought") / "forecasts"
    with pytest.MonkeyPatch.context() as patch, TimeGPTServer() as server:
        patch.setenv("NIXTLA_API_KEY", KEY)
        paid = Study(ContextFactory(store, server.url), server).series_paid()
    assert paid == 3 * 4 * 2  # symbols, sessions with two before them, snapshots
    return store


@pytest.fixture
def study(bought: Path, contexts: ContextFactory, server: TimeGPTServer) -> Study:
    """A study over a copy of that store."""
    shutil.copytree(bought, contexts.root)
    return Study(contexts, server)


def chosen(*symbols: str, bars: dict[str, pl.DataFrame] | None = None) -> Market:
    return market_of({symbol: (bars or dict(MARKET.bars))[symbol] for symbol in symbols}, CALENDAR)


def test_what_cannot_change_an_answer_is_free(study: Study):
    """Fewer symbols, another order, columns shuffled and in chunks, shorter horizons, fewer or capped snapshots."""
    assert study.series_paid(chosen("C", "A")) == 0
    shuffled = {s: pl.concat([f[:33], f[33:]], rechunk=False).select(sorted(f.columns)) for s, f in MARKET.bars.items()}
    assert study.series_paid(market_of(shuffled, CALENDAR)) == 0
    assert study.series_paid(horizons_min=[10]) == study.series_paid(horizons_min=[2, 10]) == 0
    assert study.series_paid(snapshots_et=["10:00"]) == study.series_paid(max_snapshots_per_day=1) == 0
    assert study.series_paid(first_session=DAYS[3], last_session=DAYS[4]) == 0


def test_one_more_symbol_costs_only_its_own_questions(study: Study):
    more = {**MARKET.bars, "D": random_market(CALENDAR, "D").bars["D"]}
    assert study.series_paid(market_of(more, CALENDAR)) == 4 * 2


def test_one_more_snapshot_costs_one_question_a_symbol_and_session(study: Study):
    assert study.series_paid(snapshots_et=["09:45", "09:50", "10:00"]) == 3 * 4


@pytest.mark.parametrize("row", [0, 70, 150, 290])
def test_a_revised_bar_costs_exactly_the_questions_whose_sent_window_holds_it(row: int, study: Study):
    bars = MARKET.bars["B"]
    up = pl.when(pl.int_range(pl.len()) == row).then(0.001).otherwise(0.0)
    revised = bars.with_columns(pl.col("close") + up, pl.col("high") + up)
    holding = [q for q in questions_of(chosen("B")) if q.start_utc <= bars["ts"][row] <= q.end_utc]
    assert study.series_paid(market_of({**MARKET.bars, "B": revised}, CALENDAR)) == len(holding) > 0


def test_two_histories_that_send_the_same_rows_are_paid_once(contexts: ContextFactory, server: TimeGPTServer):
    """3 * 20 + 20 rows are fewer than two sessions; the service is told the same numbers."""
    contexts.know_model = False
    contexts.forecaster = {"min_rows": 1, "input_size": 20}
    asked = questions_of(MARKET, {"input_size": 20}, history_days=[2, 3])
    assert {question.rows for question in asked} == {80}
    server.facts["input_size"] = 20
    contexts.backend().answer([Asked(one, partial(MARKET.window, one)) for one in asked])
    assert server.series_billed.total() == len(asked) == 3 * 4 * 2
    assert max(server.series_billed.values()) == 1


@pytest.mark.parametrize("who", [{"model": "timegpt-2"}, {"model_epoch": "2027-01"}])
def test_another_model_or_epoch_costs_everything_again(who: dict[str, str], study: Study):
    study.contexts.know_model = False
    study.contexts.forecaster |= who
    assert study.series_paid(who=who) == 24


def test_a_larger_horizon_or_one_exogenous_column_costs_everything_again(study: Study):
    assert study.series_paid(horizons_min=[5, 11]) == 24
    assert study.series_paid(hist_exog=["session_share"]) == 24


def table_of(backend: Backend) -> tuple[pl.DataFrame, dict[str, Any]]:
    """What the stage would write."""
    schedule, questions = plan(MARKET, who=model_spec(**WHO | FACTS))
    answers = ask_all(questions, MARKET, backend)
    forecaster = ForecasterParams(**FORECASTER | {"base_url": "http://stand-in"})
    table = Quantiles.of(quantile_table(schedule, answers, {}, requests_params(), forecaster))
    return table, answers_summary(answers, table)


def test_stores_with_different_histories_give_the_same_bytes(
    contexts: ContextFactory, server: TimeGPTServer, tmp_path: Path
):
    """One buys all at once; the other in packed calls, over two days of small budgets, with a crash of the service."""
    contexts.forecaster = {"min_rows": 1}
    other = ContextFactory(tmp_path / "other", server.url, forecaster=contexts.forecaster)
    other.backend().prove_independence([Asked(q, partial(MARKET.window, q)) for q in questions_of(MARKET)[:2]])
    server.next("503", "drop_after", "ok")
    with pytest.raises(BudgetStop):
        table_of(other.backend(per_run=4))
    tables = [table_of(contexts.backend()), table_of(other.backend(pack="snapshots"))]
    files = [tmp_path / name for name in ("one", "two")]
    for path, (table, _) in zip(files, tables, strict=True):
        write_table(Quantiles, table, path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert tables[0][1] == tables[1][1]
    assert everything_under(contexts.root) != everything_under(other.root)
