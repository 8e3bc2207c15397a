"""Trading gates: verdicts at and around every threshold, and words that say how often luck would do."""

from dataclasses import replace
from math import comb, sqrt

import numpy as np
import pytest

from stages.backtesting.statistics import lo_standard_error, sharpe
from stages.portfolio.evidence import Evidence
from stages.portfolio.gates import trading_gates
from tests.portfolio.books import gates

GOOD = Evidence(
    sessions=30,
    trades=148,
    sharpe=6.0,
    sharpe_se=3.0,
    hit_rate=0.6,
    hit_rate_bound=0.5,
    stressed_bp=50.0,
    stressed_bound=10.0,
    break_even=3.0,
)


def verdicts(found, **params):
    return {name: gate.verdict.value for name, gate in trading_gates(found, gates(**params)).items()}


def test_without_evidence_everything_is_sealed():
    judged = trading_gates(None, gates())
    assert {gate.verdict.value for gate in judged.values()} == {"SEALED"}
    assert all(gate.value is None and "closed" in gate.words for gate in judged.values())
    assert [gate.threshold for gate in judged.values()] == [0.5, 0.48, 0.0]


def test_a_good_book_passes_all_three():
    assert set(verdicts(GOOD).values()) == {"PASS"}


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.49, 0.1, "FAIL"),
        (0.50, 0.1, "PASS"),
        (3.8, 3.0, "INCONCLUSIVE"),  # lower 90 % bound 3.8 - 1.2816 x 3 = -0.04
        (3.9, 3.0, "PASS"),  # 0.06
        (None, None, "INCONCLUSIVE"),
    ],
)
def test_a_sharpe_ratio_needs_its_threshold_and_a_lower_bound_above_zero(value, se, verdict):
    assert verdicts(replace(GOOD, sharpe=value, sharpe_se=se))["oos_sharpe"] == verdict


@pytest.mark.parametrize(("hit_rate", "verdict"), [(0.479, "FAIL"), (0.48, "PASS"), (None, "INCONCLUSIVE")])
def test_a_hit_rate_is_judged_at_the_point(hit_rate, verdict):
    assert verdicts(replace(GOOD, hit_rate=hit_rate, hit_rate_bound=0.1))["hit_rate"] == verdict


@pytest.mark.parametrize(("total", "verdict"), [(-0.1, "FAIL"), (0.0, "PASS"), (None, "INCONCLUSIVE")])
def test_a_total_at_stressed_costs_is_judged_at_the_point(total, verdict):
    assert verdicts(replace(GOOD, stressed_bp=total, stressed_bound=-9.0))["pnl_at_1p5x"] == verdict


@pytest.mark.parametrize("few", [{"sessions": 14}, {"trades": 19}])
def test_too_few_sessions_or_trades_decide_nothing_neither_for_nor_against(few):
    assert set(verdicts(replace(GOOD, **few)).values()) == {"INCONCLUSIVE"}
    bad = replace(GOOD, sharpe=-9.0, hit_rate=0.0, stressed_bp=-99.0)
    assert set(verdicts(replace(bad, **few)).values()) == {"INCONCLUSIVE"}


def test_the_literal_reading_compares_values_with_thresholds_and_asks_nothing_else():
    lucky = replace(GOOD, sessions=14, trades=3, sharpe=0.5, hit_rate=0.48, stressed_bp=0.0)
    assert set(verdicts(lucky, policy="point").values()) == {"PASS"}
    assert set(verdicts(replace(lucky, sharpe=0.4, hit_rate=0.4, stressed_bp=-1.0), policy="point").values()) == {
        "FAIL"
    }


def test_the_bound_of_the_sharpe_ratio_is_its_value_less_a_share_of_its_error():
    bound = trading_gates(GOOD, gates())["oos_sharpe"].bound
    assert bound == pytest.approx(6.0 - 1.2815515655446004 * 3.0, abs=1e-6)


@pytest.mark.parametrize(("sessions", "error", "luck"), [(21, "3.46", "44%"), (252, "1.00", "31%")])
def test_the_words_on_a_sharpe_ratio_say_how_often_luck_reaches_the_threshold(sessions, error, luck):
    """Figures of the decision protocol: no skill reaches 0.5 in 44 % of 21-day holdouts and 31 % of 252-day ones."""
    words = trading_gates(replace(GOOD, sessions=sessions), gates())["oos_sharpe"].words
    assert f"about {error}" in words
    assert f"reaches 0.5 {luck} of the time" in words


def test_the_words_on_a_hit_rate_say_how_often_a_coin_reaches_it():
    ways = sum(comb(20, wins) for wins in range(10, 21))  # 0.48 x 20 = 9.6, so ten wins are needed
    words = trading_gates(replace(GOOD, trades=20), gates())["hit_rate"].words
    assert words == f"With 20 trades a fair coin reaches 0.48 {ways / 2**20:.0%} of the time."


def test_the_words_on_stressed_costs_name_the_break_even_multiple():
    assert "3.00 times" in trading_gates(GOOD, gates())["pnl_at_1p5x"].words
    assert "even before costs" in trading_gates(replace(GOOD, break_even=-0.5), gates())["pnl_at_1p5x"].words


def test_books_without_skill_pass_as_rarely_as_the_words_claim():
    """2,000 books of 30 independent normal days: one in ten has its lower 90 % bound above 0."""
    draws = np.random.default_rng(11).normal(size=(2000, 30))
    passed = 0
    for daily in draws:
        ratio = sharpe(daily)
        found = replace(GOOD, sharpe=ratio, sharpe_se=lo_standard_error(ratio, 30))
        passed += verdicts(found)["oos_sharpe"] == "PASS"
    # Standard error of a share of one in ten over 2,000 books is 0.67 %; Lo's error is an approximation at 30 days.
    assert passed / 2000 == pytest.approx(0.10, abs=3 * sqrt(0.1 * 0.9 / 2000))
