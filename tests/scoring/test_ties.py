"""Where prices move in coarse ticks, outcomes lie on the quantiles, and a right forecast is not called wrong."""

import numpy as np
import polars as pl
import pytest
from utilsforecast import losses

from stages.scoring.gates import forecast_gates, judge_coverage
from stages.scoring.losses import elementary_losses
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time, reliability
from stages.tables.forecasts import LEVELS, QUANTILES
from tests.scoring.in_parts import hits_by_clock
from tests.scoring.simulated import GATES, METHOD, as_answered, stated, with_truth

FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 200, "fdr": None})
WORLDS = tuple(f"W{k:02d}" for k in range(40))


def answered(outcomes: list[float], quantiles: tuple[float, ...]) -> pl.DataFrame:
    """One outcome a day, the same forecast every day."""
    frame = with_truth(len(outcomes), clocks=("10:30",), models=("asked",))
    told = (pl.lit(q).alias(name) for name, q in zip(QUANTILES, quantiles, strict=True))
    return as_answered(frame.with_columns(pl.Series("y_bp", outcomes), *told))


def cell(rows: pl.DataFrame) -> dict:
    return score([rows], FEW_DRAWS, METHOD)["cells"][0]


def figures(entry: dict) -> dict[str, float]:
    return {name: figure["calibrated"]["value"] for name, figure in entry["metrics"].items()}


def hits(entry: dict) -> list[float]:
    return [figures(entry)[f"hit_{level:02d}"] for level in LEVELS]


# Six of ten outcomes are 0 and the quantiles are those of just this distribution: P(y < 0) = 0.2, P(y <= 0) = 0.8.
RIGHT = answered([-9.0, -6.0, *[0.0] * 6, 6.0, 9.0], (-9.0, 0.0, 0.0, 0.0, 9.0))


def test_the_true_quantiles_of_outcomes_with_ties_hit_every_level_by_hand():
    entry = cell(RIGHT)
    found = figures(entry)

    assert hits(entry) == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert (found["coverage_50"], found["coverage_90"], found["calibration_error"]) == (0.5, 0.9, 0.0)
    assert entry["pit"]["calibrated"]["counts"] == [2.5, 2.5, 2.5, 2.5]
    assert entry["ties"] == {"raw": 0.8, "calibrated": 0.8}
    assert entry["unmoved"] == 0.6


def test_a_wrong_quantile_stays_wrong_by_what_ties_cannot_explain():
    # Four of ten outcomes lie below 0 and six at or below it: 0 is the median, but no quartile and no outer level.
    entry = cell(answered([*[-1.0] * 4, 0.0, 0.0, *[1.0] * 4], (0.0,) * 5))

    assert hits(entry) == [0.4, 0.4, 0.5, 0.6, 0.6]
    assert figures(entry)["coverage_50"] == 0.2
    assert entry["pit"]["calibrated"]["counts"] == [4, 1, 1, 4]


def test_without_ties_every_share_is_that_of_closed_intervals():
    # Source of the expected values: utilsforecast.
    rows = as_answered(with_truth(90, symbols=("A", "B"), r2=0.1, spread=0.8, models=("asked",)))
    series = rows.select(
        pl.lit(0).alias("unique_id"), pl.col("y_bp").alias("y"), *QUANTILES,
        *(pl.col(name).alias(f"m-{side}") for name, side in
          (("q25", "lo-50"), ("q75", "hi-50"), ("q05", "lo-90"), ("q95", "hi-90"))),
    )  # fmt: skip
    entry = score([rows], FEW_DRAWS, METHOD)["pooled"][0]

    expected = losses.calibration(series, {name: name for name in QUANTILES}).select(QUANTILES).row(0)
    assert hits(entry) == [round(share, 6) for share in expected]
    for level in (50, 90):
        assert figures(entry)[f"coverage_{level}"] == round(losses.coverage(series, ["m"], level)["m"][0], 6)
    assert entry["ties"] == {"raw": 0.0, "calibrated": 0.0}
    assert all(isinstance(count, int) for count in entry["pit"]["calibrated"]["counts"])


def test_plots_follow_the_same_rule():
    hits = hits_by_clock([RIGHT])
    assert reliability(hits)["calibrated"].to_list() == [0.05, 0.25, 0.5, 0.75, 0.95]
    unmoved = RIGHT.with_columns(pl.lit(True).alias("void"), pl.lit(1e6).alias("y_bp"))
    assert reliability(hits_by_clock([RIGHT, unmoved])).equals(reliability(hits)), (
        "without an outcome it counts nowhere"
    )
    assert coverage_by_time(hits).row(0, named=True) | {"snapshot_et": ""} == {
        "method": METHOD, "horizon_min": 10, "snapshot_et": "", "raw": 0.5, "calibrated": 0.5, "n": 10, "n_days": 10,
    }  # fmt: skip


def test_a_verdict_on_coverage_names_the_share_of_ties():
    entry = cell(RIGHT) | {"n": 240, "n_days": 60}
    entry["metrics"]["coverage_50"]["calibrated"]["se"] = 0.03

    assert judge_coverage(entry, GATES).words == (
        "a true coverage off by 0.095 is caught four times out of five (low power); 80 % of the outcomes lie "
        "exactly on a quantile and count in its favour"
    )


def market(dollars: float | None, spread: float = 1.0) -> list[dict]:
    """Cells of 60 days and 240 outcomes; prices and quantiles in whole cents of a stock of this price."""
    frame = with_truth(60, symbols=WORLDS, models=("asked",), spread=spread)
    if dollars:
        cent = 1e4 * 0.01 / dollars
        frame = frame.with_columns(((pl.col(c) / cent).round() * cent).round(6) for c in ("y_bp", *QUANTILES))
    metrics = score([as_answered(frame)], FEW_DRAWS, METHOD)
    judged = forecast_gates(metrics, {"verdict": "PASS"}, FEW_DRAWS, stated())["cells"]
    return [
        entry | {"gate": one["gates"]["coverage"]["verdict"]}
        for entry, one in zip(metrics["cells"], judged, strict=True)
    ]


def passed(cells: list[dict]) -> float:
    return float(np.mean([one["gate"] == "PASS" for one in cells]))


@pytest.fixture(scope="module")
def continuous() -> list[dict]:
    return market(None)


@pytest.mark.parametrize(("dollars", "least_ties"), [(3, 0.9), (30, 0.1)])
def test_a_right_forecaster_of_coarse_prices_passes_as_often_as_one_of_continuous_prices(
    continuous, dollars, least_ties
):
    cells = market(dollars)
    p = np.array([one["pit"]["calibrated"]["p_days"] for one in cells])

    assert np.mean([one["ties"]["calibrated"] for one in cells]) > least_ties
    assert passed(cells) >= passed(continuous) > 0.9
    # p is an upper bound: it lies below a level no more often than a uniform one, but for four errors of 40 draws.
    assert all(np.mean(p <= level) <= level + 4 * np.sqrt(level * (1 - level) / 40) for level in (0.05, 0.25, 0.5))


def test_a_forecaster_far_too_sure_of_itself_is_still_caught_where_ties_do_not_explain_it():
    assert passed(market(30, spread=0.5)) < 0.05


def test_a_tie_is_an_outcome_equal_to_the_quantile_as_both_are_written():
    near = answered([1.0, 1.000001], (-1.0, 1.0, 1.0, 2.0, 3.0))
    assert elementary_losses(near, ["calibrated"])["tied"].tolist() == [[1.0, 0.0]]
