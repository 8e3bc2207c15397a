"""Evidence by day: right by hand and by a plain loop, never early, and rarely wrong however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from stages.worth.evidence import bounds, log_e_values, rejected_together, running_means, scales, wealth
from tests.worth.worlds import Draw, autocorrelated, normal, skewed_down

TEN_DAYS = np.array([0.05, -0.02, 0.03, 0.08, -0.01, 0.04, 0.0, 0.06, -0.03, 0.07])
BETTER = [1.095, 1.044391, 1.117344, 1.352883, 1.31471, 1.462464, 1.462464, 1.744002, 1.561331, 1.907907]
SMALL = [0.962, 1.064966, 1.064966, 0.928416, 1.013144, 0.988523, 1.063378, 0.976836, 1.129168, 1.007605]
S0, TWENTY = 0.05, math.log(20.0)
BETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)


def by_loop(x: list[float], mean: float, s0: float) -> list[float]:
    """E as the formulas are written down, one day after the other."""
    found, fortunes, squares, total = [], [1.0] * len(BETS), 0.0, 0.0
    for day, value in enumerate(x):
        scale = math.sqrt((3 * s0**2 + squares) / (3 + day))
        z = max(-4.0, min(4.0, (value - mean) / scale))
        fortunes = [one * (1 + 0.95 * bet * z / 4) for one, bet in zip(fortunes, BETS, strict=True)]
        total += value
        squares += (value - total / (day + 1)) ** 2
        found.append(sum(fortunes) / len(BETS))
    return found


def test_ten_days_give_the_values_worked_out_beforehand():
    assert np.exp(log_e_values(TEN_DAYS, 0.0, S0)) == pytest.approx(BETTER, abs=5e-7)
    assert np.exp(log_e_values(TEN_DAYS, 0.03, S0, sign=-1)) == pytest.approx(SMALL, abs=5e-7)
    assert bounds(TEN_DAYS, S0, 20.0)[-1] == pytest.approx(-0.071316, abs=5e-7)
    assert bounds(TEN_DAYS, S0, 20.0, sign=-1)[-1] == pytest.approx(0.126306, abs=5e-7)


def test_a_plain_loop_finds_the_same_also_where_days_are_clipped():
    x = 0.05 * np.random.default_rng(1).standard_t(2, 80)
    assert np.any(np.abs(x) > 4 * scales(x, S0))
    assert np.exp(log_e_values(x, 0.01, S0)) == pytest.approx(by_loop(x.tolist(), 0.01, S0))
    assert np.exp(log_e_values(x, 0.01, S0, sign=-1)) == pytest.approx(by_loop((-x).tolist(), -0.01, S0))


def test_one_day_at_one_scale_and_days_all_at_the_same_number_of_scales_by_hand():
    assert math.exp(log_e_values(np.array([0.02 + S0]), 0.02, S0)[0]) == pytest.approx(1.095)
    for z, counted in ((0.7, 0.7), (-3.0, -3.0), (9.0, 4.0)):
        by_hand = [sum((1 + 0.2375 * bet * counted) ** t for bet in BETS) / 9 for t in range(1, 31)]
        assert np.exp(wealth(np.full(30, z))) == pytest.approx(by_hand)


def test_ties_and_an_advantage_without_variance_are_known_on_day_nineteen():
    assert np.argmax(log_e_values(np.zeros(30), 0.03, S0, sign=-1) >= TWENTY) == 18
    assert np.argmax(log_e_values(np.full(30, 0.03), 0.0, S0) >= TWENTY) == 18


values = st.lists(st.floats(-1.0, 1.0).map(lambda one: round(one, 9)), min_size=1, max_size=40).map(np.array)


@given(values, st.floats(-0.5, 0.5), st.sampled_from([2.0**-10, 0.5, 4.0, 1024.0]))
def test_negating_swaps_the_sides_and_another_unit_changes_nothing(x, mean, unit):
    assert np.array_equal(log_e_values(-x, -mean, S0), log_e_values(x, mean, S0, sign=-1))
    assert np.array_equal(log_e_values(unit * x, unit * mean, unit * S0), log_e_values(x, mean, S0))


def test_bounds_scale_with_their_values_and_swap_sides_when_negated():
    x = 0.05 * np.random.default_rng(4).standard_normal(70)
    assert np.array_equal(bounds(-x, S0, 20.0), -bounds(x, S0, 20.0, sign=-1), equal_nan=True)
    assert np.array_equal(bounds(8.0 * x, 8.0 * S0, 20.0), 8.0 * bounds(x, S0, 20.0), equal_nan=True)


def test_what_was_known_after_a_day_stays_to_the_last_bit():
    x = 0.05 * np.random.default_rng(2).standard_normal(200)
    whole = [log_e_values(x, 0.0, S0), log_e_values(x, 0.03, S0, sign=-1), bounds(x, S0, 20.0), scales(x, S0)]
    for days in (1, 2, 3, 9, 63, 64, 65, 66, 129, 199):
        some = x[:days]
        part = [log_e_values(some, 0.0, S0), log_e_values(some, 0.03, S0, sign=-1), bounds(some, S0, 20.0)]
        part.append(scales(some, S0))
        for of_all, of_some in zip(whole, part, strict=True):
            assert np.array_equal(of_all[:days], of_some, equal_nan=True)


def test_a_bound_is_the_mean_at_which_the_evidence_just_suffices():
    x = 0.02 + 0.05 * np.random.default_rng(3).standard_normal(60)
    for sign in (1, -1):
        found = bounds(x, S0, 20.0, sign)
        for day in (9, 30, 59):
            assert log_e_values(x[: day + 1], found[day], S0, sign)[-1] == pytest.approx(TWENTY, abs=1e-6)


def test_few_days_reject_no_mean_however_far():
    # The most that n days can give is the mean over the bets of (1 + 0.95 bet)^n: 16.6 after six, 30.6 after seven.
    most = [sum((1 + 0.95 * bet) ** n for bet in BETS) / 9 for n in (6, 7)]
    assert most[0] < 20.0 < most[1]
    found = bounds(np.zeros(8), S0, 20.0)
    assert np.isnan(found[:6]).all()
    assert np.isfinite(found[6:]).all()


def test_evidence_stays_finite_in_the_worst_cases():
    x = np.concatenate([np.full(300, 1e6), np.full(300, -1e6)])
    for sign in (1, -1):
        log_e = log_e_values(x, 0.0, S0, sign)
        assert np.isfinite(log_e).all()
        assert (np.abs(log_e) <= 3.0 * np.arange(1, 601)).all()


def test_e_bh_by_hand():
    # Four hypotheses at 10 %: the largest must reach 40, or two 20, or three 13.3, or all 10.
    def together(*e: float) -> list[bool]:
        return rejected_together([math.log(one) for one in e], 0.1)

    assert together(39, 19, 13, 9) == [False] * 4
    assert together(1, 41, 19, 2) == [False, True, False, False]
    assert together(21, 1, 30, 13) == [True, False, True, False]
    assert together(11, 10.5, 12, 13) == [True] * 4
    assert rejected_together([], 0.1) == []
    assert rejected_together(np.log([20, 20, 1, 1]).tolist(), 0.1) == [True, True, False, False], "at the limit"


def crossed(x: np.ndarray, s0: float = 1.0) -> float:
    return float((log_e_values(x, 0.0, s0).max(axis=-1) >= TWENTY).mean())


@pytest.mark.parametrize(
    ("draw", "most"),
    [(normal, 0.03), (autocorrelated(0.2), 0.07), (skewed_down, 0.057)],
    ids=["normal", "ar", "skewed"],
)
def test_evidence_that_is_looked_at_daily_is_rarely_wrong_where_a_peeked_t_test_is_often(draw: Draw, most: float):
    x = draw(np.random.default_rng(18), 1_000, 250)
    assert crossed(x) <= most

    n = np.arange(1, 251)
    deviation = np.sqrt((np.cumsum(x**2, axis=-1) - n * running_means(x) ** 2)[:, 9:] / (n[9:] - 1))
    t = running_means(x)[:, 9:] * np.sqrt(n[9:]) / deviation
    assert (t >= stdtrit(n[9:] - 1.0, 0.95)).any(axis=-1).mean() >= 0.25


@pytest.mark.parametrize(("advantage", "first", "last"), [(0.6, 33, 42), (1.0, 18, 25)])
def test_a_true_advantage_is_seen_in_time(advantage: float, first: int, last: int):
    better = log_e_values(advantage + normal(np.random.default_rng(19), 1_000, 120), 0.0, 1.0)
    days = np.where((better >= TWENTY).any(axis=-1), np.argmax(better >= TWENTY, axis=-1) + 1, np.inf)
    assert first <= np.median(days) <= last
