"""Where it is known what can be known, a forecast that knows more raises an alarm."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm, t

from stages.scoring.gates import forecast_gates
from stages.scoring.metrics import score
from tests.scoring.in_parts import oracle_bound
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, as_answered, stated, with_truth

KEY = ["symbol", "snapshot_utc", "horizon_min"]
LEVELS = ("q05", "q25", "q50", "q75", "q95")


def known(frame: pl.DataFrame) -> pl.DataFrame:
    """What the oracle says: the mean that the simulated forecaster was told; and the errors of a normal."""
    sd = 15.0 * np.sqrt(2.0)
    return frame.filter(model="asked").select(
        *KEY,
        planted_bp=pl.col("q50"),
        on_tick_bp=pl.col("q50"),
        oracle_mae_bp=pl.lit(norm.expect(abs, scale=sd * np.sqrt(0.7))),
        persistence_mae_bp=pl.lit(norm.expect(abs, scale=sd)),
    )


def told(frame: pl.DataFrame, median: pl.Expr) -> pl.DataFrame:
    """The same forecasts, moved to another median."""
    return frame.with_columns((pl.col(name) + median - pl.col("q50")).alias(name) for name in LEVELS)


@pytest.fixture(scope="module")
def market() -> pl.DataFrame:
    return with_truth(60, symbols=("A", "B"), r2=0.3)


def test_by_hand_on_two_days():
    # The plant says 1 and 1, the outcomes are 3 and 7: the oracle misses by 2 and 6, rMAE 8/10. The forecast is ahead
    # of it by 1 and 5 bp: 3 a day on average, with a standard error of sqrt(8) / sqrt(2) = 2.
    frame = with_truth(2, clocks=("10:30",), models=("asked",)).with_columns(y_bp=pl.Series([3.0, 7.0]))
    plant = frame.select(*KEY, planted_bp=1.0, on_tick_bp=1.0, oracle_mae_bp=3.0, persistence_mae_bp=4.0)
    forecast = told(frame, pl.Series([2.0, 6.0]))

    (raw, calibrated) = oracle_bound([as_answered(forecast)], lambda _: plant)["cells"]

    assert (raw["rmae"], raw["oracle_rmae"], raw["expected_rmae"]) == (2 / 10, 8 / 10, 3 / 4)
    assert (raw["lead_se"], raw["alarm"], raw["version"]) == (1.5, False, "raw")
    assert calibrated == raw | {"version": "calibrated"}


@pytest.mark.parametrize(
    ("ahead", "on_tick", "lead_se", "alarm"),
    [
        ([10.0, 11.0, 12.0], 0.0, 19.052559, False),
        ([10.1, 11.1, 12.1], 0.0, 19.225764, True),
        ([10.1, 11.1, 12.1], 20.0, 19.225764, False),
        ([-9.0, -1e-6, 9.0], 0.0, 0.0, False),
    ],
)
def test_on_three_days_an_alarm_takes_nineteen_errors_of_students_t(ahead, on_tick, lead_se, alarm):
    """With two degrees of freedom it exceeds 19.207 as rarely as a normal exceeds 3; the outcome is 20 each day."""
    frame = with_truth(3, clocks=("10:30",), models=("asked",)).with_columns(y_bp=20.0)
    plant = frame.select(*KEY, planted_bp=0.0, on_tick_bp=on_tick, oracle_mae_bp=1.0, persistence_mae_bp=1.0)

    cell, _ = oracle_bound([as_answered(told(frame, pl.Series(ahead)))], lambda _: plant)["cells"]

    assert (str(cell["lead_se"]), cell["alarm"]) == (str(lead_se), alarm)  # as text: a zero has no sign


def test_persistence_on_coarse_ticks_raises_no_alarm():
    """Of 20 bp ticks and 3 planted bp, the price stays on nine days of ten: to say so errs less, and is no leak."""
    frame = with_truth(60, clocks=("10:30", "13:30"), models=("asked",))
    frame = frame.with_columns(y_bp=pl.when(pl.int_range(pl.len()) % 19 < 2).then(20.0).otherwise(0.0))
    plant = frame.select(*KEY, planted_bp=3.0, on_tick_bp=0.0, oracle_mae_bp=1.0, persistence_mae_bp=1.0)

    still = oracle_bound([as_answered(told(frame, pl.lit(0.0)))], lambda _: plant)
    leaked = oracle_bound([as_answered(told(frame, pl.col("y_bp") * 0.9))], lambda _: plant)

    assert still["cells"][0]["lead_se"] > 10
    assert (still["verdict"], leaked["verdict"]) == ("PASS", "FAIL")


def test_a_forecaster_that_knows_the_planted_pattern_raises_no_alarm(market):
    proof = oracle_bound([as_answered(market)], lambda _: known(market))

    assert (proof["verdict"], proof["alarms"], proof["n"]) == ("PASS", 0, 480)
    shuffled = as_answered(market).sample(fraction=1.0, shuffle=True, seed=1)
    assert oracle_bound([shuffled], lambda _: known(market)) == proof
    assert proof["rmae_min"] == pytest.approx(np.sqrt(0.7), abs=0.05)
    assert all(cell["expected_rmae"] == pytest.approx(np.sqrt(0.7)) for cell in proof["cells"])


def test_the_outcome_itself_with_a_little_noise_raises_the_alarm_and_closes_every_cell(market):
    noise = pl.Series(np.random.default_rng(4).normal(0, 2, market.height))
    leaked = as_answered(told(market, pl.col("y_bp") + noise))

    proof = oracle_bound([leaked], lambda _: known(market))
    controls = {"oracle_bound": proof, "verdict": proof["verdict"]}
    gates = forecast_gates(score([leaked], GATES, METHOD), controls, GATES, stated("A", "B"))

    assert proof["verdict"] == "FAIL"
    assert all(cell["alarm"] and cell["lead_se"] > 10 for cell in proof["cells"])
    assert not any(cell["eligible"] for cell in gates["cells"])


@pytest.mark.parametrize("symbol", ["A", "B"])
def test_a_tenth_of_the_outcome_in_one_symbol_is_enough(market, symbol):
    hint = pl.when(pl.col("symbol") == symbol).then(0.1).otherwise(0.0) * (pl.col("y_bp") - pl.col("q50"))

    proof = oracle_bound([as_answered(told(market, pl.col("q50") + hint))], lambda _: known(market))

    assert proof["verdict"] == "FAIL"
    assert {cell["symbol"] for cell in proof["cells"] if cell["alarm"]} == {symbol}


@pytest.mark.journey
def test_false_alarms_are_as_rare_as_three_standard_errors_of_a_normal():
    # 4,000 cells of forecasters that are off the oracle by noise of their own, on ten days each: t with 9 degrees.
    frame = with_truth(
        10, symbols=tuple(f"S{k:04d}" for k in range(4000)), clocks=("10:30",), r2=0.3, models=("asked",)
    )
    off = pl.Series(np.random.default_rng(6).normal(0, 0.5, frame.height))

    proof = oracle_bound([as_answered(told(frame, pl.col("q50") + off))], lambda _: known(frame))
    raw = [cell for cell in proof["cells"] if cell["version"] == "raw"]

    assert len(raw) == 4000
    assert sum(cell["alarm"] for cell in raw) <= 14  # 5.4 expected, 99.9 % of the binomial distribution
    assert sum(cell["lead_se"] > t.isf(0.05, 9) for cell in raw) > 100  # it does look: one in twenty leads by luck


def test_with_a_single_day_nothing_is_sure_and_a_plant_that_cannot_be_read_is_an_alarm(market):
    first = market.filter(pl.col("session") == FIRST_DAY)
    leaked = as_answered(told(first, pl.col("y_bp")))

    assert oracle_bound([leaked], lambda _: known(first))["verdict"] == "PASS"
    assert (
        oracle_bound([as_answered(market)], lambda _: known(market.filter(pl.col("session") > FIRST_DAY)))["verdict"]
        == "FAIL"
    )


def test_void_and_uncalibrated_rows_are_not_looked_at_and_without_any_row_nothing_is_proven(market):
    rows = as_answered(told(market, pl.col("y_bp")))

    assert oracle_bound([rows.with_columns(calibrated=False)], lambda _: known(market))["verdict"] == "INCONCLUSIVE"
    late = rows.with_columns(calibrated=pl.col("session") >= FIRST_DAY + timedelta(days=30))
    assert oracle_bound([late], lambda _: known(market))["n"] == 240
