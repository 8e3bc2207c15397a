"""The variants of a sweep: which there are, what they are called, and who is whose neighbour."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from stages.errors import ConfigurationError
from stages.params.sweep import Grid
from stages.trading.grid import combos, neighbours, require_swept
from stages.trading.trade_grid import Market
from tests.trading.made_markets import HISTORY, METHOD, forecast, random_market, strategy, table, trade_here

EMPTY = {
    "history_days": (),
    "horizon_min": (),
    "k_sigma": (),
    "s_stop": (),
    "s_take": (),
    "max_hold_min": (),
    "method": (),
    "cost_mult": (),
}


def grid(**axes) -> Grid:
    return Grid(**(EMPTY | axes))


def test_every_combination_is_one_combo():
    found = combos(strategy("A"), grid(k_sigma=(0.5, 1.0), s_stop=(1.0, 2.0, 3.0)))
    assert [(one.strategy.rules.k_sigma, one.strategy.rules.s_stop) for one in found] == [
        (0.5, 1.0),
        (0.5, 2.0),
        (0.5, 3.0),
        (1.0, 1.0),
        (1.0, 2.0),
        (1.0, 3.0),
    ]


def test_an_empty_grid_is_the_strategy_that_params_state():
    (only,) = combos(strategy("A"), grid())
    assert only.strategy == strategy("A")
    assert only.strategy.combo == strategy("A").combo


def test_the_name_of_a_combo_is_its_content():
    first, second = combos(strategy("A"), grid(k_sigma=(0.5, 1.0)))
    assert first.strategy.combo == strategy("A", k_sigma=0.5).combo != second.strategy.combo
    assert strategy("A").with_costs(cost_mult=2.0).combo != strategy("A").combo
    assert replace(strategy("A"), method="widen").combo != strategy("A").combo
    assert strategy("A", "B").combo != strategy("A").combo
    assert strategy("B", "A").combo == strategy("A", "B").combo


def test_a_combo_keeps_its_name_when_the_grid_around_it_changes():
    alone = combos(strategy("A"), grid(k_sigma=(1.0,)))[0]
    among = combos(strategy("A"), grid(k_sigma=(2.0, 1.0), s_stop=(2.0, 1.0)))
    assert alone.strategy.combo in {one.strategy.combo for one in among}


def test_methods_and_cost_multiples_can_be_swept():
    found = combos(strategy("A"), grid(method=("cqr", "identity"), cost_mult=(1.0, 2.0)))
    assert [(one.strategy.method, one.strategy.costs.cost_mult) for one in found] == [
        ("cqr", 1.0),
        ("cqr", 2.0),
        ("identity", 1.0),
        ("identity", 2.0),
    ]


def test_a_swept_horizon_is_given_to_every_symbol():
    base = strategy("A", "B", horizon_min_by_symbol={"B": 5})
    found = combos(base, grid(horizon_min=(10, 20)))
    assert [[one.strategy.horizon_min(symbol) for symbol in "AB"] for one in found] == [[10, 10], [20, 20]]


def test_a_horizon_that_is_not_swept_leaves_symbols_their_own():
    base = strategy("A", "B", horizon_min_by_symbol={"B": 5})
    assert all(one.strategy.horizon_min("B") == 5 for one in combos(base, grid(k_sigma=(0.5, 1.0))))


def test_neighbours_are_one_step_away_along_one_scale():
    found = combos(strategy("A"), grid(k_sigma=(1.5, 0.5, 1.0), s_stop=(1.0, 2.0)))
    around = {
        (found[n].strategy.rules.k_sigma, found[n].strategy.rules.s_stop): sorted(
            (found[m].strategy.rules.k_sigma, found[m].strategy.rules.s_stop) for m in numbers
        )
        for n, numbers in enumerate(neighbours(found))
    }
    assert around[1.0, 1.0] == [(0.5, 1.0), (1.0, 1.0), (1.0, 2.0), (1.5, 1.0)]
    assert around[0.5, 2.0] == [(0.5, 1.0), (0.5, 2.0), (1.0, 2.0)]


def test_methods_and_cost_multiples_have_no_neighbours():
    found = combos(strategy("A"), grid(method=("cqr", "identity"), cost_mult=(1.0, 2.0)))
    assert neighbours(found) == [[0], [1], [2], [3]]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"horizon_min": (7,)}, r"sweep\.grid\.horizon_min asks for 7, but the forecasts have horizon_min 10: choose"),
        ({"method": ("split",)}, r"sweep\.grid\.method asks for split"),
    ],
)
def test_a_grid_axis_over_forecasts_that_were_not_made_is_refused(axes, message):
    made = table([forecast("A", date(2024, 3, 13), "10:30", (1.0, 2.0, 3.0))])
    with pytest.raises(ConfigurationError, match=message):
        require_swept(strategy("A"), grid(**axes), made)


def test_a_history_that_no_session_could_ask_yet_trades_nothing_beside_the_others():
    bars, forecasts, sessions = random_market(("A",), 30, seed=3)
    base, market = strategy("A").with_costs(cost_mult=0.0), Market(bars, forecasts, sessions)
    axes = grid(history_days=(HISTORY, 60))
    require_swept(base, axes, forecasts)
    found = [one.strategy for one in combos(base, axes)]
    assert market.common_to(found).calendar.height == 30
    asked, unasked = trade_here(found, market)
    (alone,) = trade_here(found[:1], market)
    assert asked.net_units.tolist() == alone.net_units.tolist()
    assert (unasked.trades, unasked.net_units.any()) == (0, False)


def test_a_value_named_twice_is_refused():
    with pytest.raises(ValueError, match=r"k_sigma\n.*repeats a value: "):
        grid(k_sigma=(0.5, 0.5))


@pytest.mark.parametrize(
    "axes", [{"history_days": (HISTORY, 60)}, {"method": (METHOD, "identity")}], ids=["history", "method"]
)
def test_histories_and_methods_are_compared_on_the_sessions_on_which_each_may_trade(axes):
    """The same answers by both kinds, one of them calibrated from the eleventh session on: neither may look better."""
    bars, forecasts, sessions = random_market(("A",), 30, seed=3)
    begins = sessions["session"].sort()[10]
    (axis, (_, other)), known = *axes.items(), pl.col("calibrated") & (pl.col("session") >= begins)
    late = forecasts.with_columns(pl.lit(other).cast(forecasts[axis].dtype).alias(axis), calibrated=known)
    market = Market(bars, pl.concat([forecasts, late]), sessions)
    base = strategy("A").with_costs(cost_mult=0.0)
    found = [one.strategy for one in combos(base, grid(**axes))]
    found = [replace(one, eligible=frozenset({one.cell("A")})) for one in found]

    alone, both = market.common_to(found[:1]), market.common_to(found)
    assert (alone.calendar.height, both.calendar.height) == (30, 20)
    early, late = trade_here(found, both)
    assert early.trades == late.trades > 0
    assert early.net_units.tolist() == late.net_units.tolist()
    (whole,) = trade_here(found[:1], alone)
    assert whole.net_units[10:].tolist() == early.net_units.tolist()
    assert whole.trades > early.trades


def test_a_symbol_that_no_variant_may_trade_says_nothing_about_the_sessions_that_are_compared():
    """B had every kind of forecast from the first session on, and may not trade; A, listed later, had to wait."""
    bars, forecasts, sessions = random_market(("A", "B"), 30, seed=3)
    begins = sessions["session"].sort()[10]
    known = pl.col("calibrated") & ((pl.col("symbol") == "B") | (pl.col("session") >= begins))
    late = forecasts.with_columns(pl.lit(60).cast(pl.Int32).alias("history_days"), calibrated=known)
    market = Market(bars, pl.concat([forecasts, late]), sessions)
    found = [one.strategy for one in combos(strategy("A", histories=(HISTORY, 60)), grid(history_days=(HISTORY, 60)))]
    assert market.common_to(found).calendar.height == 20
    gated = [replace(one, whitelist=("A", "B")) for one in found]
    assert market.common_to(gated).calendar.height == 20


def test_a_span_without_forecasts_keeps_its_sessions():
    bars, forecasts, sessions = random_market(("A",), 3, seed=3)
    assert Market(bars, forecasts.clear(), sessions).common_to([strategy("A")]).calendar.height == 3
