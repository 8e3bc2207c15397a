"""On a market with a planted half-hour wave, the seasonal mean comes near the best that can be done; on none, nowhere.

The oracle knows the wave: its forecast is written here from the closed form, not taken from the code under test.
"""

from functools import cache
from math import pi, sin

import numpy as np
import pytest

from stages.forecasting.answering import ask_all
from stages.forecasting.local_backend import local_backend
from stages.params.source import SyntheticParams
from stages.questions.market import Market
from stages.questions.schedule import plan_questions
from stages.sources.synthetic import synthetic_bars
from tests.features.made_bars import bars_of, made_calendar, section
from tests.forecasting.windows import forecaster_params
from tests.questions.markets import QUALITY, market_of, requests_params

CALENDAR = made_calendar(80)
SYNTHETIC = SyntheticParams.model_validate(section("source")["synthetic"])
HORIZON = 10
CLOCKS = ["09:45", "10:30", "13:30", "14:45"]


@cache
def outcomes_and_forecasts(symbol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moves that came, the seasonal quantiles, and the minute each move began at."""
    delivered = synthetic_bars(symbol, SYNTHETIC, CALENDAR)
    prices = {name: delivered[name].to_list() for name in ("open", "high", "low", "volume")}
    bars = bars_of(CALENDAR, delivered["close"].to_list(), **prices)
    market: Market = market_of({symbol: bars}, CALENDAR)
    requests = requests_params(history_days=[40], horizons_min=[5, HORIZON, 20], snapshots_et=CLOCKS)
    params = forecaster_params()
    _, questions = plan_questions(market, (symbol,), requests, params.model_spec, QUALITY)
    answers = ask_all(questions, market, local_backend("seasonal", params, requests.horizons_min))
    close, row = bars["close"].to_numpy(), {at: k for k, at in enumerate(bars["ts"])}
    ends = np.array([row[question.end_utc] for question in questions])
    moves = 1e4 * np.log(close[ends + HORIZON] / close[ends])
    quantiles = np.array([answers[question.key].at((HORIZON,))[:, 0] for question in questions])
    return moves, quantiles, bars["m"].to_numpy()[ends]


def relative_error(moves, forecasts) -> float:
    return np.abs(moves - forecasts).sum() / np.abs(moves).sum()


@pytest.mark.parametrize(("symbol", "amplitude_bp"), [("STRONG", 12), ("WEAK", 7)])
def test_a_planted_wave_is_found_almost_as_well_as_by_its_exact_formula(symbol, amplitude_bp):
    moves, quantiles, minutes = outcomes_and_forecasts(symbol)
    phase = pi / 15 - pi / 3
    oracle = [amplitude_bp * (sin(2 * pi * (m + HORIZON) / 30 + phase) - sin(2 * pi * m / 30 + phase)) for m in minutes]
    best = relative_error(moves, np.array(oracle))
    assert best < 0.95, "the plant must be worth finding"
    # a mean of 40 moves adds 1/40 to the variance of the error: sqrt(1.025) = 1.012
    assert best < relative_error(moves, quantiles[:, 2]) * 1.03
    assert relative_error(moves, quantiles[:, 2]) < best * 1.05


def test_where_nothing_is_planted_nothing_is_found():
    moves, quantiles, _ = outcomes_and_forecasts("NULL")
    assert relative_error(moves, quantiles[:, 2]) > 0.97


@pytest.mark.parametrize("symbol", ["STRONG", "NULL"])
def test_half_of_the_moves_end_between_the_quartiles(symbol):
    """160 moves: a standard error of 4 points."""
    moves, quantiles, _ = outcomes_and_forecasts(symbol)
    assert np.mean((quantiles[:, 1] <= moves) & (moves <= quantiles[:, 3])) == pytest.approx(0.5, abs=0.12)
