"""The question of money: both sides trade one rule, and calls have a price."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from stages.params.worth import WorthParams
from stages.tables.trades import Trades
from stages.trading.performance import book_of
from stages.worth.by_symbol import CompareSymbol, SymbolEvidence
from stages.worth.money import MoneyDays, money_days, rules_of_sides
from stages.worth.series import LeftOut
from tests.trading.books import DOCUMENT, WHITELIST, calendar, session, strategy, trade

SESSIONS = 4


# Net of 2 bp each: asked 8, 3, 0, -4; the mix 3, 0, 0, -1; ewma_fhs 1 on the first day, har 3 on the last.
EARNED = {
    "asked": [trade("STRONG", 0, 6), trade("WEAK", 0, 6), trade("STRONG", 1, 5), trade("NULL", 3, -2)],
    "free:free_mix": [trade("STRONG", 0, 5), trade("STRONG", 3, 1)],
    "free:ewma_fhs": [trade("STRONG", 0, 3)],
    "free:har": [trade("STRONG", 3, 5)],
}


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
    return money_days(net_bp(), asked, WorthParams.model_validate(DOCUMENT["worth"] | prices))


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


def test_the_planned_deviation_is_that_between_two_free_forecasts():
    # ewma_fhs less har by day: 1, 0, 0, -3
    assert days_of().sd == pytest.approx(np.std([1, 0, 0, -3], ddof=1))
    assert days_of(notional=20_000.0).sd == pytest.approx(2 * np.std([1, 0, 0, -3], ddof=1))


def test_where_two_free_forecasts_earn_the_same_every_day_a_bp_is_planned_in_the_unit_of_the_days(monkeypatch):
    monkeypatch.setitem(EARNED, "free:har", EARNED["free:ewma_fhs"])
    assert days_of().sd == 1.0
    assert days_of(notional=20_000.0).sd == 2.0


def together(first: int, **prices: object) -> MoneyDays:
    """The days of all symbols, of which each has calibrated forecasts from some session on."""
    days = pl.Series(SESSION_DAYS[first:])
    work = CompareSymbol(("asked", 40), [], rules_of_sides(strategy(), dict.fromkeys(net_bp(), ("any", 40))), CALENDAR)
    found = [(one, SymbolEvidence({}, LeftOut(0, 0, 0), net_bp([one]), days, [])) for one in WHITELIST]
    calls = pl.DataFrame({"session": SESSION_DAYS}).with_columns(calls=pl.lit(4), tokens=pl.lit(100))
    return work.together(found, {}, calls, WorthParams.model_validate(DOCUMENT["worth"] | prices)).money


@pytest.mark.parametrize(("days", "sd"), [(1, 1.0), (2, 4.5**0.5)])
def test_two_days_give_a_deviation_and_one_day_gives_that_of_a_bp(days, sd):
    """The last days of ewma_fhs less har: 0 and -3."""
    assert together(SESSIONS - days).sd == pytest.approx(sd)
    assert together(SESSIONS - days, notional=20_000.0).sd == pytest.approx(2 * sd)


def test_the_order_of_symbols_changes_no_bit():
    """As they stand these add up to -4.001, from the last on to -4.0009999999999994."""
    rows = pl.DataFrame({"session": SESSION_DAYS[:1] * 3, "net_bp": [-0.004, -4.0, 0.003]})
    calls = pl.DataFrame({"session": SESSION_DAYS[:1], "calls": [1], "tokens": [1]})
    params = WorthParams.model_validate(DOCUMENT["worth"])
    found, again = (money_days({"asked": one}, calls, params).gross.tobytes() for one in (rows, rows.reverse()))
    assert found == again


def test_sessions_without_a_calibrated_forecast_are_no_days():
    found = together(1)
    assert found.calls["session"].to_list() == [session(number) for number in (1, 2, 3)]
    assert found.gross.tolist() == [3.0, 0.0, -3.0]
