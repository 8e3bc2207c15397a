"""A figure may exist where its uncertainty does not: then every gate says so in words, and no sum of many is lost."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from stages.params.gates import GatesParams
from stages.scoring.gates import forecast_gates
from stages.scoring.inference import bounds, deviation, diebold_mariano, varies
from stages.scoring.metrics import score
from stages.tables.forecasts import QUANTILES
from tests.scoring.in_parts import propose
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, as_answered, stated, with_truth

PARAMS = GATES.model_copy(update={"bootstrap_reps": 400})
HOLD = {"verdict": "PASS"}


def moving_on(days: int, symbols: tuple[str, ...] = ("A",), still: str = "A", **world: object) -> pl.DataFrame:
    """Sixty days; the outcomes of one symbol are exactly 0 after its first days."""
    frame = with_truth(60, symbols=symbols, models=("asked",), **world)
    stuck = (pl.col("symbol") == still) & (pl.col("session") >= FIRST_DAY + timedelta(days=days))
    return as_answered(frame.with_columns(y_bp=pl.when(stuck).then(0.0).otherwise("y_bp")))


def judged(rows: pl.DataFrame, params=PARAMS) -> dict:
    return forecast_gates(score([rows], params, METHOD), HOLD, params, stated("A", "B"))["cells"][0]


def test_a_draw_without_the_figure_leaves_it_without_bound_and_error():
    drawn = np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0], [1.0, np.inf, 3.0]])

    assert bounds(drawn, [0.5])[0].tolist()[0] == 2.0
    assert np.isnan(bounds(drawn, [0.5])[0][1:]).all()
    assert np.isnan(deviation(drawn)).tolist() == [False, True, True]


@pytest.mark.parametrize("name", ["bootstrap_reps", "min_ci_days"])
def test_params_ask_for_two_days_and_draws_since_one_has_no_deviation(name):
    few = {"bootstrap_reps": 2, "min_ci_days": 2}
    rows = as_answered(with_truth(2, symbols=("A",), models=("asked",)))
    found = score([rows], GatesParams.model_validate(GATES.model_dump() | few), METHOD)["cells"][0]["metrics"]["mae_bp"]
    assert found["calibrated"]["se"] is not None
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        GatesParams.model_validate(GATES.model_dump() | {name: 1})


def test_a_price_that_moves_on_three_days_of_sixty_has_an_error_ratio_but_no_bound():
    metrics = score([moving_on(3)], PARAMS, METHOD)["cells"][0]["metrics"]

    for name in ("rmae", "rrmse"):
        figure = metrics[name]["calibrated"]
        assert figure["value"] > 0
        assert (figure["ci"], figure["se"], figure["floor"]) == (None, None, None)
    assert None not in (metrics["coverage_50"]["calibrated"]["ci"], metrics["mae_bp"]["calibrated"]["se"])


@pytest.mark.parametrize("r2", [0.0, 0.9])
def test_without_bounds_skill_is_inconclusive_and_the_words_say_why(r2):
    gates = judged(moving_on(3, r2=r2))["gates"]

    for name in ("rmae", "rrmse"):
        assert gates[name]["verdict"] == "INCONCLUSIVE"
        assert gates[name]["words"].startswith("in some resamples of the days no outcome moved")


def test_under_the_literal_policy_no_bound_is_missed():
    literal = PARAMS.model_copy(update={"policy": "point", "coverage_rule": "point"})
    assert judged(moving_on(3, r2=0.0), literal)["gates"]["rmae"]["verdict"] == "FAIL"


def test_one_dead_symbol_is_left_out_of_the_pooled_ratios_and_counted():
    both = score([moving_on(0, ("A", "B"), r2=0.2)], PARAMS, METHOD)
    alive = next(cell for cell in both["cells"] if cell["symbol"] == "B")
    (pooled,) = both["pooled"]

    assert (pooled["n_symbols"], pooled["n_symbols_unmoved"], pooled["n"]) == (2, 1, 480)
    assert pooled["metrics"]["rmae"]["calibrated"]["value"] == alive["metrics"]["rmae"]["calibrated"]["value"]
    assert pooled["metrics"]["rmae"]["calibrated"]["ci"] == alive["metrics"]["rmae"]["calibrated"]["ci"]


def test_a_nearly_dead_symbol_does_not_take_the_bounds_of_all_together():
    (pooled,) = score([moving_on(3, ("A", "B"), r2=0.2)], PARAMS, METHOD)["pooled"]

    assert pooled["n_symbols_unmoved"] == 0
    assert pooled["metrics"]["rmae"]["calibrated"]["ci"] is not None


def test_forecasts_without_any_loss_are_average_in_the_tournament():
    exact = moving_on(0, ("A", "B")).with_columns(
        pl.when(pl.col("symbol") == "A").then(0.0).otherwise(name).alias(name) for name in QUANTILES
    )
    rows = pl.concat(exact.with_columns(method=pl.lit(method)) for method in ("identity", "cqr"))

    found = propose([rows], score([rows], PARAMS, METHOD), PARAMS)

    assert [(line["loss"], line["se"]) for line in found["methods"]] == [(1.0, 0.0), (1.0, 0.0)]


@pytest.mark.parametrize("constant", [0.0, -5.0, 1e9])
def test_a_daily_difference_that_is_constant_up_to_rounding_has_no_p(constant):
    noise = 1e-17 * np.random.default_rng(1).standard_normal(60)
    halves = np.full(60, constant / 3) * 3 + noise * max(1.0, abs(constant))

    assert not varies(halves)
    assert all(np.isnan(value) for value in diebold_mariano(halves).values())


def test_where_there_is_no_p_the_gate_of_false_discoveries_is_inconclusive():
    same = moving_on(60).with_columns(pl.lit(0.0).alias("q50"))  # persistence itself
    gate = judged(same)["gates"]["fdr"]

    assert (gate["verdict"], gate["value"]) == ("INCONCLUSIVE", None)
    assert "there is no test" in gate["words"]


def test_no_p_is_written_as_nothing():
    sure = score([as_answered(with_truth(200, r2=0.9, models=("asked",)))], PARAMS, METHOD)["cells"][0]
    narrow = score([as_answered(with_truth(200, spread=0.1, models=("asked",)))], PARAMS, METHOD)["cells"][0]

    assert (sure["dm"]["calibrated"]["p_better"], sure["dm"]["calibrated"]["p_two_sided"]) == (1e-6, 1e-6)
    assert narrow["pit"]["calibrated"]["p_independent"] == 1e-6
    assert 0 < narrow["pit"]["calibrated"]["p_days"] < 0.01


def guessing(n_days: int) -> pl.DataFrame:
    """A guess as large as the outcome and unrelated to it: its true error ratio is sqrt(2)."""
    frame = with_truth(n_days, models=("asked",))
    guess = 21.0 * np.random.default_rng(4).standard_normal(frame.height)
    return as_answered(frame.with_columns(pl.col(name) + pl.Series(guess) for name in QUANTILES))


def test_what_is_surely_worse_than_persistence_fails_before_there_are_days_for_anything_else():
    verdicts = {n_days: judged(guessing(n_days)) for n_days in (19, 20, 39)}

    assert [verdicts[n]["verdict"] for n in (19, 20, 39)] == ["INCONCLUSIVE", "FAIL", "FAIL"]  # gates.min_ci_days: 20
    gate = verdicts[20]["gates"]["rmae"]
    assert 1.0 < gate["bound"] < gate["value"]
    assert gate["words"].startswith("worse than persistence: the true ratio is above 1.")
    assert verdicts[20]["gates"]["coverage"]["verdict"] == "INCONCLUSIVE"


def test_a_calibrated_forecaster_is_not_called_worse_for_too_few_days():
    assert judged(as_answered(with_truth(25, r2=0.1, models=("asked",))))["verdict"] == "INCONCLUSIVE"
