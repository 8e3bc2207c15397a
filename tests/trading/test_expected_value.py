"""The expected value of a barrier trade is the mean of a normal move cut at stop and target."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from stages.trading.rules import lost_to_target, normal_of, saved_by_stop

bp = st.floats(-60.0, 60.0)
spread = st.floats(0.1, 60.0)
distance = st.floats(0.5, 90.0)


def clipped_mean(mu: float, sd: float, stop: float, take: float) -> float:
    a = [np.array([x]) for x in (mu, sd, stop, take)]
    return float((a[0] + saved_by_stop(a[0], a[1], a[2]) - lost_to_target(a[0], a[1], a[3]))[0])


def test_a_certain_move_inside_the_barriers_is_worth_itself():
    assert clipped_mean(4.0, 0.0, 10.0, 10.0) == 4.0


def test_a_certain_move_beyond_a_barrier_is_worth_the_barrier():
    assert clipped_mean(25.0, 0.0, 10.0, 8.0) == 8.0
    assert clipped_mean(-25.0, 0.0, 10.0, 8.0) == -10.0


def test_a_fair_move_between_even_barriers_is_worth_nothing():
    assert clipped_mean(0.0, 12.0, 10.0, 10.0) == pytest.approx(0.0, abs=1e-12)


@given(bp, spread, distance, distance)
def test_it_agrees_with_numerical_integration(mu, sd, stop, take):
    low, high = (-stop - mu) / sd, (take - mu) / sd
    inside, _ = (
        quad(lambda z: (mu + sd * z) * norm.pdf(z), max(low, -12), min(high, 12))
        if low < 12 and high > -12
        else (0.0, 0.0)
    )
    assert clipped_mean(mu, sd, stop, take) == pytest.approx(
        -stop * norm.cdf(low) + take * norm.sf(high) + inside, abs=1e-6
    )


@given(bp, spread, distance, distance)
def test_it_agrees_with_the_textbook_form_of_the_clipped_normal(mu, sd, stop, take):
    alpha, beta = (-stop - mu) / sd, (take - mu) / sd
    textbook = (
        -stop * norm.cdf(alpha)
        + take * (1.0 - norm.cdf(beta))
        + mu * (norm.cdf(beta) - norm.cdf(alpha))
        - sd * (norm.pdf(beta) - norm.pdf(alpha))
    )
    assert clipped_mean(mu, sd, stop, take) == pytest.approx(textbook, abs=1e-9)


@given(bp, spread, distance, distance)
def test_it_lies_between_the_barriers_and_far_barriers_cut_nothing(mu, sd, stop, take):
    assert -stop - 1e-9 <= clipped_mean(mu, sd, stop, take) <= take + 1e-9
    assert clipped_mean(mu, sd, 1e4, 1e4) == pytest.approx(mu, abs=1e-6)


@given(bp, spread, distance)
def test_a_nearer_target_is_never_worth_more(mu, sd, stop):
    assert clipped_mean(mu, sd, stop, 5.0) <= clipped_mean(mu, sd, stop, 15.0) + 1e-12


def test_quartiles_of_a_normal_give_back_its_moments():
    q25, q50, q75 = (np.array([norm.ppf(level, 3.0, 8.0)]) for level in (0.25, 0.5, 0.75))
    mu, sd = normal_of(q25, q50, q75)
    assert mu[0] == pytest.approx(3.0)
    assert sd[0] == pytest.approx(8.0, rel=1e-5)
