"""What is planted in the artificial market: by hand, and measured on many sessions."""

from datetime import date, timedelta
from math import sqrt

import numpy as np
import pytest

from stages.sources.synthetic import PLANTS
from tests.sources.test_synthetic import PARAMS

DAY = date(2024, 11, 22)
PULLED = PARAMS.model_copy(update={"plant": "ou", "ou_half_life_min": 10.0, "amplitude_bp": {"A": 20.0, "B": 0.0}})


@pytest.fixture(scope="module")
def years() -> np.ndarray:
    """3,000 days of the market that is pulled back, in bp."""
    return np.array([PLANTS["ou"].path("A", PULLED, DAY + timedelta(days=n), 390) for n in range(3000)]) * 1e4


def wave(minutes: np.ndarray, n_bars: int = 390) -> np.ndarray:
    """The season at the end of each minute, in bp; -1 is before the first."""
    return PLANTS["wave"].path("STRONG", PARAMS, DAY, n_bars)[minutes + 1] * 1e4


def test_the_planted_move_is_the_one_worked_out_by_hand():
    """10:30 knows m0 = 59: 12 bp * (sin(2 pi 69/30 + phase) - sin(2 pi 59/30 + phase)) = 12 * sqrt(3) bp."""
    assert np.diff(wave(np.array([59, 69]))) == pytest.approx([12 * sqrt(3)], abs=1e-9)


@pytest.mark.parametrize(("horizon_min", "height"), [(5, 10.392), (10, 20.785), (15, 20.785), (20, 10.392)])
def test_the_wave_helps_at_half_past_and_hurts_at_a_quarter_to(horizon_min, height):
    m0 = np.array([14, 59, 239, 314])
    assert wave(m0 + horizon_min) - wave(m0) == pytest.approx([-height, height, height, -height], abs=1e-3)


def test_the_season_is_exact_across_the_night_since_its_period_divides_every_session():
    before = wave(np.array([-1]))
    assert wave(np.array([389])) == pytest.approx(before)
    assert wave(np.array([209]), n_bars=210) == pytest.approx(before)


def test_half_of_what_is_pulled_back_is_gone_after_a_half_life():
    """20 bp above: in 10 minutes 10 bp come back, in 20 minutes 15; what comes anew has 3/4 and 15/16 of 400 bp^2."""
    path = np.full(391, 20e-4)
    move, surprise = PLANTS["ou"].ahead("A", PULLED, path, np.array([59, 59]), np.array([10, 20]))
    assert 1e4 * move == pytest.approx([-10, -15])
    assert 1e8 * surprise == pytest.approx([300, 375])


@pytest.mark.journey  # twelve years of sessions are drawn
def test_what_is_pulled_back_has_the_stated_deviation_at_every_minute_from_the_first_on(years):
    assert years[:, [0, 1, 195, 390]].std(axis=0) == pytest.approx(20.0, rel=0.05)


@pytest.mark.journey  # twelve years of sessions are drawn
def test_what_is_pulled_back_moves_as_its_forecast_says(years):
    m0, horizon_min = np.array([59]), np.array([10])
    told = [PLANTS["ou"].ahead("A", PULLED, path / 1e4, m0, horizon_min) for path in years]
    expected, variance = (1e4 * np.array([one[0][0] for one in told])), 1e8 * told[0][1][0]
    left = years[:, 70] - years[:, 60] - expected
    assert left.std() == pytest.approx(sqrt(variance), rel=0.05)
    assert abs(np.corrcoef(left, years[:, 60])[0, 1]) < 4 / sqrt(len(years))


@pytest.mark.journey  # twelve years of sessions are drawn
def test_each_session_has_a_path_of_its_own(years):
    assert abs(np.corrcoef(years[:-1, 390], years[1:, 0])[0, 1]) < 4 / sqrt(len(years))


def test_where_there_is_nothing_to_pull_back_nothing_is_planted():
    assert not PLANTS["ou"].path("B", PULLED, DAY, 390).any()
