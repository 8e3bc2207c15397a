"""What is planted in the artificial market, and that nothing else can be forecast in it."""

from datetime import date
from functools import cache
from math import erf, exp, pi, sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from stages.errors import ConfigurationError
from stages.sources.params import SyntheticParams
from stages.sources.synthetic import diurnal_shape, synthetic_bars, wave
from stages.universe.calendar import trading_calendar
from stages.universe.snapshots import snapshots

PARAMS = SyntheticParams(**yaml.safe_load(Path("conf/source/synthetic.yaml").read_text())["synthetic"])
CALENDAR = trading_calendar(date(2024, 9, 3), date(2025, 3, 31))
CLOCKS = ("09:45", "10:30", "13:30", "14:45")


TEN_YEARS = trading_calendar(date(2015, 1, 2), date(2024, 12, 31))


@cache
def ten_years_of(symbol: str) -> pl.DataFrame:
    without_jumps = PARAMS.model_copy(update={"jumps_per_session": 0.0})
    return synthetic_bars(symbol, without_jumps, TEN_YEARS).select("ts", "close")


def moves(symbol: str, horizon_min: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes in bp of ten years of snapshots, and the planted moves that an oracle would forecast."""
    bars = ten_years_of(symbol)
    asked = snapshots(TEN_YEARS, CLOCKS).filter(pl.col("is_open") & (pl.col("minutes_to_close") >= horizon_min))
    asked = asked.with_columns(last_ts=pl.col("snapshot_utc") - pl.duration(minutes=1))
    asked = asked.with_columns(target_ts=pl.col("last_ts") + pl.duration(minutes=horizon_min))
    joined = asked.join(bars, left_on="last_ts", right_on="ts").join(bars, left_on="target_ts", right_on="ts")
    joined = joined.sort("snapshot_utc")
    m0 = joined["m0"].to_numpy()
    outcome = 1e4 * np.log(joined["close_right"].to_numpy() / joined["close"].to_numpy())
    return outcome, 1e4 * (wave(symbol, PARAMS, m0 + horizon_min) - wave(symbol, PARAMS, m0))


def test_the_planted_move_is_the_one_worked_out_by_hand() -> None:
    """10:30 knows m0 = 59: 12 bp * (sin(2 pi 69/30 + phase) - sin(2 pi 59/30 + phase)) = 12 * sqrt(3) bp."""
    minute = np.array([59, 69])

    assert np.diff(wave("STRONG", PARAMS, minute))[0] * 1e4 == pytest.approx(12 * sqrt(3), abs=1e-9)


@pytest.mark.parametrize(("horizon_min", "height"), [(5, 10.392), (10, 20.785), (15, 20.785), (20, 10.392)])
def test_the_wave_helps_at_half_past_and_hurts_at_a_quarter_to(horizon_min: int, height: float) -> None:
    m0 = np.array([14, 59, 239, 314])
    planted = 1e4 * (wave("STRONG", PARAMS, m0 + horizon_min) - wave("STRONG", PARAMS, m0))

    assert planted == pytest.approx([-height, height, height, -height], abs=1e-3)


def test_the_season_is_exact_across_the_night_since_its_period_divides_every_session() -> None:
    assert wave("STRONG", PARAMS, np.array([-1])) == pytest.approx(wave("STRONG", PARAMS, np.array([389])))
    assert wave("STRONG", PARAMS, np.array([-1])) == pytest.approx(wave("STRONG", PARAMS, np.array([209])))


def folded_normal_mean(mean: float, sd: float) -> float:
    """E|X| of a normal X (Leone, Nelson and Nottingham 1961)."""
    return sd * sqrt(2 / pi) * exp(-(mean**2) / (2 * sd**2)) + mean * erf(mean / (sd * sqrt(2)))


def oracle_rmae(symbol: str, horizon_min: int) -> float:
    """Closed form: over m0 and the volatility level, E|noise| over E|planted + noise|, without jumps."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    one_minute = PARAMS.daily_sigma / sqrt(390)
    noise = total = 0.0
    for m0 in (14, 59, 239, 314):
        planted = 1e4 * float(np.diff(wave(symbol, PARAMS, np.array([m0, m0 + horizon_min])))[0])
        shape = diurnal_shape(390)[m0 + 1 : m0 + 1 + horizon_min]
        for node, weight in zip(nodes, weights, strict=True):
            level = exp(2 * (PARAMS.vol_sd * node - PARAMS.vol_sd**2))
            sd = 1e4 * sqrt(level * one_minute**2 * float(np.sum(shape**2)))
            noise += weight * folded_normal_mean(0.0, sd)
            total += weight * folded_normal_mean(planted, sd)
    return noise / total


@pytest.mark.parametrize("symbol", ["STRONG", "WEAK"])
@pytest.mark.parametrize("horizon_min", [5, 10, 15, 20])
def test_an_oracle_scores_what_the_closed_form_says(symbol: str, horizon_min: int) -> None:
    outcome, planted = moves(symbol, horizon_min)
    measured = np.abs(outcome - planted).sum() / np.abs(outcome).sum()

    assert measured == pytest.approx(oracle_rmae(symbol, horizon_min), abs=0.02)


@pytest.mark.parametrize("symbol", ["STRONG", "WEAK"])
def test_the_default_gate_is_within_the_oracles_reach_where_something_is_planted(symbol: str) -> None:
    assert oracle_rmae(symbol, 10) < 0.85


def test_a_pure_random_walk_moves_by_noise_alone() -> None:
    outcome, planted = moves("NULL", 10)

    assert np.all(planted == 0)
    assert abs(outcome.mean()) < 3 * outcome.std() / sqrt(len(outcome))


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


def test_a_longer_span_alters_no_earlier_bar() -> None:
    short = synthetic_bars("STRONG", PARAMS, CALENDAR.head(5))

    assert synthetic_bars("STRONG", PARAMS, CALENDAR).head(short.height).equals(short)


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
