"""Days drawn anew say how far a figure could lie elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.scoring.inference import block_lengths, day_weights, varies


def autoregressive(n: int, rho: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n)
    series = np.zeros(n)
    for day in range(1, n):
        series[day] = rho * series[day - 1] + noise[day]
    return series


@settings(max_examples=30, deadline=None)
@given(n_days=st.integers(1, 120), block=st.integers(1, 20))
def test_every_draw_holds_as_many_days_as_there_are(n_days, block):
    weights = day_weights(n_days, block, 50, 7)

    assert weights.shape == (50, n_days)
    assert (weights.sum(axis=1) == n_days).all()


def test_no_day_is_preferred():
    for block in (1, 5):
        mean = day_weights(30, block, 20_000, 7).mean(axis=0)
        assert np.allclose(mean, 1.0, atol=0.06)  # standard error below 0.02


@pytest.mark.xdist_group("libraries")
@pytest.mark.parametrize("seed", [*range(5), 8, 11, 37])  # the last three: barely significant lags of thirty days
@pytest.mark.parametrize(
    ("n", "rho"), [(100, 0.0), (100, 0.4), (100, 0.8), (21, 0.99), (61, 0.99), (250, 0.95), (30, 0.3)]
)
def test_block_lengths_are_those_of_arch_rounded_up(n, rho, seed):
    # Source of the expected length: arch.bootstrap.optimal_block_length.
    from arch.bootstrap import optimal_block_length

    series = autoregressive(n, rho, seed)

    expected = float(optimal_block_length(series)["stationary"].iloc[0])

    assert block_lengths(series) == max(1, np.ceil(expected - 1e-9))


def test_days_that_cancel_each_other_out_are_drawn_in_the_longest_blocks():
    """Their long-run variance is 0, by which the length is divided."""
    with np.errstate(all="raise"):
        assert block_lengths(np.array([0.0, 1.0, -1.0, *np.zeros(7)])) == 4  # ceil(10 / 3)


def test_a_constant_series_is_drawn_day_by_day():
    assert block_lengths(np.full(80, 0.1)) == 1


@pytest.mark.parametrize(
    ("daily", "differ"),
    [
        ([1.0], False),
        ([1.0, 2.0], True),
        ([1.0, 2.0, 3.0], True),  # though one of them is the mean
        ([0.0, 1.9e-9], False),  # each lies less than 1e-9 from the mean
        ([0.0, 2.1e-9], True),
        ([1e6, 1e6 + 1.9e-3], False),  # less than 1e-9 of 1e6
        ([1e6, 1e6 + 2.1e-3], True),
        ([0.0, 0.0, -1e6, 1e6, 1e-3], True),
    ],
)
def test_days_differ_where_they_do_by_more_than_the_rounding_of_sums(daily, differ):
    assert varies(np.array(daily)) == differ


@pytest.mark.xdist_group("libraries")
def test_bounds_agree_with_the_bootstraps_of_arch():
    # Source of the expected bounds: arch's IID and stationary bootstraps of the same ratio of sums.
    from arch.bootstrap import IIDBootstrap, StationaryBootstrap

    days = 80
    above, below = np.abs(autoregressive(days, 0.5, 3)) + 1.0, np.abs(autoregressive(days, 0.2, 4)) + 2.0

    def ratio(a, b):
        return np.array([a.sum() / b.sum()])

    for block, oracle in (
        (1, IIDBootstrap(above, below, seed=np.random.default_rng(1))),
        (6, StationaryBootstrap(6, above, below, seed=np.random.default_rng(1))),
    ):
        weights = day_weights(days, block, 4000, 7)
        drawn = (weights @ above) / (weights @ below)
        expected = oracle.apply(ratio, 4000)[:, 0]
        assert drawn.std() == pytest.approx(expected.std(), rel=0.06)
        assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx(np.quantile(expected, [0.05, 0.95]), abs=0.006)


def test_the_same_days_are_drawn_on_every_run():
    assert np.array_equal(day_weights(40, 3, 100, 7), day_weights.__wrapped__(40, 3, 100, 7))
    assert not np.array_equal(day_weights(40, 3, 100, 7), day_weights(40, 3, 100, 8))
