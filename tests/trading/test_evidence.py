"""What a holdout says of the book, and how far the days drawn anew move it."""

from math import sqrt

import pytest

from stages.trading.gates import evidence
from tests.trading.books import WHITELIST, gates, span, trade


def test_thirty_days_of_one_trade_each_by_hand():
    """Even days win 10 - 2, odd days lose 4 + 2; at one and a half costs 7 and -7."""
    trades = [trade("STRONG", day, 10.0 if day % 2 == 0 else -4.0) for day in range(30)]
    found = evidence(span(30, *trades), WHITELIST, gates())
    assert (found.sessions, found.trades, found.hit_rate) == (30, 30, 0.5)
    assert found.stressed_bp == 0.0
    assert found.break_even == 1.5
    # Daily 8/3 and -2 bp: mean 1/3, sample deviation 7/3 x sqrt(30/29).
    daily_sharpe = (1 / 3) / (7 / 3 * sqrt(30 / 29))
    assert found.sharpe == pytest.approx(sqrt(252) * daily_sharpe, abs=1e-6)
    assert found.sharpe_se == pytest.approx(sqrt(252 * (1 + daily_sharpe**2 / 2) / 30), abs=1e-6)


def test_bounds_lie_about_where_the_normal_curve_puts_them():
    trades = [trade("STRONG", day, 10.0 if day % 2 == 0 else -4.0) for day in range(30)]
    found = evidence(span(30, *trades), WHITELIST, gates())
    z, one_day = 1.2816, 14 / 3  # the total moves in steps of one day turned round
    assert found.hit_rate_bound == pytest.approx(0.5 - z * sqrt(0.25 / 30), abs=1.01 / 30)
    assert found.stressed_bound == pytest.approx(-z * sqrt(30) * 7 / 3, abs=1.01 * one_day)


def test_days_without_a_trade_count_as_days():
    quiet = evidence(span(40, *[trade("STRONG", day, 10.0) for day in range(20)]), WHITELIST, gates())
    busy = evidence(span(20, *[trade("STRONG", day, 10.0 + day % 2) for day in range(20)]), WHITELIST, gates())
    assert quiet.sessions == 40
    assert quiet.sharpe < busy.sharpe


def test_a_trade_that_earns_exactly_its_costs_did_not_win():
    found = evidence(span(30, *[trade("STRONG", day, 2.0 + day % 2) for day in range(30)]), WHITELIST, gates())
    assert (found.wins, found.hit_rate) == (15, 0.5)
    even = evidence(span(30, *[trade("STRONG", day, 2.0) for day in range(30)]), WHITELIST, gates())
    assert (even.wins, even.hit_rate) == (0, 0.0)


@pytest.mark.parametrize("gross_bp", [10.0, -10.0], ids=["all won", "all lost"])
def test_trades_that_all_won_or_all_lost_bound_no_share(gross_bp):
    """Thirty trades that won make no share below 1 impossible: one of 0.9 would win all of them in 4 % of holdouts."""
    found = evidence(span(30, *[trade("STRONG", day, gross_bp) for day in range(30)]), WHITELIST, gates())
    assert (found.hit_rate, found.hit_rate_bound) == (float(gross_bp > 0), None)


def test_from_twenty_days_on_there_are_bounds():
    found = evidence(span(20, *[trade("STRONG", day, 10.0 * (-1) ** day) for day in range(20)]), WHITELIST, gates())
    assert None not in (found.hit_rate_bound, found.stressed_bound)


def test_from_block_bootstrap_days_on_days_are_drawn_in_blocks():
    """Two runs of thirty days: there are fewer independent ones than days, and the bound lies lower."""
    made = span(60, *[trade("STRONG", day, 10.0 if day < 30 else -9.0) for day in range(60)])
    at_once, in_blocks, apart = (evidence(made, WHITELIST, gates(block_bootstrap_days=n)) for n in (40, 60, 61))
    assert at_once == in_blocks
    assert in_blocks.stressed_bound < apart.stressed_bound


def test_under_twenty_days_there_is_no_bound():
    found = evidence(span(19, *[trade("STRONG", day, 10.0) for day in range(19)]), WHITELIST, gates())
    assert (found.hit_rate_bound, found.stressed_bound, found.sharpe) == (None, None, None)
    assert found.hit_rate == 1.0


def test_where_some_draw_of_the_days_holds_no_trade_the_hit_rate_has_no_bound():
    """Trades on two of thirty days: a draw misses both with probability (28/30)^30 = 13 %."""
    found = evidence(span(30, trade("STRONG", 3, 10.0), trade("STRONG", 17, -4.0)), WHITELIST, gates())
    assert (found.hit_rate, found.hit_rate_bound) == (0.5, None)
    assert found.stressed_bound is not None


def test_no_trade_is_no_evidence_and_no_error():
    found = evidence(span(30), WHITELIST, gates())
    assert (found.trades, found.sharpe, found.hit_rate, found.stressed_bp, found.break_even) == (
        0,
        None,
        None,
        None,
        None,
    )


def test_one_trade_is_evidence():
    found = evidence(span(30, trade("STRONG", 3, 10.0)), WHITELIST, gates())
    assert (found.trades, found.stressed_bp) == (1, 2.333333)  # 10 - 1.5 x 2 on a third of the capital
    assert found.stressed_bound is not None


def test_a_whitelist_without_symbols_is_no_evidence_either():
    assert evidence(span(30), (), gates()).sharpe is None


def test_the_same_holdout_gives_the_same_bounds():
    made = span(30, *[trade("WEAK", day, float(day % 7)) for day in range(30)])
    assert evidence(made, WHITELIST, gates()) == evidence(made, WHITELIST, gates())
