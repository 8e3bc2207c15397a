"""Figures of a daily series: those of quantstats 0.0.86 on the same series, and buying and holding by hand."""

from datetime import UTC, date, datetime, timedelta
from math import cos, sin, sqrt

import numpy as np
import polars as pl
import pytest

from stages.trading.daily import benchmark, buy_and_hold, earned
from stages.trading.performance import (
    beta,
    monthly,
    rolling_sharpe,
    rolling_window,
    rounded,
    sharpe,
    sortino,
    volatility,
)
from tests.trading.books import WHITELIST, span, strategy, trade
from tests.trading.test_outcome import outcome_of

WEEKDAYS = [day for n in range(84) if (day := date(2024, 11, 4) + timedelta(days=n)).weekday() < 5]
DAILY = np.array([round(10 * sin(k * k) + 1.5, 3) for k in range(60)])
MARKET = np.array([round(40 * sin(k * k) + 30 * cos(3 * k), 3) for k in range(60)])
SERIES = pl.DataFrame({"session": WEEKDAYS, "net_bp": DAILY})


def test_ratios_are_those_of_quantstats():
    assert sharpe(DAILY) == pytest.approx(2.684120354553561)
    assert sortino(DAILY) == pytest.approx(4.624309731296283)
    assert volatility(DAILY) == pytest.approx(110.68005929615326)
    assert beta(DAILY, MARKET) == pytest.approx(0.163245, abs=1e-6)


def test_the_rolling_ratio_is_that_of_quantstats_with_los_error_beside_it():
    rolled = rolling_sharpe(SERIES, 21)
    first, last = rolled.row(0, named=True), rolled.row(-1, named=True)
    assert rolled.height == 60 - 20
    assert (first["session"], first["sharpe"]) == (WEEKDAYS[20], pytest.approx(-1.1246198637278524, abs=1e-6))
    assert last["sharpe"] == pytest.approx(6.296698287431199, abs=1e-6)
    assert rolling_sharpe(SERIES.reverse(), 21).equals(rolled)
    assert last["se"] == round(sqrt(252 * (1 + 0.5 * 6.296698287431199**2 / 252) / 21), 6)


def test_months_add_up_as_in_quantstats_without_compounding():
    assert monthly(SERIES).rows() == [(2024, 11, -3.206), (2024, 12, 15.404), (2025, 1, 58.535)]
    firsts = [date(2020 + n // 12, 1 + n % 12, 1) for n in range(36)]
    assert (
        monthly(pl.DataFrame({"session": firsts[::-1], "net_bp": range(36)}))["net_bp"].to_list() == [*range(36)][::-1]
    )


def test_what_is_undefined_is_none_and_not_a_number():
    assert sortino(np.full(30, 2.0)) is None
    assert beta(DAILY, np.zeros(60)) is None
    still = pl.DataFrame({"session": WEEKDAYS, "net_bp": np.zeros(60)})
    assert rolling_sharpe(still, 21).is_empty()


@pytest.mark.parametrize(
    ("figure", "least"),
    [(sharpe, 20), (sortino, 20), (volatility, 2), (lambda daily: beta(daily, MARKET[: len(daily)]), 20)],
    ids=["sharpe", "sortino", "volatility", "beta"],
)
def test_a_ratio_takes_twenty_sessions_and_a_deviation_two(figure, least):
    assert figure(DAILY[: least - 1]) is None
    assert figure(DAILY[:least]) is not None


@pytest.mark.parametrize(("sessions", "days"), [(41, None), (42, 21), (251, 21), (252, 126)])
def test_a_rolling_ratio_takes_half_a_year_where_two_halves_are_there_and_else_a_month(sessions, days):
    assert rolling_window(sessions) == days


def bars(*closes: float | None) -> pl.DataFrame:
    """Two minutes a day that open at 100 on the first and end at these closes; None is a day without a price."""
    rows = [
        {"ts": datetime(2024, 12, 2 + day, 14, 30 + minute, tzinfo=UTC), "open": close and 100.0, "close": close}
        for day, close in enumerate(closes)
        for minute in range(2)
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("open", "close").cast(pl.Float64))


SESSIONS = pl.Series("session", [date(2024, 12, 2 + n) for n in range(3)])


def held_together(**market: pl.DataFrame) -> pl.DataFrame:
    """Buying and holding these symbols."""
    return buy_and_hold([earned(its, SESSIONS) for its in market.values()], SESSIONS)


def test_holding_two_symbols_by_hand():
    """A goes from 100 to 101, 101 and 103, B to 98, 99 and 100: means of -50, 0 and 150 bp of what was paid."""
    market = {"A": bars(101.0, None, 103.0), "B": bars(98.0, 99.0, 100.0)}
    days = held_together(**market)
    assert days["session"].to_list() == SESSIONS.to_list()
    assert days["net_bp"].to_list() == pytest.approx([-50.0, 50.0, 150.0])


def test_days_of_holding_have_six_decimals():
    days = held_together(A=bars(100 + 1 / 3, 100 + 1 / 3, 101.0))
    assert days["net_bp"].to_list() == [33.333333, 0.0, 66.666667]


def test_the_unit_of_a_symbol_without_any_price_lies_idle_as_in_the_book():
    """The book is divided by all symbols that may trade, also by one that was delisted before the holdout."""
    market = {"A": bars(101.0, 102.0, 103.0), "B": bars(None, None, None)}
    assert held_together(**market)["net_bp"].to_list() == pytest.approx([50.0, 50.0, 50.0])
    assert held_together(B=market["B"]).is_empty()


def test_spy_is_a_benchmark_where_its_bars_are_there():
    own = {"A": earned(bars(101.0, 102.0, 103.0), SESSIONS)}
    one = benchmark({"search": SESSIONS}, {"search": own}, ["A"])
    assert one["name"].unique().to_list() == ["buy and hold"]
    both = benchmark({"search": SESSIONS}, {"search": own | {"SPY": earned(bars(99.0, 99.0, 99.0), SESSIONS)}}, ["A"])
    assert both.filter(name="SPY")["net_bp"].to_list() == [-100.0, 0.0, 0.0]
    assert both.filter(name="buy and hold").height == 3


def test_without_the_symbol_gate_every_symbol_of_the_whitelist_may_trade():
    assert strategy().trading == []
    assert strategy().ungated().trading == sorted(WHITELIST)


def test_a_run_that_traded_needs_no_look_without_the_gate():
    assert outcome_of(strategy("STRONG"), span(3, trade("STRONG", 0, 5.0))).ungated_daily.is_empty()
    shut = outcome_of(strategy(), span(3)).ungated_daily
    assert shut["symbol"].unique().sort().to_list() == ["NULL", "PORTFOLIO", "STRONG", "WEAK"]


def test_a_figure_has_six_decimals_and_no_zero_has_a_sign():
    assert [str(rounded(value)) for value in (-1e-9, -1 / 3, None)] == ["0.0", "-0.333333", "None"]
    assert str(rounded(-0.04, 1)) == "0.0"
