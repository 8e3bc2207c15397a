"""The question of money: both sides trade one rule, and calls have a price."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from stages.params.worth import WorthParams
from stages.tables.trades import Trades
from stages.trading.performance import book_of
from stages.worth.by_symbol import CompareSymbol, SymbolEvidence
from stages.worth.money import MoneyDays, Swing, money_days, planned_swing_bp, rules_of_sides, swing_of
from stages.worth.series import LeftOut
from tests.trading.books import DOCUMENT, WHITELIST, calendar, session, strategy, trade

SESSIONS = 4


# Net of 2 bp each: asked 8, 3, 0, -4; the mix 3, 0, 0, -1.
EARNED = {
    "asked": [trade("STRONG", 0, 6), trade("WEAK", 0, 6), trade("STRONG", 1, 5), trade("NULL", 3, -2)],
    "free:free_mix": [trade("STRONG", 0, 5), trade("STRONG", 3, 1)],
}


PLANNED_BP = 6.0
CALENDAR = calendar(SESSIONS)
SESSION_DAYS = [session(number) for number in range(SESSIONS)]


def net_bp(symbols: Sequence[str] = WHITELIST) -> dict[str, pl.DataFrame]:
    """What these symbols earn with the trades of each side."""
    made = {model.removeprefix("free:"): Trades.of(pl.DataFrame(trades)) for model, trades in EARNED.items()}
    return {side: pl.concat(_of_symbol(trades, symbol) for symbol in symbols) for side, trades in made.items()}


def _of_symbol(trades: pl.DataFrame, symbol: str) -> pl.DataFrame:
    earned = book_of(trades.filter(symbol=symbol), CALENDAR).net_bp(1)
    return CALENDAR.select("session", net_bp=pl.Series(earned))


def days_of(calls: Sequence[float] = (8.0, 8, 8, 4), **prices: object):
    asked = pl.DataFrame({"session": SESSION_DAYS, "calls": calls, "tokens": 1e5 * np.array(calls)})
    return money_days(net_bp(), PLANNED_BP, asked, WorthParams.model_validate(DOCUMENT["worth"] | prices))


def test_both_sides_trade_the_stated_rule_on_their_own_forecasts_and_no_gate_stands_in_the_way():
    rules = rules_of_sides(strategy(), {"asked": ("asked", 40), "free_mix": ("free:free_mix", 20)})
    told = {side: (rule.model, rule.rules.history_days, rule.trading) for side, rule in rules.items()}
    assert told == {
        "asked": ("asked", 40, sorted(WHITELIST)),
        "free_mix": ("free:free_mix", 20, sorted(WHITELIST)),
    }


def test_without_a_notional_days_are_in_bp_and_have_no_price():
    found = days_of(price_per_call=1.0)
    assert found.gross.tolist() == found.net.tolist() == [5.0, 3.0, 0.0, -3.0]


def test_a_notional_turns_bp_into_money_and_each_day_pays_its_calls():
    found = days_of(notional=20_000.0, price_per_call=0.5)  # a bp is 2
    assert found.gross.tolist() == [10.0, 6.0, 0.0, -6.0]
    assert found.net.tolist() == [6.0, 2.0, -4.0, -8.0]
    assert days_of(notional=20_000.0, price_per_million_tokens=5.0).net.tolist() == [6.0, 2.0, -4.0, -8.0]
    for free in ({}, {"price_per_call": 0.0}, {"price_per_million_tokens": 0.0}):
        assert days_of(notional=20_000.0, **free).net.tolist() == found.gross.tolist()


def test_the_planned_deviation_is_in_the_unit_of_the_days_and_never_zero():
    assert days_of().sd == PLANNED_BP
    assert days_of(notional=20_000.0).sd == 2 * PLANNED_BP
    none = pl.DataFrame({"session": SESSION_DAYS[:1], "calls": [1], "tokens": [1]})
    assert money_days({}, 0.0, none, WorthParams.model_validate(DOCUMENT["worth"])).sd == 1.0


def at_snapshots(*sigmas: Sequence[float | None]) -> pl.DataFrame:
    """Forecasts at two snapshots of each session, with these volatilities."""
    rows = [(session(number), 200.0, sigma) for number, pair in enumerate(sigmas) for sigma in pair]
    return pl.DataFrame(rows, {"session": pl.Date, "last": pl.Float64, "sigma_5m": pl.Float64}, orient="row")


@pytest.mark.parametrize(
    ("rules", "swing"),
    [
        ({"s_stop": 1.0, "s_take": 0.5}, 20.0),
        ({"s_stop": 0.5, "s_take": 3.0}, 60.0),
        ({"s_stop": 9.0, "s_take": 9.0, "max_hold_min": 20}, 40.0),  # twice the usual move of five minutes
        ({"s_stop": 9.0, "s_take": 9.0, "max_hold_min": "horizon"}, 20.0 * 2**0.5),
        ({"s_stop": 9.0, "s_take": 9.0, "max_hold_min": None}, 20.0 * 78**0.5),
    ],
)
def test_a_trade_may_swing_to_its_farther_barrier_or_as_far_as_time_allows(rules, swing):
    rule = strategy().with_rules(**{"max_hold_min": None, "horizon_min": 10} | rules)
    later = at_snapshots((None, None), (0.001, 0.003), (0.5, 0.5))
    assert swing_of(later, rule, "STRONG") == (session(1), pytest.approx(swing))
    assert swing_of(later.head(2), rule, "STRONG") is swing_of(later.clear(), rule, "STRONG") is None


def test_where_a_tick_is_more_than_the_volatility_a_trade_swings_by_ticks_as_the_rule_does():
    """A cent of 2.00 is 50 bp: barriers lie no nearer."""
    rule = strategy().with_rules(max_hold_min=None, s_stop=1.0, s_take=2.0)
    cheap = at_snapshots((0.001, 0.007)).with_columns(last=pl.lit(2.0))
    assert swing_of(cheap, rule, "STRONG") == (session(0), pytest.approx(2 * (50 + 70) / 2))


def together(first: int, *, traded_from: int | None = None, last: int = SESSIONS, **prices: object) -> MoneyDays:
    """The days so far of all symbols, of which each has calibrated forecasts from some session on.

    With `traded_from` only STRONG may trade, which comes in that session.
    """
    begins = dict.fromkeys(WHITELIST, first) | ({} if traded_from is None else {"STRONG": traded_from})
    rule = strategy() if traded_from is None else replace(strategy(), whitelist=("STRONG",))
    work = CompareSymbol(("asked", 40), [], rules_of_sides(rule, dict.fromkeys(net_bp(), ("any", 40))), CALENDAR)
    found = [(one, _found(one, begins[one], last, one in rule.whitelist)) for one in WHITELIST]
    calls = pl.DataFrame({"session": SESSION_DAYS[:last]}).with_columns(calls=pl.lit(4), tokens=pl.lit(100))
    return work.together(found, {}, calls, WorthParams.model_validate(DOCUMENT["worth"] | prices)).money


def _found(symbol: str, first: int, last: int, trades: bool) -> SymbolEvidence:
    days = pl.Series(SESSION_DAYS[first:last], dtype=pl.Date)
    swing = Swing(session(first), PLANNED_BP) if trades and len(days) else None
    return SymbolEvidence({}, LeftOut(0, 0, 0), net_bp([symbol]) if trades else {}, swing, days, [])


def test_trades_of_all_symbols_may_swing_together_however_many_days_there_are():
    for first in range(SESSIONS):
        assert together(first).sd == len(WHITELIST) * PLANNED_BP


def test_a_symbol_that_is_asked_later_changes_no_earlier_day():
    """It counts as the mean of those known when money's days begin: two of 10 and 20 bp plan 45 for three symbols."""
    swings = [Swing(session(0), 10.0), Swing(session(2), 20.0)]
    late = Swing(session(3), 600.0)
    assert planned_swing_bp(swings, 3, session(2)) == planned_swing_bp([*swings, late], 3, session(2)) == 45.0
    assert planned_swing_bp([*swings, late], 3, session(3)) == 630.0
    assert planned_swing_bp([late], 2, session(1)) == 1200.0, "of the first that is known at all"
    assert planned_swing_bp([], 3, session(1)) == 0.0


def test_the_days_of_money_begin_with_the_first_symbol_that_may_trade():
    """Before, calls would be set against a deviation that nobody knows yet, and another one as soon as it comes."""
    whole = together(0, traded_from=2, notional=1e4, price_per_call=1.0)
    assert (whole.calls["session"].to_list(), whole.sd) == ([session(2), session(3)], PLANNED_BP)
    assert whole.net.tolist() == [-4.0, -3.0], "four calls a day; the mix alone lost 1 on the last"
    so_far = together(0, traded_from=2, last=2, notional=1e4, price_per_call=1.0)
    assert so_far.calls.height == 0
    assert together(0, traded_from=2, last=3, notional=1e4, price_per_call=1.0).sd == whole.sd


def test_the_order_of_symbols_changes_no_bit():
    """As they stand these add up to -4.001, from the last on to -4.0009999999999994."""
    rows = pl.DataFrame({"session": SESSION_DAYS[:1] * 3, "net_bp": [-0.004, -4.0, 0.003]})
    calls = pl.DataFrame({"session": SESSION_DAYS[:1], "calls": [1], "tokens": [1]})
    params = WorthParams.model_validate(DOCUMENT["worth"])
    found, again = (money_days({"asked": one}, 1.0, calls, params).gross.tobytes() for one in (rows, rows.reverse()))
    assert found == again


def test_sessions_without_a_calibrated_forecast_are_no_days():
    found = together(1)
    assert found.calls["session"].to_list() == [session(number) for number in (1, 2, 3)]
    assert found.gross.tolist() == [3.0, 0.0, -3.0]
