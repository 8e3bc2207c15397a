"""The question of money: both sides trade one rule, and calls have a price."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from stages.params.worth import WorthParams
from stages.tables.trades import Trades
from stages.trading.book import SpanInputs
from stages.trading.strategy import Strategy
from stages.worth.money import Bought, money_days
from tests.scoring.simulated import as_answered, with_truth
from tests.trading.books import DOCUMENT, WHITELIST, calendar, session, strategy, trade

SESSIONS = 4


@dataclass(frozen=True)
class Stub(SpanInputs):
    """Sessions in which each model makes the trades that the test states; its rule is looked at."""

    def traded(self, strategies: Sequence[Strategy]) -> list[pl.DataFrame]:
        for one in strategies:
            own = self.forecasts.filter(model=one.model)
            assert own["history_days"].unique().to_list() == [one.rules.history_days]
            assert one.trading == sorted(WHITELIST), "no gate stands in the way of either side"
        return [Trades.of(pl.DataFrame(EARNED[one.model])) for one in strategies]


# Net of 2 bp each: asked 8, 3, 0, -4; the mix 3, 0, 0, -1; ewma_fhs 1 on the first day, har 3 on the last.
EARNED = {
    "asked": [trade("STRONG", 0, 6), trade("WEAK", 0, 6), trade("STRONG", 1, 5), trade("NULL", 3, -2)],
    "free:free_mix": [trade("STRONG", 0, 5), trade("STRONG", 3, 1)],
    "free:ewma_fhs": [trade("STRONG", 0, 3)],
    "free:har": [trade("STRONG", 3, 5)],
}


def rows(model: str, history_days: int = 40) -> pl.DataFrame:
    """A calibrated forecast in each session."""
    frame = as_answered(with_truth(SESSIONS, clocks=("15:30",), models=("asked",)))
    days = [session(number) for number in range(SESSIONS)]
    named = {"model": pl.lit(model), "history_days": pl.lit(history_days, pl.Int32), "calibrated": pl.lit(True)}
    return frame.with_columns(**named, session=pl.Series(days))


def days_of(**prices: object):
    sessions = [session(number) for number in range(SESSIONS)]
    bought = Bought(sessions=sessions, calls=np.array([8.0, 8, 8, 4]), tokens=np.array([8e5, 8e5, 8e5, 4e5]))
    params = WorthParams.model_validate(DOCUMENT["worth"] | prices)
    free = {name: rows(f"free:{name}", 20) for name in ("free_mix", "ewma_fhs", "har")}
    return money_days(Stub({}, rows("asked"), calendar(SESSIONS)), free, strategy(), bought, params)


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


@pytest.mark.parametrize(("days", "sd"), [(1, 1.0), (2, 4.5**0.5)])
def test_two_days_give_a_deviation_and_one_day_gives_that_of_a_bp(days, sd):
    """The last days of ewma_fhs less har: 0 and -3."""
    late = rows("asked").with_columns(calibrated=pl.col("session") >= session(SESSIONS - days))
    bought = Bought([session(number) for number in range(SESSIONS)], np.full(SESSIONS, 4.0), np.full(SESSIONS, 100.0))
    free = {name: rows(f"free:{name}") for name in ("free_mix", "ewma_fhs", "har")}
    params = WorthParams.model_validate(DOCUMENT["worth"])
    found = money_days(Stub({}, late, calendar(SESSIONS)), free, strategy(), bought, params)
    assert found.sd == pytest.approx(sd)


def test_sessions_without_a_calibrated_forecast_are_no_days():
    later = rows("asked").with_columns(calibrated=pl.col("session") > session(0))
    bought = Bought([session(number) for number in range(SESSIONS)], np.full(SESSIONS, 4.0), np.full(SESSIONS, 100.0))
    free = {name: rows(f"free:{name}") for name in ("free_mix", "ewma_fhs", "har")}
    params = WorthParams.model_validate(DOCUMENT["worth"])
    found = money_days(Stub({}, later, calendar(SESSIONS)), free, strategy(), bought, params)
    assert found.bought.sessions == [session(number) for number in (1, 2, 3)]
    assert found.gross.tolist() == [3.0, 0.0, -3.0]
    assert bought.until(session(1)) == 8
