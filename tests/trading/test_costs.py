"""Costs are what the page says they are, and nobody trades for free."""

import numpy as np
import pytest

from stages.errors import ConfigurationError
from stages.params.rules import CostsParams
from stages.trading.rules import require_costs, symbol_costs


def costs(**changes) -> CostsParams:
    stated = {
        "fees_bps": 0.5,
        "half_spread_ticks": {"AAPL": 1.0, "NVDA": 2.0},
        "tick_size": {"AAPL": 0.01, "NVDA": 0.01},
        "cost_mult": 1.0,
    }
    return CostsParams(**(stated | changes))


def round_trip(stated: CostsParams, symbol: str, last: float) -> float:
    of_symbol = symbol_costs(stated, symbol)
    assert of_symbol is not None
    return float(of_symbol.round_trip_bp(np.array([last]))[0])


def test_one_tick_at_200_dollars_and_half_a_bp_of_fees_cost_one_bp_a_side():
    assert round_trip(costs(), "AAPL", 200.0) == pytest.approx(2.0)


def test_two_ticks_at_100_dollars_cost_two_bp_of_spread_a_side():
    assert round_trip(costs(), "NVDA", 100.0) == pytest.approx(2 * (0.5 + 2.0))


def test_the_multiple_scales_fees_and_spread_alike():
    assert round_trip(costs(cost_mult=1.5), "AAPL", 200.0) == pytest.approx(3.0)


@pytest.mark.parametrize("name", ["half_spread_ticks", "tick_size"])
def test_a_whitelisted_symbol_without_costs_is_refused_by_name(name):
    other = {"half_spread_ticks", "tick_size"} - {name}
    stated = costs(**{other.pop(): {"AAPL": 1.0, "MSFT": 1.0}})
    with pytest.raises(ConfigurationError, match=rf"costs\.{name} has no value for MSFT"):
        require_costs(stated, ("AAPL", "MSFT"))


def test_symbols_without_costs_are_named_in_order():
    strangers = ("Z", "Q", "C", "X", "M", "B", "K")
    with pytest.raises(ConfigurationError, match="has no value for B, C, K, M, Q, X, Z, which"):
        require_costs(costs(), (*strangers, "AAPL"))


def test_a_symbol_without_costs_has_none_rather_than_zero():
    assert symbol_costs(costs(), "MSFT") is None
