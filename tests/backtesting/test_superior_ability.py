"""Hansen's test: the p-value of arch's own SPA, whatever the number of variants, and its error rate under luck."""

import numpy as np
import pytest
from arch.bootstrap import SPA

from stages.backtesting import statistics
from stages.backtesting.superior_ability import superior_ability_p
from tests.backtesting.test_multiplicity import luck


def of_arch(daily: np.ndarray, reps: int, seed: int) -> float:
    test = SPA(np.zeros(len(daily)), -daily, reps=reps, seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])


@pytest.mark.parametrize(("seed", "drift"), [(0, 0.0), (1, 0.05), (2, -0.1), (3, -0.4)])
def test_the_p_value_is_that_of_arch(seed, drift):
    daily = luck(seed, 97, 40, 0.3) + drift
    daily[:, :9] -= 0.5  # surely worse than nothing, which the consistent p-value leaves out
    assert superior_ability_p(daily, 300, 7) == of_arch(daily, 300, 7)


def test_variants_are_looked_at_in_pieces_of_any_size(monkeypatch):
    daily = luck(5, 60, 31)
    whole = superior_ability_p(daily, 200, 7)
    monkeypatch.setattr(statistics, "VARIANTS_AT_ONCE", 4)
    assert superior_ability_p(daily, 200, 7) == whole


def test_superior_ability_finds_skill_and_ignores_still_variants():
    daily = luck(6)
    daily[:, 3] += 0.6
    still = np.zeros((120, 2))
    assert superior_ability_p(np.hstack([daily, still]), 500, 7) < 0.01
    assert superior_ability_p(still, 500, 7) is None


def test_superior_ability_keeps_its_error_rate_under_luck():
    found = sum(superior_ability_p(luck(seed, 120, 10, 0.5), 200, 7) <= 0.1 for seed in range(100))
    # Ten per cent of 100, and the upper end of what chance allows at 1 in 1000.
    assert found <= 20


def test_the_same_seed_gives_the_same_p():
    assert superior_ability_p(luck(9), 300, 7) == superior_ability_p(luck(9), 300, 7)
