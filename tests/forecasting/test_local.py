"""What every local forecaster promises: sound quantiles, from the window alone, under its own name."""

import warnings
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from stages.errors import DataContractError
from stages.forecasting.backend import Asked
from stages.forecasting.local.ewma_fhs import ewma_before, ewma_from, simulate, usual_size
from stages.forecasting.local_backend import local_backend
from stages.forecasting.moves import past_moves, spread
from stages.params.forecaster import LOCAL_OPTIONS, LocalName
from tests.architecture.dependencies import ROOT
from tests.forecasting.windows import (
    changed,
    fhs,
    forecaster_params,
    persistence,
    question,
    random_window,
    seasonal,
    window,
)

NAMES = get_args(LocalName)
SEEDS = st.integers(0, 10_000)


def answer(name, rows, asked=None, **changes):
    asked = asked or question(10)
    params = forecaster_params(**{"name": name, "model": name} | changes)
    every_minute = tuple(range(1, asked.horizon_min + 1))
    return local_backend(name, params, every_minute).answer([Asked(asked, lambda: rows)])[asked.key]


def test_each_has_a_file_of_code_and_one_in_conf_and_says_which_params_can_change_its_answer():
    code = {path.stem for path in (ROOT / "stages/forecasting/local").glob("[!_]*.py")}
    choices = {path.stem for path in (ROOT / "conf/forecaster").glob("*.yaml")} - {"timegpt", "command"}
    assert set(NAMES) == set(LOCAL_OPTIONS), "LocalName and LOCAL_OPTIONS in stages/params/forecaster.py differ"
    assert code == set(NAMES), "a local forecaster is a file of its name in stages/forecasting/local/"
    assert choices == set(NAMES), "each is chosen by a file of its name in conf/forecaster/"


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS, today=st.integers(1, 45))
@settings(max_examples=10, deadline=None)
def test_quantiles_are_finite_in_order_and_signed_by_their_maker(name, seed, today):
    given_ = answer(name, random_window(seed, today=today))
    assert given_.values_bp.shape == (5, 10)
    assert np.isfinite(given_.values_bp).all()
    assert (np.diff(given_.values_bp, axis=0) >= 0).all()
    assert given_.source == f"local:{name}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("today", [1, 45, 58])
def test_a_minute_ahead_is_answered_alike_whatever_else_is_asked(name, today):
    rows, params = random_window(11, today=today), forecaster_params(name=name, model=name)
    every = answer(name, rows)
    some = local_backend(name, params, (9, 2, 5)).answer([Asked(question(10), lambda: rows)])[every.key]
    assert some.values_bp.shape == (5, 3)
    assert some.at((9, 2, 5)) == pytest.approx(every.at((9, 2, 5)), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_sessions_further_back_than_it_may_look_change_no_answer(name):
    rows = random_window(5)
    first = int(rows.past.starts[-6])  # five complete sessions and today
    held = changed(rows, rows.returns, first)
    far, near = (answer(name, one, lookback_sessions=5).values_bp for one in (rows, held))
    assert far == pytest.approx(near, rel=1e-9)
    assert not np.allclose(answer(name, rows, lookback_sessions=8).values_bp, far)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_question_always_has_the_same_answer(name):
    first, second = (answer(name, random_window(3)).values_bp for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_nothing_is_sent():
    assert local_backend("seasonal", forecaster_params(), (5,)).took == {"calls": 0}


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_twice_the_returns_give_twice_the_quantiles(name, seed):
    rows = random_window(seed)
    doubled = answer(name, changed(rows, 2 * rows.returns)).values_bp
    assert doubled == pytest.approx(2 * answer(name, rows).values_bp, rel=1e-9)


@pytest.mark.parametrize("name", ["seasonal", "persistence"])
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_market_turned_upside_down_turns_the_quantiles(name, seed):
    rows = random_window(seed)
    turned = answer(name, changed(rows, -rows.returns)).values_bp
    assert turned == pytest.approx(-answer(name, rows).values_bp[::-1], abs=1e-9)


def test_the_seasonal_mean_by_hand():
    """At minute 1 the market rose by 4 and 6 bp, then fell by 1 and 3."""
    rows = window([[0, 0, 4, -1], [0, 0, 6, -3], [0, 0]])
    middle = seasonal(question(2), rows, forecaster_params())[2]
    assert middle.tolist() == pytest.approx([5, 3])


def test_two_sessions_are_a_season():
    rows = random_window(1, sessions=2)
    moves = past_moves(rows, range(19, 20), 5, np.arange(1, 6), 40)
    assert seasonal(question(5), rows, forecaster_params())[2].tolist() == pytest.approx(moves.mean(axis=0).tolist())


@pytest.mark.parametrize(("sessions", "alone"), [(1, False), (2, True)])
def test_persistence_looks_at_all_minutes_where_the_neighbourhood_holds_fewer_than_twenty_moves(sessions, alone):
    """A session holds 16 moves that began in minutes 0 to 15, all of them 0."""
    quiet = [[0.0] * 21 + [float(k) for k in range(39)]] * sessions
    wide = persistence(question(5), window([*quiet, [0.0]]), forecaster_params())[4]
    assert (wide == 0).all() == alone


def test_the_neighbourhood_of_a_minute_reaches_as_far_to_both_sides():
    rows = random_window(1)
    minute = int(rows.minute[-1])
    moves = past_moves(rows, range(minute - 15, minute + 16), 5, np.arange(1, 6), forecaster_params().lookback_sessions)
    assert np.array_equal(persistence(question(5), rows, forecaster_params()), spread(moves, question(5).levels))


@pytest.mark.parametrize(("minutes", "enough"), [(25, True), (24, False)])
def test_persistence_needs_twenty_moves_and_no_more(minutes, enough):
    """25 minutes hold moves of five minutes from minutes 0 to 19."""
    rows = window([np.random.default_rng(1).normal(0, 5, minutes).tolist(), [0.0]])
    if enough:
        assert (persistence(question(5), rows, forecaster_params())[4] > 0).all()
    else:
        with pytest.raises(DataContractError, match="has 19 past moves of 5 min, and needs at least 20"):
            persistence(question(5), rows, forecaster_params())


def test_with_one_session_there_is_no_season_and_persistence_answers():
    rows = random_window(1, sessions=1, n_bars=60)
    params = forecaster_params()
    assert seasonal(question(5), rows, params).tolist() == persistence(question(5), rows, params).tolist()


def test_persistence_stays_where_it_is_and_is_wide_when_the_market_is():
    """Calm in the first half of each session, five times as wild in the second."""
    rng = np.random.default_rng(1)
    sessions = [np.concatenate([rng.normal(0, 2, 100), rng.normal(0, 10, 100)]).tolist() for _ in range(30)]
    calm, wild = (
        persistence(question(5), window([*sessions, [0] * today]), forecaster_params()) for today in (50, 150)
    )
    assert (calm[2] == 0).all()
    assert (wild[2] == 0).all()
    assert wild[4] / calm[4] == pytest.approx(np.full(5, 5), rel=0.25)
    # a normal move over h minutes of 2 bp has its 95 % quantile at 1.645 * 2 * sqrt(h)
    assert calm[4] == pytest.approx(1.645 * 2 * np.sqrt(np.arange(1, 6)), rel=0.15)


def test_persistence_after_half_days_only_takes_moves_of_any_minute():
    rows = window([np.random.default_rng(1).normal(0, 5, 40).tolist(), [0.0] * 150])
    assert (persistence(question(5), rows, forecaster_params())[4] > 0).all()


def test_persistence_without_a_past_says_so():
    with pytest.raises(
        DataContractError, match=r"has 0 past moves of 5 min.*raise requests.history_days.*input_size.*min_rows"
    ):
        persistence(question(5), window([[0.0] * 30]), forecaster_params())


def fhs_in_loops(days, asked, params):
    """The definition, a minute at a time, after the last of these days of bp; the draws are numpy's."""
    minutes = [(m, r) for day in days for m, r in enumerate(day)]
    halves = {m // 30: [r for minute, r in minutes if minute // 30 == m // 30] for m, _ in minutes}
    usual = {half: np.mean(np.square(r)) ** 0.5 for half, r in halves.items()}
    relative = [r / usual[m // 30] for m, r in minutes]
    keep = 0.5 ** (1 / params.ewma_half_life_min)
    variance = [np.mean(np.square(relative))]
    for r in relative:
        variance.append(keep * variance[-1] + (1 - keep) * r**2)
    shocks = [r / v**0.5 for r, v in zip(relative, variance[:-1], strict=True)]
    size = asked.horizon_min, params.fhs_paths
    drawn = np.random.default_rng(int(asked.key, 16)).choice(np.array(shocks) - np.mean(shocks), size=size)
    moves = np.zeros(size)
    for path in range(size[1]):
        move, v = 0.0, variance[-1]
        for step in range(size[0]):
            r = drawn[step, path] * v**0.5
            move, v = move + r * usual[(len(days[-1]) + step) // 30], keep * v + (1 - keep) * r**2
            moves[step, path] = move
    return [np.quantile(step, np.array(asked.levels) / 100).tolist() for step in moves]


def test_filtered_simulation_is_what_the_definition_gives_a_minute_at_a_time():
    """The first half hour is calm, the second wild; the paths go from one into the other."""
    rng, params, asked = (
        np.random.default_rng(9),
        forecaster_params(fhs_paths=100, ewma_half_life_min=20.0),
        question(5),
    )
    days = [(rng.normal(0, 1, n) * np.where(np.arange(n) < 30, 2, 20)).round(6).tolist() for n in (60, 60, 60, 28)]
    days[0][0] = 0.0  # nobody knows the first return of a window
    assert fhs(asked, window(days), params).T.tolist() == [
        pytest.approx(step, rel=1e-9) for step in fhs_in_loops(days, asked, params)
    ]


def test_filtered_simulation_finds_the_quantiles_of_normal_returns():
    """Moves over h minutes of 5 bp: quantiles at 0.6745 and 1.645 times 5 * sqrt(h) (normal tables)."""
    rng = np.random.default_rng(5)
    rows = window([rng.normal(0, 5, 390).tolist() for _ in range(40)] + [rng.normal(0, 5, 100).tolist()])
    found = fhs(question(10), rows, forecaster_params(fhs_paths=20_000, ewma_half_life_min=390.0))
    sigma = 5 * np.sqrt(np.arange(1, 11))
    for row, z in zip(found, (-1.645, -0.6745, 0, 0.6745, 1.645), strict=True):
        assert row == pytest.approx(z * sigma, abs=0.12 * 5 * np.sqrt(10))


def test_a_half_life_too_short_for_minutes_without_a_move_gives_an_answer_to_refuse_and_no_warning():
    rows = window([[5.0, -5.0, 0.0] * 130 for _ in range(4)] + [[5.0, -5.0, 0.0] * 20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fhs(question(5), rows, forecaster_params(fhs_paths=100, ewma_half_life_min=0.0001))
    assert not np.isfinite(found).all()


def test_filtered_simulation_is_wider_after_a_wild_hour():
    rng = np.random.default_rng(6)
    past = [rng.normal(0, 5, 390).tolist() for _ in range(10)]
    last_hour = rng.normal(0, 1, 60)
    calm, wild = (
        fhs(question(10), window([*past, (scale * last_hour).tolist()]), forecaster_params()) for scale in (5, 15)
    )
    assert (wild[4] > 1.5 * calm[4]).all()


def test_another_question_draws_other_paths():
    rows = random_window(2)
    assert (
        answer("ewma_fhs", rows).values_bp.tolist() != answer("ewma_fhs", rows, question(10, rows=1)).values_bp.tolist()
    )


def test_the_usual_size_of_half_hours_by_hand():
    """3 and 5 bp in the first, nothing in the third, one of 7 in the fifth; the ten others take the size of all."""
    sizes = usual_size(np.array([3.0, -5.0, 0.0, 0.0, 7.0]), np.array([0, 0, 2, 2, 4], dtype=np.int32))
    of_all = ((9 + 25 + 49) / 5) ** 0.5
    assert sizes.tolist() == pytest.approx([17**0.5, of_all, 1e-3, of_all, 7.0, *[of_all] * 8])


def test_the_weighted_variance_by_hand():
    """Half life 1: 0.5 * old + 0.5 * new, from the overall mean of 4, 0, 8."""
    assert ewma_before(np.array([4.0, 0.0, 8.0]), 0.5).tolist() == [4, 4, 2, 5]
    assert ewma_before(np.zeros(2), 0.5).tolist() == pytest.approx([1e-6, 5e-7, 2.5e-7]), (
        "a thousandth of a bp at least"
    )


@pytest.mark.parametrize("half_life_min", [1e-6, 0.01, 1, 60, 1950, 1e6])
@pytest.mark.parametrize("rows", [1, 389, 390, 1000])
def test_the_weighted_variance_is_a_linear_filter_whatever_its_half_life(half_life_min, rows):
    # Source of the expected values: scipy.signal.
    squares, decay = np.random.default_rng(rows).chisquare(1, rows), 0.5 ** (1 / half_life_min)
    expected, _ = lfilter([1 - decay], [1, -decay], squares, zi=[decay * 3.0])
    assert ewma_from(3.0, squares, decay) == pytest.approx([3.0, *expected], rel=1e-12)


def test_each_simulated_shock_moves_the_variance_of_the_next_one():
    """Variance 4: a shock of 3 is a return of 6; with decay 0.5 the next variance is 2 + 18, then 10 + 10."""
    steps = simulate(np.array([[3.0, 0.0], [-1.0, 1.0], [0.5, 2.0]]), 4.0, 0.5)
    assert steps[:, 0] == pytest.approx([6, -(20**0.5), 0.5 * 20**0.5])
    assert steps[:, 1] == pytest.approx([0, 2**0.5, 2 * 2**0.5])
