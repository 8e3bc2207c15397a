"""One forecast says long, short or nothing, and how strongly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from stages.trading.rules import SymbolCosts, Views, expected_value_bp, lost_to_target, saved_by_stop, views
from tests.trading.made_markets import RULES

# 100 dollars, half a bp and a tick of one cent a side: 3 bp for the round trip.
COSTS = SymbolCosts(fees_bps=0.5, half_spread_px=0.01, tick_px=0.01, mult=1.0)


def view(q25: float, q50: float, q75: float, sigma: float = 0.001, *, costs=COSTS, rules=RULES) -> Views:
    return views(tuple(np.array([q]) for q in (q25, q50, q75)), np.array([100.0]), np.array([sigma]), costs, rules)


def log_bp(move_bp: float) -> float:
    """The log return of a simple move."""
    return 1e4 * np.log1p(move_bp / 1e4)


@pytest.mark.parametrize(
    ("quartiles", "side"),
    [
        ((3.1, 8.0, 12.0), 1),
        ((2.9, 8.0, 12.0), 0),
        ((-12.0, -8.0, -3.1), -1),
        ((-12.0, -8.0, -2.9), 0),
        ((-5.0, 0.0, 5.0), 0),
    ],
)
def test_the_quartile_on_the_losing_side_must_clear_the_round_trip(quartiles, side):
    assert view(*(log_bp(q) for q in quartiles)).side[0] == side


@pytest.mark.parametrize(("quartiles", "side"), [((0.0, 1.0, 2.0), 0), ((-2.0, -1.0, 0.0), 0), ((1e-9, 1.0, 2.0), 1)])
def test_the_hurdle_itself_is_not_enough(quartiles, side):
    free = SymbolCosts(fees_bps=0.0, half_spread_px=0.0, tick_px=0.01, mult=1.0)
    assert view(*quartiles, costs=free).side[0] == side


def test_strength_is_the_median_move_in_sigmas():
    assert view(log_bp(4.0), log_bp(15.0), log_bp(30.0)).strength[0] == pytest.approx(1.5)


def test_the_expected_value_of_a_certain_move_is_what_the_target_leaves_after_costs():
    certain = view(25.0, 25.0, 25.0)
    assert expected_value_bp(certain, np.array([0.001]), (1.0, 0.8))[0] == pytest.approx(8.0 - 3.0)


def test_a_certain_move_to_a_barrier_itself_gains_and_loses_nothing_by_it():
    moves, barrier = np.array([8.0, -8.0]), np.full(2, 8.0)
    for cut in (lost_to_target(moves, np.zeros(2), barrier), saved_by_stop(moves, np.zeros(2), barrier)):
        assert cut.tolist() == [0.0, 0.0]


def test_a_target_nearer_than_the_costs_can_never_pay():
    certain = view(25.0, 25.0, 25.0)
    assert expected_value_bp(certain, np.array([0.001]), (1.0, 0.29))[0] < 0.0


def ev_bp(one: Views, sigma: float = 0.001, barriers: tuple[float, float] = (1.0, 1.5)) -> float:
    return float(expected_value_bp(one, np.array([sigma]), barriers)[0])


def test_a_certain_move_is_worth_as_much_as_the_price_moves_and_not_its_logarithm():
    # 5 % up is 487.9 bp of log return and 500 bp of the price; the barriers lie ten per cent away.
    assert ev_bp(view(*[log_bp(500.0)] * 3), sigma=0.1, barriers=(1.0, 1.0)) == pytest.approx(500.0 - 3.0)


def test_risk_aversion_charges_the_spread_of_the_forecast():
    wide = (log_bp(5.0), log_bp(20.0), log_bp(35.0))
    calm, averse = (ev_bp(view(*wide, rules=RULES.model_copy(update={"risk_aversion": x}))) for x in (0.0, 0.1))
    assert calm - averse == pytest.approx(0.1 * 30.0 / 1.34898)


move = st.floats(3.1, 800.0)


@given(move, move, move, st.floats(0.0005, 0.02))
def test_a_short_is_worth_as_much_as_the_long_on_the_negated_simple_returns(one, two, three, sigma):
    low, mid, high = sorted((one, two, three))
    up = view(log_bp(low), log_bp(mid), log_bp(high))
    down = view(log_bp(-high), log_bp(-mid), log_bp(-low))
    assert (up.side[0], down.side[0]) == (1, -1)
    assert up.strength[0] == pytest.approx(down.strength[0], rel=1e-9)
    assert ev_bp(up, sigma) == pytest.approx(ev_bp(down, sigma), rel=1e-9, abs=1e-9)


def test_the_expected_value_of_a_short_is_the_integral_over_simple_returns():
    # Source: numerical integration of what the position earns, the move normal with the quartiles' moments.
    q25, q50, q75 = (1e4 * np.expm1(q / 1e4) for q in (-420.0, -200.0, -40.0))
    mu, sd, stop, take = (q25 + q50 + q75) / 3.0, (q75 - q25) / 1.34898, 150.0, 300.0
    earned, _ = quad(
        lambda x: np.clip(-x, -stop, take) * norm.pdf(x, mu, sd), mu - 9 * sd, mu + 9 * sd, points=(-take, stop)
    )
    assert ev_bp(view(-420.0, -200.0, -40.0), sigma=0.01, barriers=(1.5, 3.0)) == pytest.approx(earned - 3.0, abs=1e-6)
