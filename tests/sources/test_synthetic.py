"""What is planted in the artificial market, and that nothing else can be forecast in it."""

from datetime import date
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from stages.errors import ConfigurationError
from stages.params.source import SyntheticParams
from stages.sessions.calendar import trading_calendar
from stages.sources.synthetic import synthetic_bars

PARAMS = SyntheticParams(**yaml.safe_load(Path("conf/source/synthetic.yaml").read_text())["synthetic"])
CALENDAR = trading_calendar(date(2024, 9, 3), date(2025, 3, 31))


def test_returns_of_the_random_walk_are_uncorrelated_from_one_minute_to_the_next() -> None:
    close = np.log(synthetic_bars("NULL", PARAMS, CALENDAR)["close"].to_numpy())
    r = np.diff(close)

    assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < 4 / sqrt(len(r))


def test_symbols_share_the_factor_by_their_beta() -> None:
    calm = PARAMS.model_copy(update={"jumps_per_session": 0.0, "overnight_sigma_share": 0.0, "vol_sd": 0.0})
    r = {
        symbol: np.diff(np.log(synthetic_bars(symbol, calm, CALENDAR)["close"].to_numpy()))
        for symbol in ("FACTOR", "NULL")
    }

    assert np.corrcoef(r["FACTOR"], r["NULL"])[0, 1] == pytest.approx(PARAMS.beta["NULL"], abs=0.02)
    assert r["NULL"].std() == pytest.approx(r["FACTOR"].std(), rel=0.02)


def test_a_session_has_the_stated_daily_volatility() -> None:
    calm = PARAMS.model_copy(update={"jumps_per_session": 0.0, "overnight_sigma_share": 0.0, "vol_sd": 0.0})
    r = np.diff(np.log(synthetic_bars("NULL", calm, CALENDAR)["close"].to_numpy()))

    assert sqrt(390 * np.mean(r**2)) == pytest.approx(PARAMS.daily_sigma, rel=0.03)


@pytest.mark.parametrize("plant", ["wave", "ou"])
def test_a_longer_span_alters_no_earlier_bar(plant: str) -> None:
    params = PARAMS.model_copy(update={"plant": plant})
    short = synthetic_bars("STRONG", params, CALENDAR.head(5))

    assert synthetic_bars("STRONG", params, CALENDAR).head(short.height).equals(short)


def test_a_further_symbol_alters_no_other() -> None:
    more = PARAMS.model_copy(update={"amplitude_bp": PARAMS.amplitude_bp | {"EXTRA": 3.0}})

    assert synthetic_bars("STRONG", more, CALENDAR.head(5)).equals(synthetic_bars("STRONG", PARAMS, CALENDAR.head(5)))


def test_every_bar_is_a_possible_bar_on_the_tick_grid() -> None:
    bars = synthetic_bars("WEAK", PARAMS, CALENDAR)
    prices = bars.select("open", "high", "low", "close")
    cents = prices.to_numpy() * 100

    assert bars.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
    assert bars.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    assert np.abs(cents - np.round(cents)).max() < 1e-6
    assert bars["volume"].min() > 0


def test_within_a_session_each_bar_opens_where_the_one_before_closed() -> None:
    bars = synthetic_bars("STRONG", PARAMS, CALENDAR.head(1))

    assert bars["open"][1:].to_list() == bars["close"][:-1].to_list()


def test_a_symbol_that_the_market_does_not_know_is_refused_by_the_params_that_would_name_it() -> None:
    with pytest.raises(ConfigurationError, match=r"AAPL.*source\.synthetic\.amplitude_bp"):
        synthetic_bars("AAPL", PARAMS, CALENDAR)
