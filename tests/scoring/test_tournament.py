"""All calibrations on the same outcomes: the stated rule proposes one, and no other."""

from typing import get_args

import numpy as np
import polars as pl
import pytest

from stages.params.calibration import Method
from stages.scoring.metrics import score
from stages.scoring.tournament import LOSSES, SIMPLEST_FIRST, _lines
from stages.tables.forecasts import QUANTILES
from tests.scoring.in_parts import propose
from tests.scoring.simulated import GATES, METHOD, as_answered, by_every_method, with_truth

FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 200})


def rule(**changes):
    return FEW_DRAWS.model_copy(update={"choose_calibration": GATES.choose_calibration.model_copy(update=changes)})


def compared(rows: pl.DataFrame, **changes):
    params = rule(**changes)
    return propose([rows], score([rows], params, METHOD), params)


def as_methods(frame: pl.DataFrame, **spreads: float) -> pl.DataFrame:
    """The same forecasts under several names, each with its quantiles so much wider around the median."""
    rows = as_answered(frame)
    return pl.concat(
        rows.with_columns(
            pl.lit(method).alias("method"),
            *((pl.col("q50") + spread * (pl.col(name) - pl.col("q50"))).alias(name) for name in QUANTILES),
        )
        for method, spread in spreads.items()
    )


@pytest.fixture(scope="module")
def market() -> pl.DataFrame:
    return with_truth(120, symbols=("A", "B"), models=("asked",))


def test_by_hand_on_two_days():
    # One outcome a day, 0 and then 8; intervals [-4, 4] against [-2, 2], all levels beside them equal. The interval
    # score with alpha 0.5 is 8 and 8 + 4 * 4 = 24 against 4 and 4 + 4 * 6 = 28: 32 each, on average 16 an outcome.
    frame = with_truth(2, clocks=("10:30",), models=("asked",)).with_columns(
        pl.Series("y_bp", [0.0, 8.0]),
        q05=pl.lit(-4.0),
        q25=pl.lit(-4.0),
        q50=pl.lit(0.0),
        q75=pl.lit(4.0),
        q95=pl.lit(4.0),
    )
    rows = as_methods(frame, cqr=0.5, widen=1.0)
    params = rule(by="interval_score_50_bp").model_copy(update={"min_ci_days": 2})
    found = propose([rows], score([rows], params, METHOD), params)

    assert [line["method"] for line in found["methods"]] == ["widen", "cqr"]
    assert [line["loss"] for line in found["methods"]] == [1.0, 1.0]
    assert (found["method"], found["n"], found["n_days"], found["trials"]) == ("widen", 2, 2, 2)
    # cqr's daily lead is (8 - 4) / 16 and (24 - 28) / 16: nothing on average, standard error 0.354 / sqrt(2) = 0.25.
    assert found["methods"][1] == {"method": "cqr", "loss": 1.0, "behind": 0.0, "se": 0.25, "coverage": "INCONCLUSIVE"}


def test_a_narrow_forecaster_is_corrected_and_the_correction_is_proposed():
    narrow = by_every_method(with_truth(120, symbols=("A", "B"), spread=0.4))

    found = compared(narrow)
    coverage = {line["method"]: line["coverage"] for line in found["methods"]}

    assert coverage["identity"] == "FAIL"
    assert found["method"] not in (None, "identity")
    assert found["params"] == {"calibration": {"method": found["method"]}}


def test_a_calibrated_forecaster_is_left_as_answered(market):
    found = compared(by_every_method(market))

    assert found["method"] == "identity"


def test_ties_go_to_the_simpler_and_clear_differences_to_the_better(market):
    assert compared(as_methods(market, pid=1.0, aci=1.0, cqr=1.0))["method"] == "cqr"
    assert compared(as_methods(market, identity=1.15, pid=1.0))["method"] == "pid"
    near = compared(as_methods(market, identity=1.15, pid=1.0), within_se=50.0)
    assert near["method"] == "identity"
    assert near["why"].startswith("the simplest within 50 SE of the lowest crps_bp (pid's), of the 2 of 2 methods"), (
        "why"
    )


def test_a_method_whose_coverage_fails_is_not_proposed_however_low_its_loss(market):
    # The 90 % intervals of widen are the true ones, those of cqr too wide; but its quartiles hold every fifth outcome.
    rows = as_methods(market, widen=1.0, cqr=1.2).with_columns(
        (pl.col("q50") + pl.when(method="widen").then(0.4).otherwise(1 / 1.2) * (pl.col(name) - pl.col("q50"))).alias(
            name
        )
        for name in ("q25", "q75")
    )
    found = compared(rows, by="interval_score_90_bp")
    widen, cqr = found["methods"]

    assert widen["loss"] < cqr["loss"]
    assert (widen["coverage"], cqr["coverage"]) == ("FAIL", "PASS")
    assert found["method"] == "cqr"


def test_void_outcomes_are_compared_by_no_method(market):
    rows = as_methods(market, identity=1.15, pid=1.0)
    void = pl.col("session") == market["session"].max()
    spoiled = rows.with_columns(void=void, y_bp=pl.when(~void).then("y_bp"))
    found, whole = compared(spoiled), compared(rows.filter(~void))

    assert found["methods"] == whole["methods"]
    assert (found["n"], found["n_days"]) == (whole["n"], whole["n_days"])


def test_where_every_coverage_fails_nothing_is_proposed(market):
    found = compared(as_methods(market, identity=0.4, widen=3.5))

    assert (found["method"], found["params"]) == (None, None)
    assert found["why"] == "coverage FAILs with every one of 2 methods"


def test_all_methods_are_judged_on_the_outcomes_that_all_could_correct():
    rows = by_every_method(with_truth(60, models=("asked",)))  # 40 outcomes, ten days, before the first correction

    assert (compared(rows)["n"], compared(rows)["n_days"]) == (200, 50)
    # What identity did before then changes nothing but its coverage.
    early = pl.col("session").rank("dense").over("method") <= 10
    spoilt = rows.with_columns(q05=pl.when(early, method="identity").then(-1e4).otherwise("q05"))
    assert compared(spoilt)["methods"] == compared(rows)["methods"]


def test_a_volatile_symbol_counts_no_more_than_a_calm_one(market):
    times = pl.when(pl.col("symbol") == "B").then(1000.0).otherwise(1.0)
    scaled = market.with_columns((pl.col(name) * times).alias(name) for name in (*QUANTILES, "y_bp"))

    plain, wild = (compared(as_methods(frame, identity=1.3, cqr=1.0)) for frame in (market, scaled))

    losses = [[line["loss"] for line in found["methods"]] for found in (plain, wild)]
    assert losses[0] == pytest.approx(losses[1], abs=2e-6)


@pytest.mark.parametrize("by", LOSSES)
def test_every_loss_that_may_be_stated_prefers_the_truth(market, by):
    # Source: all are proper scores (Gneiting, Raftery 2007).
    found = compared(as_methods(market, identity=0.6, cqr=1.0, pid=1.7), by=by)
    loss = {line["method"]: line["loss"] for line in found["methods"]}

    assert loss["cqr"] < min(loss["identity"], loss["pid"])


def test_the_order_of_rows_changes_nothing_and_the_same_loss_is_a_tie(market):
    rows = as_methods(market, identity=1.0, cqr=1.0)

    assert compared(rows.sample(fraction=1.0, shuffle=True, seed=1)) == compared(rows)
    assert compared(rows, within_se=0.0)["method"] == "identity"


def test_a_method_that_is_ahead_by_less_than_six_decimals_is_behind_by_nothing():
    [_, ahead] = _lines(["identity", "cqr"], np.array([[1.0, 1.0 - 1e-9], [1.0, 1.0]]), 2, 0)
    assert (str(ahead["behind"]), ahead["loss"]) == ("0.0", 1.0)


@pytest.mark.parametrize(("least", "proposed"), [(20, True), (21, False)])
def test_as_many_days_as_a_bound_takes_are_enough_to_propose(least, proposed):
    rows = as_methods(with_truth(20, models=("asked",)), identity=1.0, cqr=1.0)
    params = rule().model_copy(update={"min_ci_days": least})
    found = propose([rows], {"pooled": score([rows], FEW_DRAWS, METHOD)["pooled"]}, params)
    assert (found["n_days"], bool(found["methods"])) == (20, proposed)


@pytest.mark.parametrize(("days", "corrected"), [(5, 0), (25, 15)])
def test_with_too_few_days_that_all_methods_corrected_nothing_is_proposed(days, corrected):
    rows = by_every_method(with_truth(days, models=("asked",)))

    assert (compared(rows)["method"], compared(rows)["n_days"]) == (None, corrected)
    assert (
        compared(rows)["why"]
        == f"all methods corrected the outcomes of {corrected} days; gates.min_ci_days asks for 20"
    )


def test_every_method_has_its_place_in_the_order_of_simplicity():
    assert set(SIMPLEST_FIRST) == set(get_args(Method))
