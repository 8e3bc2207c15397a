"""An interval that follows its own misses: conformal PID, against the paper's recursion written out in plain Python."""

from math import log, pi, tan

import numpy as np
import polars as pl
import pytest

from stages.calibration.methods import calibrate
from stages.tables.forecasts import OFFSETS
from tests.benchmarks.bench_drift import CLOCKS, covered, drifting
from tests.calibration.test_methods import daily, last_row, levels
from tests.scoring.simulated import CALIBRATION, by_every_method, with_truth

STEP_ONLY = {"pid_gain": 0.0}


def test_one_miss_by_hand():
    # Until the tenth day it is CQR: outcomes 1..9 add 4 bp to [-1, 1] and 7 bp to [-2, 2]. 100 is missed by both: an
    # excess of 0.5 and of 0.9 misses, each worth 0.2 bp here. tan(0.5 ln 2) = 0.361150 and tan(0.9 ln 2) = 0.719711.
    days = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 0]

    stepped = last_row(daily(days), "pid", pid_step=0.2, pid_gain=0.0, pid_saturation=1.0)
    turned = last_row(daily(days), "pid", pid_step=0.2, pid_gain=1.0, pid_saturation=1.0)

    assert levels(stepped) == [-9.18, -5.1, 0, 5.1, 9.18]
    assert levels(turned) == [-9.899711, -5.46115, 0, 5.46115, 9.899711]
    assert (stepped["group_used"], stepped["n_cal"], stepped["calibrated"]) == ("A", 10, True)


def test_what_is_added_to_the_start_has_nine_decimals_by_hand():
    # The same miss, of half a miss and of 0.9 too many, each worth a third: 1/6 and 3/10 more than the starts 4 and 7.
    changes = {"methods": ("pid",), "method": "pid", "min_outcomes": 9, "pid_step": 1 / 3, "pid_gain": 0.0}
    frame = daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 0])

    offsets = calibrate(frame, CALIBRATION.model_copy(update=changes)).whole.offsets.sort("session").select(OFFSETS)

    assert offsets.row(-1) == (7.3, 4.166666667, 4.166666667, 7.3)


def test_an_outcome_exactly_at_the_end_of_its_interval_is_no_miss_by_hand():
    # [-5, 5] and [-9, 9] hold the tenth day's 5: half a miss and a tenth of one fewer than nominal, each worth 0.2 bp.
    row = last_row(daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 0]), "pid", pid_step=0.2, pid_gain=0.0)
    assert levels(row) == [-8.98, -4.9, 0, 4.9, 8.98]


def test_until_its_first_outcome_it_is_cqr():
    frame = daily([1, 2, 3, 4, 5, 6, 7, 8, 9, 0])

    assert levels(last_row(frame, "pid")) == levels(last_row(frame, "cqr"))


def the_paper_says(scores: list[float], start: float, nominal: float, params: dict[str, float]) -> list[float]:
    """Equations 4 (quantile tracking) and 6 (integration), one outcome after the other.

    Source: Angelopoulos, Candes, Tibshirani (2023); the offset in force at each outcome.
    """
    offsets, tracker, errors = [], start, []
    for score in scores:
        t = len(errors)
        x = sum(error - nominal for error in errors)
        angle = x * log(t + 1) / (t * params["pid_saturation"]) if t else 0.0
        integral = params["pid_gain"] * tan(angle) if abs(angle) < pi / 2 else float("inf") * np.sign(angle)
        offsets.append(tracker + min(max(integral, -10.0), 10.0))
        errors.append(float(score > offsets[-1]))
        tracker += params["pid_step"] * (errors[-1] - nominal)
    return offsets


@pytest.mark.parametrize(("pair", "nominal"), [(("q25", "q75"), 0.5), (("q05", "q95"), 0.1)])
@pytest.mark.parametrize("saturation", [1.0, 0.05], ids=["calm", "often saturated"])
def test_one_forecast_a_day_follows_the_papers_recursion(pair, nominal, saturation):
    params = {"pid_step": 0.05, "pid_gain": 0.3, "pid_saturation": saturation}
    frame = with_truth(200, clocks=("10:30",), horizon_min=5, models=("asked",), spread=0.5, seed=8)
    low, high = pair
    score = (pl.max_horizontal(pl.col(low) - pl.col("y_bp"), pl.col("y_bp") - pl.col(high)) / 15.0).alias("score")
    scores = frame.select(score)["score"].to_list()

    offsets = calibrate(frame, CALIBRATION.model_copy(update={"methods": ("pid",)} | params)).whole.offsets
    offsets = offsets[f"offset_{high}"].to_list()

    assert offsets == pytest.approx(the_paper_says(scores[40:], offsets[0], nominal, params), abs=1e-8)
    assert len(set(offsets)) > 50


def test_over_a_long_run_misses_come_to_their_nominal_share_although_the_market_turns_wild():
    # Source of the bound: the step alone telescopes, step * excess = last - first offset (the paper's proposition 1),
    # and an offset never leaves the range of the scores by more than one step.
    days, step = 1500, 0.2
    frame = with_truth(days, clocks=("10:30",), models=("asked",), spread=0.3)
    wild = pl.col("session").rank("dense") > days // 3
    turned = frame.with_columns(y_bp=pl.when(wild).then(4.0).otherwise(1.0) * pl.col("y_bp"))

    tracked = by_every_method(turned, methods=("pid",), method="pid", pid_step=step, **STEP_ONLY).filter("calibrated")
    scale = 15.0 * np.sqrt(2.0)
    furthest = (tracked["y_bp"].abs().max() + tracked["raw_q95"].max()) / scale

    for low, high, nominal in (("q25", "q75", 0.5), ("q05", "q95", 0.1)):
        missed = 1 - tracked["y_bp"].is_between(tracked[low], tracked[high]).mean()
        assert abs(missed - nominal) <= (furthest + step) / (step * tracked.height)


def test_after_the_market_has_turned_the_integrator_shortens_the_time_of_misses():
    # Twice the volatility than the forecaster says, from the 60th day on, with a step too small to follow.
    frame = with_truth(160, clocks=("10:30", "13:30"), models=("asked",))
    wild = pl.col("session").rank("dense") > 60
    turned = frame.with_columns(y_bp=pl.when(wild).then(3.0).otherwise(1.0) * pl.col("y_bp"))

    def missed(gain: float) -> float:
        rows = by_every_method(turned, methods=("pid",), method="pid", pid_step=0.001, pid_gain=gain)
        after = rows.filter(pl.col("session").rank("dense") > 60)
        return 1 - after["y_bp"].is_between(after["q05"], after["q95"]).mean()

    assert missed(1.0) < missed(0.0) - 0.1


def test_over_months_of_drift_it_covers_less_than_it_says_and_less_than_aci_as_the_page_admits():
    # The spread of outcomes grows to three times what the forecaster states. 4 symbols on about 94 days of 4 snapshots:
    # the standard error of a share of 0.9 is below 0.008.
    frame = drifting("growing to three times", CLOCKS[::2], symbols=("A", "B", "C", "D"))
    most = {name: covered(frame, name)[1] for name in ("aci", "pid", "pid, step 0.1")}

    assert most["aci"] == pytest.approx(0.9, abs=0.03)
    assert most["pid"] < most["pid, step 0.1"] < most["aci"]
    assert most["pid"] < 0.84


def test_a_symbol_follows_its_own_misses_only():
    frame = with_truth(80, symbols=("A", "B"), models=("asked",))
    wild_b = frame.with_columns(
        y_bp=pl.when((pl.col("symbol") == "B") & (pl.col("session").rank("dense") > 45)).then(1e5).otherwise("y_bp")
    )

    before, after = (by_every_method(one, methods=("pid",), method="pid") for one in (frame, wild_b))

    assert before.filter(symbol="A").equals(after.filter(symbol="A"))
    assert not before.filter(symbol="B").equals(after.filter(symbol="B"))


def test_a_day_of_several_snapshots_is_corrected_alike_and_learns_overnight():
    rows = by_every_method(with_truth(60, models=("asked",)), methods=("pid",), method="pid").filter("calibrated")

    offsets = rows.with_columns(added=(pl.col("q95") - pl.col("raw_q95")).round(4))
    assert offsets.group_by("session").agg(pl.col("added").n_unique())["added"].unique().to_list() == [1]
    assert offsets["added"].n_unique() > 20
    assert rows.filter(pl.col("session").rank("dense") > 2)["last_outcome_used_utc"].dt.strftime("%H:%M").unique()[
        0
    ] == ("14:55")


@pytest.mark.parametrize("excess", [-1, 1])
def test_no_row_is_ever_answered_with_the_whole_line(excess):
    always = daily([1e4 if excess > 0 else 0.0] * 300)

    rows = by_every_method(always, methods=("pid",), method="pid", pid_saturation=0.01, min_outcomes=9)

    assert rows["q95"].is_finite().all()
    assert rows["q95"].max() <= 1e4 + 10 + 300 * 0.02
