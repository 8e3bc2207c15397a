"""Figures of one strategy, checked by hand and at their edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.trading.performance import lo_standard_error, max_drawdown, sharpe

daily = st.lists(st.integers(-50, 50), min_size=1, max_size=40).map(lambda values: np.array(values, dtype=float))


def test_a_sharpe_by_hand():
    # Twenty days of +3 and -1 in turn: mean 1, sum of squared deviations 20 * 4, over 19.
    series = np.array([3.0, -1.0] * 10)
    assert sharpe(series) == pytest.approx(np.sqrt(252) / np.sqrt(80 / 19))


def test_under_twenty_days_or_without_variation_there_is_no_sharpe():
    assert sharpe(np.array([3.0, -1.0] * 9 + [3.0])) is None
    assert sharpe(np.zeros(100)) is None
    assert sharpe(np.full(100, 0.1)) is None


def test_the_standard_error_of_a_sharpe_of_zero_is_that_of_a_mean():
    assert lo_standard_error(0.0, 252) == pytest.approx(1.0)
    # One per day on top: half the square of the daily ratio.
    assert lo_standard_error(np.sqrt(252), 252) == pytest.approx(np.sqrt(1.5))
    assert lo_standard_error(None, 252) is None


def test_the_standard_error_is_the_spread_that_simulation_shows():
    rng = np.random.default_rng(1)
    drawn = [sharpe(rng.normal(0.1, 1.0, 252)) for _ in range(4000)]
    assert np.std(drawn) == pytest.approx(lo_standard_error(0.1 * np.sqrt(252), 252), rel=0.05)


def test_drawdown_counts_from_the_start_at_zero():
    assert max_drawdown(np.array([-5.0, 3.0, -1.0])) == 5.0
    assert max_drawdown(np.array([4.0, -1.0, -2.0, 6.0, -2.0])) == 3.0


@given(daily)
def test_a_series_of_losses_draws_down_by_their_sum_and_one_of_gains_not_at_all(series):
    assert max_drawdown(-np.abs(series)) == pytest.approx(np.abs(series).sum())
    assert max_drawdown(np.abs(series)) == 0.0


@given(daily)
def test_drawdown_agrees_with_looking_at_every_pair_of_days(series):
    path = np.concatenate([[0.0], np.cumsum(series)])
    pairs = [path[i] - path[j] for i in range(len(path)) for j in range(i, len(path))]
    assert max_drawdown(series) == pytest.approx(max(pairs))
