"""Quantiles are corrected by errors that were known, and by nothing else."""

import tracemalloc
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from math import ceil, floor
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from stages.calibration import methods
from stages.calibration.conformal import (
    CQR,
    CQR_SIDES,
    SPLIT,
    WIDEN,
    conformal_rank,
    coverage_rank,
    level_rank,
    side_rank,
    widening_needed,
)
from stages.calibration.methods import CORRECTED, METHODS, calibrate
from stages.params.calibration import FEWEST, CalibrationParams, Method
from stages.tables.forecasts import QUANTILES, Calibrated, Offsets
from tests.scoring.simulated import CALIBRATION, FIRST_DAY, NORMAL, by_every_method, with_truth

ONE_A_DAY = ("10:30",)
EVERY = [name for name in get_args(Method) if name != "identity"]
KEY = ["symbol", "snapshot_utc", "horizon_min", "history_days", "model", "method"]


def daily(y: list[float | None], **columns: float) -> pl.DataFrame:
    """One forecast a day whose quantiles are -2, -1, 0, 1, 2 bp and whose volatility over the horizon is 1 bp."""
    frame = with_truth(len(y), clocks=ONE_A_DAY, horizon_min=5, models=("asked",))
    levels = dict(zip(QUANTILES, (-2.0, -1.0, 0.0, 1.0, 2.0), strict=True)) | {"sigma_5m": 1e-4} | columns
    return frame.with_columns(
        pl.Series("y_bp", y, dtype=pl.Float64), *(pl.lit(value).alias(name) for name, value in levels.items())
    ).with_columns(void=pl.col("y_bp").is_null())


def last_row(frame: pl.DataFrame, method: str, **changes: object) -> dict[str, object]:
    found = by_every_method(frame, methods=(method,), method=method, **{"min_outcomes": 9} | changes)
    return found.sort("snapshot_utc").row(-1, named=True)


def levels(row: dict[str, object]) -> list[float]:
    return [round(float(row[name]), 6) for name in QUANTILES]


def test_ranks_are_those_of_exact_fractions_for_any_number_of_outcomes():
    n = np.arange(1, 400)
    shares = {
        conformal_rank: [(90, 1), (50, 1), (50, 1), (90, 1)],
        coverage_rank: [(90, 0), (50, 0), (50, 0), (90, 0)],
        side_rank: [(95, 1), (75, 1), (75, 1), (95, 1)],
    }
    for rank, levels_ in shares.items():
        expected = [[ceil(Fraction(percent, 100) * (int(k) + one)) for k in n] for percent, one in levels_]
        assert rank(n).tolist() == expected, rank.__name__
    outwards = [(floor, 5), (floor, 25), (ceil, 75), (ceil, 95)]
    expected = [[to(Fraction(percent, 100) * (int(k) + 1)) for k in n] for to, percent in outwards]
    assert level_rank(n).tolist() == expected


@pytest.mark.parametrize("method", EVERY)
def test_the_ranks_of_a_method_exist_from_its_fewest_outcomes_on(method):
    n = np.arange(1, 100)
    ranks = METHODS[method].how.ranks(n)
    exist = ((ranks >= 1) & (ranks <= n)).all(axis=0)
    assert n[exist].tolist() == list(range(FEWEST[method], 100))


def test_cqr_by_hand():
    # Outcomes 1..9 lie 0..8 bp outside [-1, 1] and -1..7 bp outside [-2, 2]. Of 9 past scores the conformal ranks are
    # ceil(10 * 0.5) = 5 and ceil(10 * 0.9) = 9, so the inner interval grows by 4 bp and the outer one by 7 bp.
    row = last_row(daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), "cqr")

    assert levels(row) == [-9, -5, 0, 5, 9]
    assert (row["n_cal"], row["group_used"], row["calibrated"]) == (9, "A@10:30", True)
    assert row["last_outcome_used_utc"].date() == FIRST_DAY + timedelta(days=8)


def test_cqr_also_narrows_and_an_interval_that_would_turn_inside_out_collapses_to_its_midpoint():
    # All outcomes are 0: 1 bp inside [-1, 3], to be [0, 2]; 2 bp inside [-2, 5], to be [0, 3].
    assert levels(last_row(daily([0.0] * 10, q75=3.0, q95=5.0), "cqr")) == [0, 0, 0, 2, 3]
    # So far 5 bp inside [-5, 5], today [-1, 2] would become [4, -3]; around its midpoint 0.5 the median moves too.
    today = pl.col("session") == pl.col("session").max()
    wide = {"q05": -9.0, "q25": -5.0, "q75": 5.0, "q95": 9.0}
    frame = daily([0.0] * 10, q75=2.0, q95=3.0).with_columns(
        pl.when(today).then(name).otherwise(value).alias(name) for name, value in wide.items()
    )
    assert levels(last_row(frame, "cqr")) == [0.5] * 5


def test_cqr_by_side_by_hand():
    # Of 19 past scores the ranks per side are ceil(20 * 0.75) = 15 and ceil(20 * 0.95) = 19. With outcomes -9..9 the
    # 15th of -1 - y is 4 and the 19th of -2 - y is 7 (at y = -9); likewise above.
    row = last_row(daily([*range(-9, 10), 0]), "cqr_sides")

    assert levels(row) == [-9, -5, 0, 5, 9]
    # Now the misses lie above only: y = 1..19, below the lower levels never; y - 1 has its 15th at 14, -1 - y at -6,
    # y - 2 its 19th at 17, -2 - y at -3. The median moves to the nearest end of [5, 15].
    assert levels(last_row(daily([*range(1, 20), 0]), "cqr_sides")) == [1, 5, 5, 15, 19]


def test_split_conformal_by_hand():
    # Errors of the median 1..19: ranks floor(20 * 0.05) = 1, floor(20 * 0.25) = 5, ceil(20 * 0.75) = 15 and 19. The
    # median itself is moved to the nearest end of [q25, q75]; what was answered for the other levels plays no part.
    expected = [1, 5, 5, 15, 19]

    assert levels(last_row(daily([*range(1, 20), 0]), "split")) == expected
    assert levels(last_row(daily([*range(1, 20), 0], q25=-0.5, q95=70.0), "split")) == expected


@pytest.mark.parametrize(("method", "least"), [("widen", 1), ("cqr", 9), ("aci", 9), ("split", 19), ("cqr_sides", 19)])
def test_a_level_that_too_few_outcomes_could_support_is_left_to_a_larger_group(method, least):
    # 5 % needs rank floor((n + 1) * 0.05) >= 1, or ceil((n + 1) * 0.95) <= n: 19 outcomes. 90 % needs
    # ceil((n + 1) * 0.9) <= n: 9. A rank of the past itself needs one outcome.
    past = [float(k) for k in range(least)]
    assert last_row(daily([*past[1:], 0]), method, min_outcomes=1)["calibrated"] is False
    assert last_row(daily([*past, 0]), method, min_outcomes=1)["calibrated"] is True


@pytest.mark.parametrize("method", EVERY)
def test_a_group_corrects_from_exactly_as_many_outcomes_as_are_asked_for(method):
    past = [float(k % 7) for k in range(25)]
    assert last_row(daily([*past, 0]), method, min_outcomes=26)["calibrated"] is False
    found = last_row(daily([*past, 0]), method, min_outcomes=25)
    assert (found["calibrated"], found["n_cal"]) == (True, 25)


def test_a_correction_names_the_symbol_and_clock_time_whose_past_it_uses():
    """Nine earlier outcomes of a clock time are known from the tenth day on."""
    frame = with_truth(12, symbols=("A", "B"), clocks=("09:45", "10:30", "13:30"), models=("asked",))
    found = by_every_method(frame, methods=("cqr",), method="cqr", min_outcomes=9)
    late = found.filter(pl.col("session") >= FIRST_DAY + timedelta(9))
    own = late.select(pl.concat_str("symbol", "snapshot_et", separator="@")).to_series()
    assert (late["group_used"].to_list(), own.n_unique()) == (own.to_list(), 6)


def test_cqr_scores_are_in_units_of_volatility_so_a_wild_day_gets_a_wider_correction():
    calm = daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
    wild_today = calm.with_columns(
        sigma_5m=pl.when(pl.col("session") == pl.col("session").max()).then(2e-4).otherwise(1e-4)
    )

    assert levels(last_row(wild_today, "cqr")) == [-16, -9, 0, 9, 16]
    assert levels(last_row(wild_today, "cqr", scale="none")) == [-9, -5, 0, 5, 9]


def test_widen_by_hand():
    # Reaching y takes alpha = |y| - 1 of the inner half width 1 and |y| / 2 - 1 of the outer half width 2. Half of nine
    # outcomes is the 5th: alpha = 4, the grid's last value is 1.0; 90 % is the 9th: alpha = 3.5, again 1.0.
    assert levels(last_row(daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), "widen")) == [-4, -2, 0, 2, 4]
    # Here the 5th needs alpha = 0, which is on the grid, and the 9th -0.125: the next value up is -0.1.
    assert levels(last_row(daily([0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.75, 0]), "widen")) == [-1.8, -1, 0, 1, 1.8]


@pytest.mark.parametrize("method", [WIDEN, SPLIT, CQR, CQR_SIDES])
def test_answers_and_outcomes_that_lie_higher_by_as_much_are_corrected_as_much(method):
    rng = np.random.default_rng(5)
    q, y, u = np.sort(rng.normal(0, 3, (5, 40)), axis=0), rng.normal(0, 4, 40), rng.uniform(1, 2, 40)
    offsets = rng.uniform(-1, 1, (4, 40))
    np.testing.assert_allclose(method.scores(q + 7, y + 7, u), method.scores(q, y, u), rtol=1e-9)
    np.testing.assert_allclose(method.apply(q + 7, u, offsets), method.apply(q, u, offsets) + 7, rtol=1e-9)


def test_an_interval_widens_by_what_its_own_side_lacks():
    """Of 4 bp below the median and 2 above, 8 bp below needs one width more and 8 bp above three; inside, 7 each."""
    below, above = (widening_needed(*(np.array(each) for each in ([-4, -1, 0, 1, 2], y, 1.0))) for y in (-8.0, 8.0))

    assert below.tolist() == [1, 7, 7, 1]
    assert above.tolist() == [3, 7, 7, 3]


def test_widen_takes_the_next_value_on_its_grid():
    needs_a_tenth_and_more = [1.12] * 9 + [0.0]

    row = last_row(daily(needs_a_tenth_and_more), "widen", widen_grid=(0.2, 0.1, 0.0, 0.5))

    assert levels(row)[1:4] == [-1.2, 0, 1.2]


@pytest.mark.parametrize(("y", "widened"), [(1.1, 1.1), (1.1 + 4e-7, 1.1), (1.1 + 6e-7, 1.2)])
def test_an_outcome_exactly_on_a_value_of_the_grid_to_a_millionth_needs_no_more(y, widened):
    row = last_row(daily([y] * 9 + [0.0]), "widen", widen_grid=(0.5, 0.0, 0.1, 0.2))

    assert levels(row)[1:4] == [-widened, 0, widened]


def test_an_outcome_at_the_median_needs_no_width_and_any_other_beside_an_interval_without_width_all():
    point = np.zeros(5)
    assert [widening_needed(point, y, np.array(1.0)).tolist() for y in (np.array(0.0), np.array(0.1))] == [
        [-1.0] * 4,
        [np.inf] * 4,
    ]


def test_offsets_of_widen_at_the_end_of_its_grid_are_counted():
    # Nine outcomes before each row: half of them and 90 % are reached within the grid, until the outcome of 9 bp makes
    # 90 % ask for 9 / 2 - 1 = 3.5 on the last two days.
    days = daily([0.5] * 10 + [9.0, 0.5, 0.5])

    def at_end(*grid: float) -> tuple[int, int]:
        params = CALIBRATION.model_copy(
            update={"methods": ("widen",), "min_outcomes": 9, "window_sessions": 9, "widen_grid": grid}
        )
        return calibrate(days, params).whole.at_grid_end(grid)

    assert (at_end(-0.5, 0.0, 1.0), at_end(0.0, 3.5), at_end(0.0, 3.5, 4.0)) == ((2, 4), (2, 4), (0, 4))
    others = CALIBRATION.model_copy(update={"methods": ("split",)})
    assert calibrate(days, others).whole.at_grid_end((0.0, 3.5)) == (0, 0)


@pytest.mark.xdist_group("libraries")
@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_cqr_of_a_point_forecast_is_the_normalised_split_conformal_interval_of_crepes(coverage):
    # Source of the expected interval: crepes.ConformalRegressor, fitted on residuals and sigmas.
    from crepes import ConformalRegressor

    rng = np.random.default_rng(3)
    sigma_bp = rng.uniform(0.5, 2.0, 61)
    y = rng.standard_normal(61) * sigma_bp
    point = daily(y.tolist(), q05=0.0, q25=0.0, q75=0.0, q95=0.0).with_columns(sigma_5m=pl.Series(sigma_bp / 1e4))
    oracle = ConformalRegressor()
    oracle.fit(y[:60], sigmas=sigma_bp[:60])
    expected = oracle.predict_int(np.zeros(1), sigmas=sigma_bp[60:], confidence=coverage)[0]

    row = last_row(point, "cqr")

    pair = ("q25", "q75") if coverage == 0.5 else ("q05", "q95")
    assert [row[name] for name in pair] == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("method", ["split", "cqr", "cqr_sides"])
def test_conformal_methods_cover_exchangeable_outcomes_exactly_as_often_as_theory_says(method):
    # With 60 exchangeable past scores the coverage is 31/61 and 55/61, whatever the forecast; 200 independent worlds
    # must fall into the central 99.9 % of the binomial distribution. The forecaster's intervals are far too narrow.
    # A world is a symbol, which its own past corrects.
    symbols = tuple(f"W{k:03d}" for k in range(200))
    worlds = with_truth(61, symbols=symbols, clocks=ONE_A_DAY, models=("asked",), spread=0.3)
    rng = np.random.default_rng(5)
    worlds = worlds.with_columns(y_bp=pl.Series(21.2 * rng.standard_t(4, worlds.height)))

    judged = by_every_method(worlds, methods=(method,), method=method).filter(
        pl.col("session") == pl.col("session").max()
    )

    assert judged["n_cal"].unique().to_list() == [60]
    for low, high, rank in (("q25", "q75", 31), ("q05", "q95", 55)):
        hits = judged["y_bp"].is_between(judged[low], judged[high]).sum()
        lowest, highest = binom.interval(0.999, 200, rank / 61)
        assert lowest <= hits <= highest


@pytest.mark.parametrize("method", EVERY)
def test_the_past_does_not_change_when_the_future_is_cut_off(method):
    frame = with_truth(70, symbols=("A", "B"), spread=0.6)
    today = FIRST_DAY + timedelta(days=55)

    whole = by_every_method(frame, methods=(method,), method=method).filter(pl.col("session") <= today)
    cut = by_every_method(frame.filter(pl.col("session") <= today), methods=(method,), method=method)

    assert whole.select(*KEY, *CORRECTED).equals(cut.select(*KEY, *CORRECTED))


@cache
def unchanged(method: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    frame = with_truth(60, symbols=("A", "B"), spread=0.6)
    return frame, by_every_method(frame, methods=(method,), method=method)


@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=5, deadline=None)
@given(day=st.integers(1, 59), move=st.floats(-500, 500), voids=st.booleans())
def test_outcomes_of_a_day_and_later_leave_that_day_as_it_was_but_not_all_that_follows(method, day, move, voids):
    frame, before = unchanged(method)
    today = FIRST_DAY + timedelta(days=day)
    changed = pl.col("session") >= today
    other = frame.with_columns(
        y_bp=pl.when(changed).then(None if voids else pl.lit(move)).otherwise(pl.col("y_bp")),
        void=pl.when(changed).then(voids).otherwise(pl.col("void")),
    )

    after = by_every_method(other, methods=(method,), method=method)

    known = pl.col("session") <= today
    assert before.filter(known).select(*KEY, *CORRECTED).equals(after.filter(known).select(*KEY, *CORRECTED))
    if 10 < day < 55:
        assert not before.filter(~known).select(QUANTILES).equals(after.filter(~known).select(QUANTILES))


@pytest.mark.parametrize("method", EVERY)
def test_only_outcomes_of_earlier_sessions_are_used_whatever_was_already_known_today(method):
    rows = by_every_method(with_truth(60, symbols=("A", "B")), methods=(method,), method=method).filter("calibrated")

    assert rows.height > 0
    assert (rows["last_outcome_used_utc"].dt.date() < rows["session"]).all()


def test_the_nearest_group_with_enough_outcomes_corrects_and_without_one_a_row_stays_as_answered():
    # Two symbols, four snapshots a day, 40 outcomes needed: pooled after 5 days, by symbol after 10, by cell after 40.
    rows = by_every_method(with_truth(45, symbols=("A", "B"), models=("asked",)), methods=("cqr",))
    first = rows.group_by("group_used").agg(pl.col("session").min(), pl.col("n_cal").min(), pl.col("calibrated").all())
    seen = {group: ((day - FIRST_DAY).days, n, done) for group, day, n, done in first.iter_rows()}

    assert seen["identity"] == (0, 0, False)
    assert seen["pooled"] == (5, 40, True)
    assert seen["A"] == seen["B"] == (10, 40, True)
    assert seen["A@10:30"] == seen["B@14:45"] == (40, 40, True)
    as_answered = rows.filter(~pl.col("calibrated"))
    assert as_answered.select(QUANTILES).equals(
        as_answered.select(pl.col(f"raw_{name}").alias(name) for name in QUANTILES)
    )


def test_the_window_forgets_outcomes_older_than_it():
    frame = daily([1e6] * 5 + [1.0] * 20)

    assert levels(last_row(frame, "cqr", window_sessions=19)) == levels(last_row(daily([1.0] * 20), "cqr"))
    assert levels(last_row(frame, "cqr", window_sessions=24)) != levels(last_row(daily([1.0] * 20), "cqr"))


@pytest.mark.parametrize("method", EVERY)
def test_sessions_that_ask_another_history_take_no_place_in_the_window(method):
    """The 30th to 38th day ask a history of 5 days alone; a window of 25 sessions of 40 days still holds 25."""
    long = daily([(-1.0) ** day * (day % 7) for day in range(50)])
    gap = pl.col("session").is_between(FIRST_DAY + timedelta(days=30), FIRST_DAY + timedelta(days=38))
    alone, short = long.filter(~gap), long.with_columns(history_days=pl.lit(5, pl.Int32))
    by = {"methods": (method,), "method": method, "min_outcomes": 19, "window_sessions": 25}
    beside = by_every_method(pl.concat([alone, short]), **by).filter(history_days=40)
    assert beside.equals(by_every_method(alone, **by))
    if method != "pid":
        assert beside.sort("session")["n_cal"][-1] == 25


def test_a_window_beyond_the_record_is_the_record_and_takes_no_more_memory():
    frame = daily([1.0, 2.0] * 15)
    tracemalloc.start()
    beyond = last_row(frame, "cqr", window_sessions=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert beyond == last_row(frame, "cqr", window_sessions=30)
    assert peak < 10e6


def test_void_outcomes_are_not_counted():
    assert last_row(daily([1, 2, None, 3, 4, None, 5, 6, 7, 8, 9, 0]), "cqr")["n_cal"] == 9


@pytest.mark.parametrize("sigma", [None, 0.0])
def test_without_volatility_a_row_stands_as_answered_and_says_so(sigma):
    frame = daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]).with_columns(
        sigma_5m=pl.when(pl.col("session") == pl.col("session").max()).then(pl.lit(sigma, pl.Float64)).otherwise(1e-4)
    )

    row = last_row(frame, "cqr")

    assert levels(row) == [-2, -1, 0, 1, 2]
    assert (row["calibrated"], row["group_used"], row["n_cal"]) == (False, "identity", 0)


def test_crossed_answers_are_put_in_order_before_anything_else_and_stay_marked():
    crossed = daily([0.0] * 3, q25=1.0, q75=-1.0).with_columns(crossed=pl.lit(True))

    rows = by_every_method(crossed, methods=("identity",), method="identity")

    assert rows.select(QUANTILES).unique().row(0) == (-2, -1, 0, 1, 2)
    assert rows.select(f"raw_{name}" for name in QUANTILES).unique().row(0) == (-2, -1, 0, 1, 2)
    assert rows["crossed"].all()


def test_the_benchmark_is_corrected_like_the_asked_model():
    three = ("cqr", "identity", "widen")
    rows = by_every_method(with_truth(50, spread=0.4), methods=three).filter("calibrated")

    assert rows.group_by("model", "method").len().sort("model", "method")["len"].to_list() == [160, 200, 160] * 2


def test_the_order_of_rows_and_of_symbols_changes_nothing():
    frame = with_truth(50, symbols=("A", "B", "C"), spread=0.6)

    shuffled = by_every_method(frame.sample(fraction=1.0, shuffle=True, seed=3))

    assert shuffled.equals(by_every_method(frame))


@pytest.mark.parametrize("method", EVERY)
def test_offsets_tell_what_was_added_to_each_symbol_group_and_session_and_join_back_to_the_rows(method):
    params = CALIBRATION.model_copy(update={"methods": (method,), "method": method})
    calibration = calibrate(with_truth(50, symbols=("A", "B"), spread=0.4), params)
    corrected = calibration.whole.rows.filter("calibrated")
    key = ["symbol", "model", "group", "session"]

    joined = corrected.rename({"group_used": "group"}).join(
        Offsets.of(calibration.whole.offsets), on=key, validate="m:1"
    )

    assert joined.height == corrected.height
    assert (joined["last_outcome_used_utc"] == joined["last_outcome_used_utc_right"]).all()
    if method == "cqr":
        u = 1e4 * joined["sigma_5m"] * np.sqrt(2.0)
        assert np.allclose(joined["q75"] - joined["raw_q75"], joined["offset_q75"] * u, atol=1e-4)


def test_too_narrow_intervals_reach_their_nominal_coverage():
    rows = by_every_method(with_truth(300, spread=0.3, models=("asked",))).filter("calibrated")

    covered = rows.group_by("method").agg(pl.col("y_bp").is_between("q25", "q75").mean()).sort("method")

    shares = dict(covered.iter_rows())
    assert shares["identity"] < 0.2
    assert shares["cqr"] == pytest.approx(0.5, abs=0.05)  # 1,000 outcomes: standard error 0.016


def test_parts_follow_each_other_in_the_order_of_the_table_whatever_their_size(monkeypatch):
    monkeypatch.setattr(methods, "SYMBOLS_AT_ONCE", 2)
    calibration = calibrate(with_truth(20, symbols=("C", "A", "E", "B", "D"), spread=0.4), CALIBRATION)
    some = methods.some_symbols(calibration.answered["symbol"])
    parts = [Calibrated.of(calibration.part(symbols).rows) for symbols in some]
    assert [sorted(part["symbol"].unique()) for part in parts] == [["A", "B"], ["C", "D"], ["E"]]
    assert pl.concat(parts).equals(Calibrated.of(calibration.whole.rows))


def test_without_a_forecast_the_tables_are_empty():
    whole = calibrate(daily([1.0]).clear(), CALIBRATION).whole
    assert (Calibrated.of(whole.rows).height, Offsets.of(whole.offsets).height) == (0, 0)


def test_every_method_that_params_may_name_exists():
    assert set(METHODS) == set(get_args(Method))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "widen", "methods": ["cqr"]}, "calibration.method 'widen' is not among"),
        ({"methods": ["cqr", "cqr"]}, "methods\n.*repeats a value: "),
        ({"method": "cqt"}, "Input should be"),
        ({"window_sessions": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_params_are_refused_by_name(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        CalibrationParams.model_validate(CALIBRATION.model_dump() | change)


def test_the_simulated_forecaster_is_what_it_says():
    # The tests above rest on it: its quantiles are those of the normal distribution it draws from.
    frame = with_truth(500, r2=0.4, models=("asked",))

    hits = [(frame["y_bp"] <= frame[name]).mean() for name in QUANTILES]

    assert hits == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.03)
    assert [round(z, 4) for z in NORMAL] == [-1.6449, -0.6745, 0.0, 0.6745, 1.6449]
    assert date(2024, 1, 1) == FIRST_DAY
