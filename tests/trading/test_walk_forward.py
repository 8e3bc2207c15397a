"""Chosen again and again on the days known so far: what the stated rule of choice would have earned."""

import polars as pl
import pytest

from stages.params.split import WalkForward, WalkForwardParams
from stages.sessions.spans import Span, folds, within
from stages.trading.grid import combos
from stages.trading.ranking import Swept, proposal, ranking
from stages.trading.trade_grid import Market
from stages.trading.walk_forward import CHOICE, walk_forward
from tests.trading.made_markets import random_market, strategy, trade_here
from tests.trading.test_ranking import params

SYMBOLS = ("A", "B")
BARS, FORECASTS, CALENDAR = random_market(SYMBOLS, 48, seed=8)
BASE = strategy(*SYMBOLS).with_costs(cost_mult=0.0)  # random forecasts would not earn their costs
SESSIONS = CALENDAR["session"].to_list()
STATED = params(min_trades=1, plateau=False, k_sigma=(0.1, 1.0), s_stop=(0.5, 3.0), horizon_min=(5, 10))
FOLDS = folds(
    SESSIONS, WalkForwardParams(embargo_sessions=1, walk_forward=WalkForward(first_train_sessions=20, fold_sessions=9))
)


def walked(forecasts: pl.DataFrame = FORECASTS, steps=FOLDS, stated=STATED) -> pl.DataFrame:
    market = Market(BARS, forecasts, CALENDAR)
    variants = combos(BASE, stated.grid)
    swept = Swept(BASE, variants, trade_here([one.strategy for one in variants], market), CALENDAR)
    return walk_forward(swept, steps, market, stated, trade_here)


def swept_on(span: Span) -> Swept:
    """A sweep by somebody who lives in these sessions."""
    market = Market(BARS, within(span, FORECASTS), within(span, CALENDAR))
    variants = combos(BASE, STATED.grid)
    return Swept(BASE, variants, trade_here([one.strategy for one in variants], market), market.calendar)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return walked()


def test_each_fold_trades_what_a_sweep_of_its_training_days_proposes(table):
    for fold, row in zip(FOLDS, table.iter_rows(named=True), strict=False):
        trained = swept_on(fold.train)
        ranked = ranking(trained, STATED)
        chosen: str = proposal(trained, ranked, STATED.choose_by)["combo"]
        assert (row["combo"], row["train_sharpe"]) == (chosen, ranked.filter(combo=chosen)["sharpe"].item())
        place = [one.strategy.combo for one in trained.combos].index(chosen)
        earned = swept_on(fold.trade).books[place]
        assert row["trades"] == earned.trades
        assert row["net_bp"] == pytest.approx(earned.net_units.sum() / 1e6 / 2, abs=1e-6)


def test_each_row_names_the_sessions_it_learnt_from_and_traded(table):
    """Of 48: twenty to begin with, one of embargo, nine to trade; then nine more are known."""
    numbers = {session: number for number, session in enumerate(SESSIONS)} | {None: None}
    columns = ("train_first", "train_last", "first_session", "last_session")
    found = [[numbers[one] for one in row] for row in table.select(columns).rows()]
    assert found == [[0, 19, 21, 29], [0, 28, 30, 38], [0, 37, 39, 47], [None, None, 21, 47]]
    assert table["train_sessions"].to_list() == [20, 29, 38, None]


def test_the_last_row_adds_the_folds_up(table):
    *steps, whole = table.rows(named=True)
    assert [row["fold"] for row in steps] == ["1", "2", "3"]
    assert (whole["fold"], whole["combo"], whole["sessions"]) == ("all", None, 27)
    assert whole["trades"] == sum(row["trades"] for row in steps) > 0
    assert whole["net_bp"] == pytest.approx(sum(row["net_bp"] for row in steps), abs=1e-5)
    assert whole["sharpe"] is not None


def test_no_choice_knows_what_comes_after_its_training_days(table):
    later = pl.col("session") > FOLDS[1].train.sessions[-1]
    mirror = {"q25": "q75", "q50": "q50", "q75": "q25"}
    turned = FORECASTS.with_columns(
        pl.when(later).then(-pl.col(other)).otherwise(pl.col(name)).alias(name) for name, other in mirror.items()
    )
    others = walked(turned)
    choice = ["combo", "train_sharpe", "train_last"]
    assert others.select(choice).head(2).equals(table.select(choice).head(2))
    assert not others.equals(table)


def test_a_fold_in_which_nothing_qualified_trades_nothing():
    idle = walked(stated=replace_min_trades(10**6))
    assert idle["combo"].null_count() == idle.height
    assert idle["trades"].sum() == 0
    assert idle.select("net_bp").sum().item() == 0.0


def test_a_fold_that_trades_nothing_adds_nothing_to_the_whole():
    """As many trades are asked for as no variant has in the first training span."""
    least = 1 + max(book.trades for book in swept_on(FOLDS[0].train).books)
    *steps, whole = walked(stated=replace_min_trades(least)).rows(named=True)
    assert [row["combo"] is None for row in steps] == [True, False, False]
    traded = steps[1:]
    assert {steps[0][name] for name in ("gross_bp", "cost_bp", "net_bp", "turnover", "exposure")} == {0.0}
    for name in ("gross_bp", "cost_bp", "net_bp"):
        assert whole[name] == pytest.approx(sum(row[name] for row in traded), abs=1e-5)
    assert whole["turnover"] == pytest.approx(sum(row["turnover"] * row["sessions"] for row in traded) / 27, abs=1e-5)
    open_min = [within(fold.trade, CALENDAR)["n_bars"].sum() for fold in FOLDS]
    exposed = sum(row["exposure"] * minutes for row, minutes in zip(traded, open_min[1:], strict=True))
    assert whole["exposure"] == pytest.approx(exposed / sum(open_min), abs=2e-6)
    won = sum(row["hit_rate"] * row["trades"] for row in traded)
    assert whole["hit_rate"] == pytest.approx(won / whole["trades"], abs=1e-5)


def replace_min_trades(least: int):
    return STATED.model_copy(update={"choose_by": STATED.choose_by.model_copy(update={"min_trades": least})})


def test_without_a_walk_the_table_has_its_columns_and_no_row(table):
    none = walked(steps=[])
    assert (none.height, none.columns) == (0, table.columns)
    assert list(CHOICE) == none.columns[: len(CHOICE)]
