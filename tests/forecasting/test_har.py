"""The volatility of the next minutes, predicted from that of the last ones, against loops and known markets."""

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.stats import norm

from stages.forecasting.local.har import _ewma, fit_sessions, non_negative, usual_by_minute
from stages.questions.window import UNITS_PER_BP, Past
from stages.tables.forecasts import LEVELS
from tests.forecasting.windows import changed, fhs, forecaster_params, har, question, random_window, window

PARAMS = forecaster_params()
CLOCKS = (15, 60, 240, 345)


def pattern(minute: np.ndarray) -> np.ndarray:
    """Wide at both ends of the session: 3 to 9 bp."""
    return 3 + 6 * (2 * minute / 389 - 1) ** 2


def sessions(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [pattern(np.arange(390)) * rng.standard_normal(390) for _ in range(count)]


def past_of(days: list[np.ndarray]) -> Past:
    """These sessions, from bp."""
    minute = np.concatenate([np.arange(len(day), dtype=np.int32) for day in days])
    return Past(minute, np.rint(np.concatenate(days) * UNITS_PER_BP).astype(np.int64))


def in_loops(returns: list[list[float]], horizon: int) -> list[float]:
    """The definition, a minute at a time: quantiles of the move over the minutes after the last session's bars."""
    past = returns[:-1]
    v = [np.mean([day[m] ** 2 for day in past]) for m in range(len(past[0]))]
    ends = [np.mean(v[:5])] * 15, [np.mean(v[-5:])] * 15
    around = [*ends[0], *v, *ends[1]]
    p = [max(1e-3, (v[m] if m < 5 else np.mean(around[m : m + 31])) ** 0.5) for m in range(len(v))]
    mean = np.mean([(r / p[m]) ** 2 for day in past for m, r in enumerate(day)])

    state, x, future, scale, moves = dict.fromkeys((10, 60, 390, 1950), mean), [], [], [], []
    for number, day in enumerate(returns):
        for m, r in enumerate([*day, None]):
            told, usual = [mean, *state.values()], sum(one**2 for one in p[m : m + horizon])
            if r is None and number == len(past):
                now, now_usual = told, usual
            elif 0 < number < len(past) and m >= 10 and m % 5 == 0 and m + horizon <= len(day):
                x.append(told)
                future.append(np.mean([(day[k] / p[k]) ** 2 for k in range(m, m + horizon)]))
                scale.append(usual)
                moves.append(sum(day[m : m + horizon]))
            if r is not None:
                state = {h: 0.5 ** (1 / h) * e + (1 - 0.5 ** (1 / h)) * (r / p[m]) ** 2 for h, e in state.items()}
    w = [1 / max(row[2], 1e-3) for row in x]
    beta, _ = nnls(np.array(x) * np.array(w)[:, None], np.array(future) * w)
    z = [move / (max(np.dot(row, beta), 1e-3) * s) ** 0.5 for move, row, s in zip(moves, x, scale, strict=True)]
    today_scale = (max(np.dot(now, beta), 1e-3) * now_usual) ** 0.5
    return [today_scale * np.quantile([*z, *(-one for one in z)], level / 100) for level in LEVELS]


@pytest.mark.parametrize("today", [1, 37])
def test_har_is_what_its_definition_gives_minute_by_minute(today):
    rng = np.random.default_rng(today)
    days = [(rng.lognormal(0, 0.5) * rng.normal(0, 5, 61)).round(6).tolist() for _ in range(7)]
    days.append(rng.normal(0, 8, today).round(6).tolist())
    rows = window([[0.0, *days[0][1:]], *days[1:]])  # nobody knows the first return of a window
    answered = har(question(9), rows, PARAMS)
    for horizon in (1, 5, 6, 9):
        expected = in_loops([[0.0, *days[0][1:]], *days[1:]], horizon)
        assert answered[:, horizon - 1] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_median_is_zero_and_the_other_quantiles_are_mirrored():
    answered = har(question(10), random_window(4), PARAMS)
    assert (answered[2] == 0).all()
    assert answered[0] == pytest.approx(-answered[4])


def test_on_independent_shocks_of_a_known_pattern_every_level_is_met():
    """1,600 outcomes after a fit on 40 sessions, which hold about 1,500 moves of ten minutes without overlap."""
    horizon, past, days = 10, sessions(1, 40), sessions(2, 400)
    fit = fit_sessions(past_of(past), tuple(range(1, horizon + 1)), horizon, LEVELS)
    answered = [(fit.answer(day[:at])[:, -1], day[at : at + horizon].sum()) for day in days for at in CLOCKS]
    below = np.mean([move <= quantiles for quantiles, move in answered], axis=0)

    for level, share in zip(np.array(LEVELS) / 100, below, strict=True):
        sd = np.sqrt(level * (1 - level) * (1 / len(answered) + 1 / 1500))
        assert abs(share - level) < 3.5 * sd


def test_the_scale_of_har_is_the_pattern_where_volatility_is_constant():
    """The 95 % quantile of a normal move is 1.645 standard deviations, which add up in squares over the minutes."""
    rows = window([day.tolist() for day in sessions(3, 40)] + [sessions(4, 1)[0][:100].tolist()])
    answered = har(question(20), rows, PARAMS)[4]
    sd = np.sqrt(np.cumsum(pattern(np.arange(100, 120)) ** 2))
    assert answered == pytest.approx(norm.ppf(0.95) * sd, rel=0.12)


def test_after_a_volatile_hour_the_forecast_is_wider_where_volatility_lasts():
    """Whole sessions are calm or three times as wild, so that the last hour tells of the next minutes."""
    rng = np.random.default_rng(5)
    days = [(3 if k % 3 == 0 else 1) * rng.normal(0, 4, 390) for k in range(30)]
    hour = rng.normal(0, 4, 60)
    calm, wild = (
        har(question(10), window([day.tolist() for day in [*days, scale * hour]]), PARAMS)[4] for scale in (1, 3)
    )
    assert (wild > 2 * calm).all()


@pytest.mark.parametrize("whole", [3, 4])
def test_with_fewer_than_four_sessions_it_answers_as_ewma_fhs(whole):
    rows = random_window(6, sessions=whole)
    as_ewma = np.array_equal(har(question(5), rows, PARAMS), fhs(question(5), rows, PARAMS))
    assert as_ewma == (whole < 4)


@pytest.mark.parametrize(("last", "fitted"), [(40, True), (39, False)])
def test_a_fit_takes_at_least_twenty_rows_that_see_the_horizon(last, fitted):
    """Ten minutes are seen from minutes 10, 15, 20, 25 and 30 of four sessions after the first, if each has 40."""
    rng = np.random.default_rng(8)
    past = past_of([rng.normal(0, 5, length) for length in (40, 40, 40, 40, last)])
    assert (fit_sessions(past, tuple(range(1, 11)), 10, LEVELS) is not None) is fitted


def test_where_no_session_holds_the_horizon_it_answers_as_ewma_fhs():
    rows = random_window(6, sessions=8, n_bars=60)
    assert np.array_equal(har(question(50), rows, PARAMS), fhs(question(50), rows, PARAMS))


def test_only_the_sessions_of_the_lookback_count():
    rng = np.random.default_rng(7)
    days = [rng.normal(0, 5, 60).tolist() for _ in range(9)]
    few = forecaster_params(lookback_sessions=5)
    wild = [[50 * r for r in day] for day in days[:3]]
    here = har(question(5), window(days), few).tolist()
    assert here == har(question(5), window([*wild, *days[3:]]), few).tolist()
    fifth = [50 * r for r in days[3]]  # of the five before today
    assert here != har(question(5), window([*days[:3], fifth, *days[4:]]), few).tolist()


def test_questions_in_any_order_are_answered_as_if_each_were_the_only_one():
    """A fit is kept with its sessions, and serves only the same horizon."""
    asked = [(h, random_window(seed, today=today)) for seed in (1, 2) for today in (5, 30) for h in (5, 10)]
    for horizon, rows in [*asked, *asked[::-1]]:
        alone = har(question(horizon), changed(rows, rows.returns), PARAMS)
        assert har(question(horizon), rows, PARAMS).tolist() == alone.tolist()


def test_the_pattern_by_hand():
    """10 bp in the first minute of a session, 2 bp in the others.

    Minute 5 sees 16 to 6 minutes before the open, of (100 + 4 * 4) / 5 each, minute 0 and twenty of 4.
    """
    bp = np.tile([10.0] + [2.0] * 39, 2)
    usual = usual_by_minute(bp, np.tile(np.arange(40), 2), 45)
    assert usual[:5].tolist() == pytest.approx([10, 2, 2, 2, 2])
    assert usual[5] == pytest.approx(((10 * 23.2 + 100 + 20 * 4) / 31) ** 0.5)
    assert usual[16:].tolist() == pytest.approx([2] * 29)


def test_the_first_tick_of_an_opening_minute_makes_no_volatile_day():
    """Minute 2 never moved before today."""
    rng = np.random.default_rng(9)
    days = [np.where(np.arange(60) == 2, 0.0, rng.normal(0, 5, 60)).tolist() for _ in range(12)]
    today = rng.normal(0, 5, 20)
    still, ticked = (
        har(question(10), window([*days, np.where(np.arange(20) == 2, tick, today).tolist()]), PARAMS)[4]
        for tick in (0.0, 10.0)
    )
    assert (ticked < 3 * still).all()


def test_coefficients_are_not_negative_by_hand():
    """Free ones would be 2 and -1; with the second at 0, the first is (2 + 1) / 2."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = non_negative(x, np.array([[2.0, -1.0, 1.0], [1.0, 2.0, 3.0]]))
    assert found[:, 0].tolist() == pytest.approx([1.5, 0.0])
    assert found[:, 1].tolist() == pytest.approx([1.0, 2.0])


def test_half_of_a_mean_remains_after_ten_minutes_an_hour_a_day_and_five_days():
    remains = _ewma(np.zeros(1950), np.ones(4))
    assert [remains[minutes, n] for n, minutes in enumerate((10, 60, 390, 1950))] == pytest.approx([0.5] * 4, rel=1e-9)
