"""Scores agree with hand arithmetic, with independent libraries and with what theory says of known truth."""

import json
import sys

import numpy as np
import polars as pl
import pytest
from scipy.stats import chisquare, ttest_1samp

from stages.scoring.figures import mean_pinball
from stages.scoring.inference import diebold_mariano, pit_uniformity
from stages.scoring.losses import elementary_losses
from stages.scoring.metric_entries import CALIBRATED
from stages.scoring.metrics import score
from stages.tables.forecasts import LEVELS, QUANTILES
from tests.scoring.simulated import GATES, METHOD, as_answered, by_every_method, with_truth

TAU = np.array(LEVELS) / 100
RNG = np.random.default_rng(11)


def one_cell(frame: pl.DataFrame, **changes: object) -> dict[str, object]:
    return score([as_answered(frame)], GATES.model_copy(update=changes), METHOD)["cells"][0]


def values(cell: dict[str, object], version: str = "calibrated") -> dict[str, float]:
    return {name: figure[version]["value"] for name, figure in cell["metrics"].items()}


def by_hand(outcomes: list[float], quantiles: list[float]) -> dict[str, float]:
    frame = with_truth(len(outcomes), clocks=("10:30",), models=("asked",)).with_columns(
        pl.Series("y_bp", [float(y) for y in outcomes]),
        *(pl.lit(float(q)).alias(name) for name, q in zip(QUANTILES, quantiles, strict=True)),
    )
    return values(one_cell(frame))


def test_two_outcomes_by_hand():
    # Outcomes 3 and -6 against q = -4, -1, 1, 2, 5.
    found = by_hand([3, -6], [-4, -1, 1, 2, 5])

    assert found["rmae"] == pytest.approx((2 + 7) / (3 + 6))
    assert found["rrmse"] == pytest.approx(((4 + 49) / (9 + 36)) ** 0.5, abs=1e-6)
    assert found["mae_bp"] == 4.5
    assert found["coverage_50"] == 0.0
    assert found["coverage_90"] == 0.5
    assert [found[f"hit_{level:02d}"] for level in LEVELS] == [0.5, 0.5, 0.5, 0.5, 1.0]
    assert found["calibration_error"] == pytest.approx((0.45 + 0.25 + 0 + 0.25 + 0.05) / 5)
    # y = 3: 0.05*7, 0.25*4, 0.5*2, 0.75*1, 0.05*2; y = -6: 0.95*2, 0.75*5, 0.5*7, 0.25*8, 0.05*11
    assert found["pinball_bp"] == pytest.approx((0.35 + 1 + 1 + 0.75 + 0.1 + 1.9 + 3.75 + 3.5 + 2 + 0.55) / 10)
    assert found["crps_bp"] == pytest.approx(2 * found["pinball_bp"])
    # widths 3 and 9; y = 3 is 1 above q75, y = -6 is 5 below q25 and 2 below q05; 2/0.5 = 4, 2/0.1 = 20
    assert found["interval_score_50_bp"] == pytest.approx(3 + (4 * 1 + 4 * 5) / 2)
    assert found["interval_score_90_bp"] == pytest.approx(9 + 20 * 2 / 2)
    assert (found["sharpness_50_bp"], found["sharpness_90_bp"]) == (3, 9)


@pytest.fixture(scope="module")
def scoringrules():
    """The library with NumPy behind it: where it sees numba, it compiles itself for seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        import scoringrules

    return scoringrules


def test_losses_agree_with_scoringrules(scoringrules):
    # Source of the expected values: scoringrules.
    frame = as_answered(with_truth(50, r2=0.2, spread=0.7, models=("asked",)))
    y, q = frame["y_bp"].to_numpy(), frame.select(QUANTILES).to_numpy()

    losses = elementary_losses(frame)

    assert np.allclose(2 * mean_pinball(losses)[CALIBRATED], scoringrules.crps_quantile(y, q, TAU), atol=1e-9)
    for level, low, high in ((50, 1, 3), (90, 0, 4)):
        expected = scoringrules.interval_score(y, q[:, low], q[:, high], 1 - level / 100)
        assert np.allclose(losses[f"interval_{level}"][CALIBRATED], expected, atol=1e-9)


def test_the_best_forecaster_of_a_gaussian_market_reaches_the_root_of_the_variance_it_cannot_explain():
    found = values(one_cell(with_truth(2000, r2=0.3, models=("asked",))))

    assert found["rmae"] == pytest.approx(np.sqrt(1 - 0.3), abs=0.02)
    assert found["rrmse"] == pytest.approx(np.sqrt(1 - 0.3), abs=0.02)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.02)
    assert found["calibration_error"] < 0.02


def test_persistence_scores_exactly_one_against_itself():
    found = values(one_cell(with_truth(60, models=("persistence",))))

    assert (found["rmae"], found["rrmse"], found["crps_skill"]) == (1.0, 1.0, 0.0)


def test_crps_skill_compares_with_the_benchmarks_own_quantiles_on_the_same_questions(scoringrules):
    frame = as_answered(with_truth(60, r2=0.4))
    pinball = {
        model: np.mean(scoringrules.crps_quantile(part["y_bp"].to_numpy(), part.select(QUANTILES).to_numpy(), TAU))
        for (model,), part in frame.partition_by("model", as_dict=True).items()
    }

    skill = values(score([frame], GATES, METHOD)["cells"][0])["crps_skill"]

    assert skill == pytest.approx(1 - pinball["asked"] / pinball["persistence"], abs=1e-6)


def test_answered_and_calibrated_stand_side_by_side_on_the_same_outcomes():
    cells = score([by_every_method(with_truth(120, spread=0.4))], GATES, METHOD)["cells"]
    by_method = {cell["method"]: cell for cell in cells}

    assert values(by_method["cqr"], "raw")["coverage_50"] < 0.3
    assert values(by_method["cqr"])["coverage_50"] == pytest.approx(0.5, abs=0.1)
    assert values(by_method["identity"], "raw") == values(by_method["identity"])
    assert by_method["cqr"]["n"] + by_method["cqr"]["n_uncalibrated"] == by_method["identity"]["n"] == 480


def test_void_and_uncalibrated_rows_are_counted_but_never_scored():
    frame = with_truth(60, models=("asked",))
    wild = pl.col("session") == pl.col("session").min()
    voided = frame.with_columns(
        void=wild, y_bp=pl.when(wild).then(None).otherwise("y_bp"), q50=pl.when(wild).then(1e6).otherwise("q50")
    ).sort("session")

    cell = one_cell(voided)

    assert (cell["n"], cell["n_void"], cell["n_days"]) == (236, 4, 59)
    assert values(cell) == values(one_cell(frame.filter(~wild)))


def test_a_cell_without_outcomes_is_there_and_empty():
    frame = with_truth(10, models=("asked",)).with_columns(void=pl.lit(True), y_bp=pl.lit(None, pl.Float64))

    cell = one_cell(frame)

    assert (cell["n"], cell["n_days"], cell["n_void"]) == (0, 0, 40)
    assert set(values(cell).values()) == {None}


def test_a_market_that_never_moves_has_no_relative_error():
    found = values(one_cell(with_truth(30, models=("asked",)).with_columns(y_bp=pl.lit(0.0))))

    assert found["rmae"] is None
    assert found["rrmse"] is None


def test_pooled_relative_errors_are_geometric_means_and_the_rest_are_plain_means():
    frame = pl.concat([with_truth(60, symbols=("A",), r2=0.5), with_truth(60, symbols=("B",), r2=0.0, seed=2)])

    document = score([as_answered(frame)], GATES, METHOD)
    a, b = (values(cell) for cell in document["cells"])
    pooled = values(document["pooled"][0])

    assert pooled["rmae"] == pytest.approx(np.sqrt(a["rmae"] * b["rmae"]), abs=1e-5)
    assert pooled["rrmse"] == pytest.approx(np.sqrt(a["rrmse"] * b["rrmse"]), abs=1e-5)
    assert pooled["coverage_50"] == pytest.approx((a["coverage_50"] + b["coverage_50"]) / 2, abs=1e-5)


def test_every_method_is_scored_but_by_time_of_day_only_the_stated_one():
    document = score([by_every_method(with_truth(60, symbols=("A", "B")))], GATES, "cqr")

    methods = {scope: {entry["method"] for entry in document[scope]} for scope in document}

    assert methods["by_snapshot"] == {"cqr"}
    assert methods["cells"] == methods["pooled"] == {"identity", "widen", "split", "cqr", "cqr_sides", "aci", "pid"}


def test_scopes_count_every_outcome_once():
    document = score([as_answered(with_truth(60, symbols=("A", "B")))], GATES, METHOD)

    totals = {scope: sum(entry["n"] for entry in document[scope]) for scope in ("cells", "by_snapshot", "pooled")}

    assert totals == {"cells": 480, "by_snapshot": 480, "pooled": 480}
    assert [entry["n_days"] for entry in document["pooled"]] == [60]


def test_bounds_enclose_the_value_and_need_enough_days():
    long, short = one_cell(with_truth(60, r2=0.2)), one_cell(with_truth(19, r2=0.2))

    for name, figure in long["metrics"].items():
        low, high = figure["calibrated"]["ci"]
        assert low <= high
        assert name == "calibration_error" or low <= figure["calibrated"]["value"] <= high
    assert short["metrics"]["rmae"]["calibrated"]["ci"] is None


def test_the_document_is_the_same_bytes_whatever_the_order_of_rows():
    frame = by_every_method(with_truth(50, symbols=("A", "B"), r2=0.1))

    documents = [
        json.dumps(score([one], GATES, METHOD), allow_nan=False)
        for one in (frame, frame.sample(fraction=1, shuffle=True, seed=1))
    ]

    assert documents[0] == documents[1]


@pytest.mark.xdist_group("libraries")
def test_diebold_mariano_agrees_with_statsmodels_and_with_the_t_test():
    # Source of the expected values: statsmodels (no lags, HLN correction) and scipy.
    from statsmodels.tsa.stattools import diebold_mariano_test

    y, forecast = RNG.standard_normal(40), RNG.standard_normal(40) * 0.3
    loss_difference = np.abs(y - forecast) - np.abs(y)

    found = diebold_mariano(loss_difference)

    oracle = diebold_mariano_test(y, forecast, np.zeros(40), lags=0, criterion="mae", harvey_adj=True)
    assert found["statistic"] == pytest.approx(float(oracle.statistic))
    assert found["p_two_sided"] == pytest.approx(float(oracle.pvalue))
    assert found["p_better"] == pytest.approx(ttest_1samp(loss_difference, 0, alternative="less").pvalue)


def test_diebold_mariano_takes_one_value_a_day():
    # All four forecasts of a day err alike: a test on single forecasts would call this luck significant.
    frame = with_truth(60, r2=0.0, models=("asked",))
    tilted = frame.with_columns(
        q50=pl.when(pl.col("session").dt.day() % 2 == 0).then(0.1).otherwise(-0.1) * pl.col("y_bp")
    )
    advantage = (
        as_answered(tilted)
        .group_by("session")
        .agg(((pl.col("y_bp") - pl.col("q50")).abs() - pl.col("y_bp").abs()).mean().alias("d"))
        .sort("session")["d"]
    )

    found = one_cell(tilted)["dm"]["calibrated"]

    assert found["statistic"] == pytest.approx(ttest_1samp(advantage, 0).statistic, abs=1e-5)


def test_a_loss_that_never_differs_has_no_statistic():
    assert np.isnan(diebold_mariano(np.zeros(30))["statistic"])


def test_the_discrete_pit_is_the_chi_square_of_four_bins():
    # Source of the expected values: scipy.stats.chisquare.
    found = pit_uniformity(np.array([20.0, 30.0, 25.0, 45.0]), None)

    oracle = chisquare([20, 30, 25, 45])
    assert found["chi2"] == pytest.approx(oracle.statistic)
    assert found["p_independent"] == pytest.approx(oracle.pvalue)


def test_the_p_value_over_days_is_the_share_of_draws_as_far_from_the_counts_as_these_from_uniform():
    """Chi-squared 11.67: no difference, the same one to the bit, and 41.67; with the counts themselves 3 of 4."""
    counts = np.array([20.0, 30.0, 25.0, 45.0])
    found = pit_uniformity(counts, np.stack([counts, np.full(4, 30.0), [45.0, 30.0, 25.0, 20.0]]))
    assert found["chi2"] == pytest.approx(350 / 30)
    assert found["p_days"] == 0.75


def test_pit_counts_split_the_outcomes_at_the_quartiles():
    frame = with_truth(4, clocks=("10:30",), models=("asked",)).with_columns(
        pl.Series("y_bp", [-5.0, -1.1, 0.5, 7.0]),
        *(pl.lit(q).alias(name) for name, q in zip(QUANTILES, (-9.0, -1.0, 0.0, 1.0, 9.0), strict=True)),
    )

    assert one_cell(frame)["pit"]["calibrated"]["counts"] == [2, 0, 1, 1]


def test_days_that_move_together_are_less_evidence_against_uniformity_than_independent_outcomes():
    # Every day's outcomes all fall into one quarter: 60 days, not 240 outcomes.
    frame = with_truth(60, models=("asked",))
    together = frame.with_columns(y_bp=pl.col("y_bp").first().over("session"))

    found = one_cell(together)["pit"]["calibrated"]

    assert found["p_days"] > 3 * found["p_independent"]
