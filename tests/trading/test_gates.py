"""Trading gates: verdicts at and around every threshold, and words that say how often luck would do."""

from dataclasses import replace
from math import comb, sqrt

import numpy as np
import pytest

from stages.trading.gates import Evidence, _percent, sealed_gates, trading_gates
from stages.trading.performance import lo_standard_error, sharpe
from tests.trading.books import gates

GOOD = Evidence(
    sessions=30,
    trades=148,
    sharpe=6.0,
    sharpe_se=3.0,
    wins=89,
    hit_rate_bound=0.5,
    stressed_bp=50.0,
    stressed_bound=10.0,
    break_even=3.0,
)


def verdicts(found, **params):
    return {name: gate.verdict.value for name, gate in trading_gates(found, gates(**params)).items()}


def test_without_evidence_everything_is_sealed_and_says_why():
    judged = sealed_gates("Why it is closed.", gates())
    assert {gate.verdict.value for gate in judged.values()} == {"SEALED"}
    assert all(gate.value is None and gate.words == "Why it is closed." for gate in judged.values())
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
        (1.2815515655446004, 1.0, "INCONCLUSIVE"),  # 0 exactly: the bound must lie above
        (1.281553, 1.0, "PASS"),
        (0.6, None, "INCONCLUSIVE"),  # a value without an error has no bound
        (None, None, "INCONCLUSIVE"),
    ],
)
def test_a_sharpe_ratio_needs_its_threshold_and_a_lower_bound_above_zero(value, se, verdict):
    assert verdicts(replace(GOOD, sharpe=value, sharpe_se=se))["oos_sharpe"] == verdict


@pytest.mark.parametrize(
    ("wins", "trades", "threshold", "verdict"),
    [
        (11, 25, 0.48, "FAIL"),
        (12, 25, 0.48, "PASS"),  # 0.48 exactly
        (7, 100, 0.07, "PASS"),  # in floats 0.07 x 100 is 7.000000000000001
        (14, 50, 0.28, "PASS"),
        (2, 3, 0.666667, "FAIL"),  # rounded to six digits two thirds would be enough
        (0, 25, 0.0, "PASS"),
        (0, 0, 0.48, "INCONCLUSIVE"),
    ],
)
def test_a_hit_rate_is_judged_at_the_point_by_whole_numbers(wins, trades, threshold, verdict):
    found = replace(GOOD, wins=wins, trades=trades, hit_rate_bound=0.1)
    assert verdicts(found, hit_rate_gte=threshold, min_trades=1)["hit_rate"] == verdict


@pytest.mark.parametrize(("total", "verdict"), [(-0.1, "FAIL"), (0.0, "PASS"), (None, "INCONCLUSIVE")])
def test_a_total_at_stressed_costs_is_judged_at_the_point(total, verdict):
    assert verdicts(replace(GOOD, stressed_bp=total, stressed_bound=-9.0))["pnl_at_1p5x"] == verdict


@pytest.mark.parametrize(
    ("sessions", "trades", "enough"), [(15, 20, True), (14, 20, False), (15, 19, False), (30, 19, False)]
)
def test_too_few_sessions_or_trades_decide_nothing_neither_for_nor_against(sessions, trades, enough):
    shorten = {"sessions": sessions, "trades": trades}
    assert set(verdicts(replace(GOOD, wins=trades, **shorten)).values()) == {"PASS" if enough else "INCONCLUSIVE"}
    bad = replace(GOOD, sharpe=-9.0, wins=0, stressed_bp=-99.0)
    assert set(verdicts(replace(bad, **shorten)).values()) == {"FAIL" if enough else "INCONCLUSIVE"}


def test_only_the_minimum_that_is_not_met_is_named():
    words = {gate.words for gate in trading_gates(replace(GOOD, sessions=15, trades=19), gates()).values()}
    assert words == {"Too little to judge: 19 trades, gates.min_trades requires 20."}
    words = {gate.words for gate in trading_gates(replace(GOOD, sessions=14, trades=20), gates()).values()}
    assert words == {"Too little to judge: 14 sessions, gates.min_trading_sessions requires 15."}
    words = {gate.words for gate in trading_gates(replace(GOOD, sessions=1, trades=1), gates()).values()}
    assert words == {
        "Too little to judge: 1 session, gates.min_trading_sessions requires 15; 1 trade, gates.min_trades requires 20."
    }


def test_trades_that_cost_nothing_are_not_called_no_trades():
    free = trading_gates(replace(GOOD, break_even=None), gates())["pnl_at_1p5x"]
    assert free.verdict.value == "PASS"
    assert free.words == "The trades cost nothing, so the result is the same at any multiple of the costs."


def test_the_literal_reading_compares_values_with_thresholds_and_asks_nothing_else():
    lucky = replace(GOOD, sessions=14, trades=3, sharpe=0.5, wins=2, stressed_bp=0.0)
    assert set(verdicts(lucky, policy="point").values()) == {"PASS"}
    assert set(verdicts(replace(lucky, sharpe=0.4, wins=1, stressed_bp=-1.0), policy="point").values()) == {"FAIL"}


def test_the_bound_of_the_sharpe_ratio_is_its_value_less_a_share_of_its_error():
    bound = trading_gates(GOOD, gates())["oos_sharpe"].bound
    assert bound == 2.155345  # 6 - 1.2815515655446004 x 3 = 2.15534530...


@pytest.mark.parametrize(("sessions", "error", "luck"), [(21, "3.46", "44 %"), (252, "1.00", "31 %")])
def test_the_words_on_a_sharpe_ratio_say_how_often_luck_reaches_the_threshold(sessions, error, luck):
    """Figures of the decision protocol: no skill reaches 0.5 in 44 % of 21-day holdouts and 31 % of 252-day ones."""
    words = trading_gates(replace(GOOD, sessions=sessions), gates())["oos_sharpe"].words
    assert f"about {error}" in words
    assert f"reaches 0.5 {luck} of the time" in words


@pytest.mark.parametrize(
    ("trades", "threshold", "needed", "told"),
    [
        (20, 0.48, 10, "59 %"),  # 9.6 wins: ten
        (25, 0.48, 12, "65 %"),  # 12 exactly
        (100, 0.07, 7, "over 99.9 %"),
        (50, 0.7, 35, "0.3 %"),
        (100, 0.7, 70, "under 0.1 %"),
        (10, 0.0, 0, "over 99.9 %"),
    ],
)
def test_the_words_on_a_hit_rate_say_how_often_a_coin_reaches_it(trades, threshold, needed, told):
    share = sum(comb(trades, wins) for wins in range(needed, trades + 1)) / 2**trades
    words = trading_gates(replace(GOOD, trades=trades), gates(hit_rate_gte=threshold, min_trades=1))["hit_rate"].words
    assert words == f"With {trades} trades a fair coin reaches {threshold:g} {told} of the time."
    assert abs(share - float(told.split()[-2]) / 100) < 0.006


@pytest.mark.parametrize(
    ("sessions", "threshold", "luck", "needed"),
    [
        (21, 0.5, "10 %", "7.4"),  # 1.2816 x 3.4641 = 4.44, and 0.8416 x 3.4641 more
        (252, 0.5, "10 %", "2.1"),  # 1.2816 + 0.8416
        (252, 2.0, "2.3 %", "2.8"),  # the threshold is the higher hurdle
    ],
)
def test_the_words_on_a_sharpe_ratio_say_what_it_takes_to_pass_both(sessions, threshold, luck, needed):
    words = trading_gates(replace(GOOD, sessions=sessions), gates(oos_sharpe_gte=threshold))["oos_sharpe"].words
    assert f"lower bound above 0 {luck} of the time; to pass both 80 % of the time" in words
    assert words.endswith(f"true Sharpe ratio must be {needed}.")


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.00099, "under 0.1 %"), (0.001, "0.1 %"), (0.0999, "10.0 %"), (0.1, "10 %"), (0.105, "10 %"), (0.985, "98 %"),
        (0.99, "99 %"), (0.991, "99.1 %"), (0.999, "99.9 %"), (0.9991, "over 99.9 %"),
    ],
)  # fmt: skip
def test_a_share_of_luck_has_a_decimal_where_it_is_rare_or_nearly_certain(share, told):
    assert _percent(share) == told


def test_luck_is_never_said_to_be_impossible():
    words = trading_gates(GOOD, gates(oos_sharpe_gte=12.0))["oos_sharpe"].words  # four standard errors away
    assert "reaches 12 under 0.1 % of the time" in words


def test_the_words_on_stressed_costs_name_the_break_even_multiple():
    for multiple, words in (
        (0.5, "0.50 times"),
        (0.01, "0.01 times"),
        (0.0, "0.00 times"),
        (-0.001, "even before costs"),
    ):
        assert words in trading_gates(replace(GOOD, break_even=multiple), gates())["pnl_at_1p5x"].words
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


def test_without_a_session_there_is_none_to_judge():
    gate = trading_gates(replace(GOOD, sessions=0, trades=0, sharpe=None, sharpe_se=None), gates())["oos_sharpe"]
    assert gate.words == "There is no session to judge."


def test_a_sharpe_ratio_that_is_not_defined_says_what_it_takes():
    gate = trading_gates(replace(GOOD, sharpe=None, sharpe_se=None), gates())["oos_sharpe"]
    assert gate.words == "A Sharpe ratio needs at least 20 sessions, and daily results that differ."
