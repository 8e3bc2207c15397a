"""What is left of the best of many tries: skfolio and hand arithmetic as oracles, and the error rates under luck."""

import numpy as np
import pytest

from stages.trading import multiplicity, performance
from stages.trading.multiplicity import (
    deflated_sharpe,
    effective_trials,
    expected_best_sharpe,
    overfitting_probability,
    superior_ability_p,
)


def luck(seed: int, sessions: int = 120, variants: int = 20, correlation: float = 0.0) -> np.ndarray:
    """Daily P&L of variants without skill."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0.0, 1.0, (sessions, 1))
    own = rng.normal(0.0, 1.0, (sessions, variants))
    return np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own


def session_sharpes(daily: np.ndarray) -> np.ndarray:
    """Sharpe ratio per session of each variant."""
    return daily.mean(axis=0) / daily.std(axis=0, ddof=1)


def test_the_deflated_sharpe_is_that_of_skfolio():
    from skfolio.measures import deflated_sharpe_ratio

    daily = luck(3) + 0.05
    sharpes = session_sharpes(daily)
    variance = float(sharpes.var(ddof=1))
    for n in range(3):
        theirs = deflated_sharpe_ratio(daily[:, n], sharpes)
        assert deflated_sharpe(daily[:, n], variance, daily.shape[1]) == pytest.approx(theirs, rel=1e-9)


def test_one_trial_is_not_deflated():
    assert expected_best_sharpe(0.01, 1) == 0.0


def test_the_better_of_two_trials_is_already_above_zero():
    """Euler's constant times the normal quantile of 1 - 1 / (2 e), 0.90045; that of 1 - 1 / 2 is 0."""
    assert expected_best_sharpe(0.01, 2) == pytest.approx(0.1 * 0.5772157 * 0.9004526, abs=1e-7)


def test_the_expected_best_of_luck_is_what_simulation_shows():
    best = [session_sharpes(luck(seed, 250, 50)).max() for seed in range(400)]
    assert expected_best_sharpe(1 / 250, 50) == pytest.approx(np.mean(best), rel=0.04)


@pytest.mark.parametrize(("sessions", "enough"), [(19, False), (20, True)])
def test_twenty_sessions_are_enough_for_both_figures_and_no_fewer(sessions, enough):
    daily = luck(1, sessions, 3)
    assert (superior_ability_p(daily, 50, 7) is not None) == enough
    assert (deflated_sharpe(daily[:, 0], 0.05, 3) is not None) == enough


def test_more_trials_leave_less():
    series = luck(1)[:, 0] + 0.3
    left = [deflated_sharpe(series, 1 / 120, trials) for trials in (1, 10, 100, 1000)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.9


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_best_of_luck_is_rarely_called_skill(correlation):
    called = 0
    for seed in range(300):
        daily = luck(seed, correlation=correlation)
        sharpes = session_sharpes(daily)
        best = daily[:, np.argmax(sharpes)]
        called += deflated_sharpe(best, float(sharpes.var(ddof=1)), daily.shape[1]) >= 0.95
    # Five per cent of 300, and the upper end of what chance allows at 1 in 1000.
    assert called <= 28


def test_real_skill_is_called_skill():
    daily = luck(5)
    daily[:, 7] += 0.6
    sharpes = session_sharpes(daily)
    assert deflated_sharpe(daily[:, 7], float(np.delete(sharpes, 7).var(ddof=1)), 20) > 0.99


def test_equal_variants_count_once_and_independent_ones_each():
    one = luck(2, 500, 1)
    assert effective_trials(np.hstack([one] * 10)) == pytest.approx(1.0)
    assert effective_trials(luck(2, 5000, 10)) == pytest.approx(10.0, abs=0.3)
    assert effective_trials(np.zeros((100, 5))) == 0.0
    two = luck(3, 90, 2)
    assert effective_trials(two) == pytest.approx(2 - max(np.corrcoef(two, rowvar=False)[0, 1], 0.0))
    assert effective_trials(np.hstack([one, one])) == pytest.approx(1.0)


def test_effective_trials_take_the_mean_of_all_correlations():
    daily = luck(7, 90, 12, 0.4)
    correlation = np.corrcoef(daily, rowvar=False)
    mean = correlation[~np.eye(12, dtype=bool)].mean()
    assert effective_trials(daily) == pytest.approx(1 + 11 * (1 - mean), rel=1e-9)


def test_a_variant_that_is_best_everywhere_is_not_overfitted():
    daily = luck(8)
    daily[:, 0] += 5.0
    assert overfitting_probability(daily, 8) == 0.0


def test_a_variant_that_is_good_where_the_other_is_bad_is_always_overfitted():
    # Two variants, each good in one half of the days: the better half in sample is the worse one outside.
    rng = np.random.default_rng(0)
    half = np.concatenate([np.ones(40), -np.ones(40)])
    noise = rng.normal(0.0, 0.1, 80)
    assert overfitting_probability(np.column_stack([half + noise, -half + noise]), 2) == 1.0


def test_under_luck_the_best_in_sample_is_below_the_median_half_of_the_time():
    probabilities = [overfitting_probability(luck(seed), 8) for seed in range(60)]
    assert np.mean(probabilities) == pytest.approx(0.5, abs=0.08)


def test_overfitting_needs_two_different_variants_and_enough_days():
    assert overfitting_probability(luck(0, 120, 1), 8) is None
    assert overfitting_probability(np.hstack([luck(0, 120, 1)] * 3), 8) is None


def test_variants_of_which_none_varies_have_no_ratio_to_overfit():
    """They lose 70 and 100 bp on every day: no half of the days has a best one by its Sharpe ratio."""
    still = np.tile([-70.0, -100.0, 0.0], (40, 1))
    assert overfitting_probability(still, 4) is None
    assert overfitting_probability(np.column_stack([still, luck(0, 40, 1)]), 4) is not None
    assert overfitting_probability(luck(0, 15, 5), 8) is None
    assert overfitting_probability(luck(0, 16, 2), 8) is not None


def test_overfitting_agrees_with_a_slow_reading_of_the_paper():
    daily = luck(4, 42, 5)
    blocks = np.array_split(np.arange(42), 4)
    logits = []
    for first, second in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]:
        inside = np.concatenate([blocks[first], blocks[second]])
        outside = np.setdiff1d(np.arange(42), inside)
        ratios = [
            [day[:, n].mean() / day[:, n].std(ddof=1) for n in range(5)] for day in (daily[inside], daily[outside])
        ]
        best = int(np.argmax(ratios[0]))
        rank = 1 + sum(other < ratios[1][best] for other in ratios[1])
        logits.append(np.log(rank / 6 / (1 - rank / 6)))
    assert overfitting_probability(daily, 4) == pytest.approx(np.mean(np.array(logits) <= 0))


# PBO of luck(seed, sessions, variants, correlation) whose first variant earns `skill` a day, as ffn 1.4.1
# (calc_prob_backtest_overfitting) and purgedcv 0.1.11 (probability_of_backtest_overfitting) computed it. None where
# they do otherwise: ffn drops the days left over when blocks do not divide them; purgedcv does not count a best variant
# exactly at the median, which only an odd number of variants has.
BY_OTHERS = [
    ((0, 120, 20, 0.0), 0.0, 8, 44 / 70, 44 / 70),
    ((1, 120, 20, 0.5), 0.0, 8, 15 / 70, 15 / 70),
    ((3, 72, 36, 0.8), 0.15, 8, 12 / 70, 12 / 70),
    ((4, 120, 20, 0.0), 0.3, 10, 18 / 252, 18 / 252),
    ((2, 96, 9, 0.0), 0.0, 8, 8 / 70, None),
    ((5, 73, 12, 0.0), 0.1, 8, None, 29 / 70),
    ((7, 64, 5, 0.0), 0.4, 4, 0.0, 0.0),
]


@pytest.mark.parametrize(("made", "skill", "blocks", "ffn", "purgedcv"), BY_OTHERS)
def test_overfitting_agrees_with_ffn_and_purgedcv(made, skill, blocks, ffn, purgedcv):
    daily = luck(*made)
    daily[:, 0] += skill
    ours = overfitting_probability(daily, blocks)
    assert [ours for theirs in (ffn, purgedcv) if theirs is not None] == [
        pytest.approx(theirs, abs=1e-12) for theirs in (ffn, purgedcv) if theirs is not None
    ]


def test_overfitting_is_the_same_in_small_pieces(monkeypatch):
    daily = luck(4, 60, 9)
    whole = overfitting_probability(daily, 8)
    for figures in (20, 5):  # fewer than variants
        monkeypatch.setattr(multiplicity, "FIGURES_AT_ONCE", figures)
        assert overfitting_probability(daily, 8) == whole


def test_figures_of_many_variants_are_the_same_in_small_pieces(monkeypatch):
    daily = np.hstack([luck(4, 60, 9), np.zeros((60, 2)), luck(5, 60, 3)])
    trials = effective_trials(daily)
    monkeypatch.setattr(performance, "VARIANTS_AT_ONCE", 2)
    assert effective_trials(daily) == pytest.approx(trials, rel=1e-12)


def test_overfitting_counts_equal_variants_once():
    daily = luck(4, 60, 9)
    assert overfitting_probability(np.hstack([daily, daily[:, 3:]]), 8) == overfitting_probability(daily, 8)
