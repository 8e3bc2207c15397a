"""Hansen's test: arch's own SPA on studentised days and a slow reading of the paper as oracles, size and power."""

import numpy as np
import pytest

from stages.trading import performance
from stages.trading.multiplicity import superior_ability_p
from tests.trading.test_multiplicity import luck

pytestmark = pytest.mark.xdist_group("libraries")  # arch is loaded by one worker
SPREAD = np.geomspace(1.0, 20.0, 36)


def of_arch(daily: np.ndarray, reps: int, seed: int) -> float:
    """arch takes the best mean, without dividing it by anything: so its days are divided beforehand."""
    from arch.bootstrap import SPA

    test = SPA(np.zeros(len(daily)), -daily / daily.std(axis=0), reps=reps, seed=seed)
    test.block_size = 1  # of its variances, not of its draws: the plain variance of the days
    test.compute()
    return (1 + reps * float(test.pvalues["consistent"])) / (1 + reps)


@pytest.mark.parametrize(("seed", "drift"), [(0, 0.0), (1, 0.05), (2, -0.1), (3, 0.1)])
def test_the_p_value_is_that_of_arch_on_studentised_days(seed, drift):
    daily = luck(seed, 97, 36, 0.3) + drift
    daily[:, :9] -= 0.5  # surely worse than nothing, which the consistent p-value leaves out
    assert superior_ability_p(daily * SPREAD, 300, 7) == pytest.approx(of_arch(daily * SPREAD, 300, 7), abs=1e-12)


@pytest.mark.parametrize("drift", [0.0, -0.15, -0.6])
def test_the_p_value_is_that_of_a_slow_loop_over_the_paper(drift):
    # Hansen (2005): T = max(max_k sqrt(n) d_k / w_k, 0); a draw is centred at d_k where sqrt(n) d_k / w_k is at least
    # -sqrt(2 ln ln n), else at 0; p is the share of draws whose best is at least T, the sample counted as one.
    from arch.bootstrap import StationaryBootstrap

    n, reps = 50, 60
    daily = (luck(11, n, 6) + drift) * SPREAD[:6]
    mean = [sum(day) / n for day in daily.T]
    deviation = [(sum((x - m) ** 2 for x in day) / n) ** 0.5 for day, m in zip(daily.T, mean, strict=True)]
    stays = [n**0.5 * m / s >= -((2 * np.log(np.log(n))) ** 0.5) for m, s in zip(mean, deviation, strict=True)]
    found = max(0.0, *(n**0.5 * m / s for m, s in zip(mean, deviation, strict=True)))
    as_good = 0
    for (days,), _ in StationaryBootstrap(7, np.arange(n), seed=3).bootstrap(reps):
        drawn = [sum(daily[t, k] for t in days) / n for k in range(6)]
        centred = [x - (m if keep else 0.0) for x, m, keep in zip(drawn, mean, stays, strict=True)]
        as_good += max(0.0, *(n**0.5 * x / s for x, s in zip(centred, deviation, strict=True))) >= found
    assert superior_ability_p(daily, reps, 3) == (1 + as_good) / (1 + reps)


def test_the_p_value_does_not_depend_on_the_scale_of_a_variant():
    daily = luck(4, 73, 12)
    assert superior_ability_p(daily, 200, 7) == superior_ability_p(daily * SPREAD[:12], 200, 7)


def test_variants_are_looked_at_in_pieces_of_any_size(monkeypatch):
    daily = luck(5, 60, 31)
    whole = superior_ability_p(daily, 200, 7)
    monkeypatch.setattr(performance, "VARIANTS_AT_ONCE", 4)
    assert superior_ability_p(daily, 200, 7) == whole


def test_superior_ability_finds_skill_and_ignores_still_variants():
    daily = luck(6)
    daily[:, 3] += 0.6
    still = np.zeros((120, 2))
    assert superior_ability_p(np.hstack([daily, still]), 500, 7) < 0.01
    assert superior_ability_p(still, 500, 7) is None


def test_a_p_value_is_never_zero_and_is_one_where_no_variant_earned():
    assert superior_ability_p(luck(6) + 3.0, 200, 7) == 1 / 201
    assert superior_ability_p(luck(6) - 3.0, 200, 7) == 1.0


def test_skill_of_a_calm_variant_is_found_among_wild_ones():
    # Power under unequal variances: one variant of 36 earns 0.45 of its deviation a day, the calmest. By its mean alone
    # it would never be the best: the wildest moves twenty times as much.
    found = 0
    for seed in range(40):
        daily = luck(seed, 73, 36, 0.5)
        daily[:, 0] += 0.45
        found += superior_ability_p(daily * SPREAD, 200, 7) <= 0.1
    assert found >= 28


def test_superior_ability_keeps_its_error_rate_under_luck_of_any_size():
    found = sum(superior_ability_p(luck(seed, 120, 12, 0.5) * SPREAD[::3], 200, 7) <= 0.1 for seed in range(100))
    # Ten per cent of 100, and the upper end of what chance allows at 1 in 1000.
    assert found <= 20


def test_the_same_seed_gives_the_same_p():
    assert superior_ability_p(luck(9), 300, 7) == superior_ability_p(luck(9), 300, 7)
