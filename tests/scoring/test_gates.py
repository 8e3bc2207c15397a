"""A cell may trade when its evidence says so, and every verdict can be checked by hand."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from stages.scoring.discoveries import Discovery
from stages.scoring.gates import _judgement, _percent, forecast_gates, judge_coverage, judge_discovery, judge_skill
from stages.scoring.inference import Judgement, Verdict, worst
from stages.scoring.metrics import score
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, as_answered, stated, with_truth

HOLD = {"verdict": "PASS"}
TWICE_A_DAY = ("10:30", "13:30")
STATED = stated("A", method="cqr")
FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 400})


def entry(
    rmae: float | None = 0.9,
    upper: float = 0.95,
    coverage: float | None = 0.5,
    se: float | None = 0.03,
    n_days: int = 60,
) -> dict[str, object]:
    def figure(value, high):
        return {"calibrated": {"value": value, "ci": [0.0, high], "se": se}}

    return {
        "symbol": "A",
        "history_days": 40,
        "horizon_min": 10,
        "method": "cqr",
        "n": 4 * n_days,
        "n_days": n_days,
        "dm": {"calibrated": {"p_better": 0.001}},
        "metrics": {"rmae": figure(rmae, upper), "rrmse": figure(rmae, upper), "coverage_50": figure(coverage, 1.0)},
    }


def skill(cell: dict[str, object], **changes: object) -> Judgement:
    return judge_skill(cell, "rmae", 0.95, GATES.model_copy(update=changes))


def coverage(cell: dict[str, object], **changes: object) -> Judgement:
    return judge_coverage(cell, GATES.model_copy(update=changes))


def gates(cell: dict[str, object], controls: dict[str, str] = HOLD, **changes: object) -> dict[str, object]:
    return forecast_gates({"cells": [cell]}, controls, GATES.model_copy(update=changes), STATED)["cells"][0]


@pytest.mark.parametrize(
    ("se", "threshold", "told"),
    [
        (0.05, 0.95, "a forecast no better than persistence passes 16 % of the time"),
        (0.0, 0.95, "the ratio is the same on all days, so they say nothing of luck"),  # persistence itself
        (None, 0.95, "there is no standard error to say how often luck alone passes"),  # not only with few days
    ],
)
def test_under_the_literal_policy_it_is_said_how_often_luck_passes(se, threshold, told):
    cell = entry(1.0)
    cell["metrics"]["rmae"]["calibrated"]["se"] = se
    assert judge_skill(cell, "rmae", threshold, GATES.model_copy(update={"policy": "point"})).words == told


@pytest.mark.parametrize(
    ("rmae", "upper", "verdict"),
    [
        (0.90, 0.99, Verdict.PASS),
        (0.90, 1.00, Verdict.INCONCLUSIVE),  # the bound must lie below persistence
        (0.90, 0.999999, Verdict.PASS),
        (0.95, 0.96, Verdict.FAIL),  # the threshold itself is not below the threshold
        (0.949999, 0.96, Verdict.PASS),
        (1.10, 1.20, Verdict.FAIL),
    ],
)
def test_skill_needs_the_estimate_below_the_threshold_and_the_bound_below_persistence(rmae, upper, verdict):
    assert skill(entry(rmae, upper)).verdict == verdict


def test_the_literal_policy_looks_at_the_estimate_alone():
    assert skill(entry(0.949, 1.3, n_days=2), policy="point").verdict == Verdict.PASS
    assert skill(entry(0.95, 0.96), policy="point").verdict == Verdict.FAIL
    assert skill(entry(0.951, 0.96), policy="point").verdict == Verdict.FAIL


@pytest.mark.parametrize("n_days", [0, 24, 39])
def test_too_few_days_or_outcomes_are_inconclusive_and_say_which_rule_asks_for_more(n_days):
    judged = skill(entry(0.5, 0.6, n_days=n_days))

    assert judged.verdict == Verdict.INCONCLUSIVE
    assert f"{n_days} days, gates.min_forecast_days requires 40" in judged.words
    assert coverage(entry(n_days=n_days)).verdict == Verdict.INCONCLUSIVE


def test_only_the_minimum_that_is_not_met_is_named():
    days, outcomes = entry(0.5, 0.6, n_days=39) | {"n": 100}, entry(0.5, 0.6, n_days=40) | {"n": 99}
    assert skill(days).words == "39 days, gates.min_forecast_days requires 40"
    assert skill(days, min_ci_days=41).words == "39 days, gates.min_ci_days requires 41"
    assert skill(outcomes).words == "99 outcomes, gates.min_forecast_outcomes requires 100"
    assert skill(entry(n_days=1) | {"n": 1}).words == (
        "1 outcome, gates.min_forecast_outcomes requires 100; 1 day, gates.min_forecast_days requires 40"
    )


@pytest.mark.parametrize(
    ("n_days", "n", "changes", "enough"),
    [
        (40, 100, {}, True),  # gates.min_forecast_days, gates.min_forecast_outcomes
        (39, 100, {}, False),
        (40, 99, {}, False),
        (41, 100, {"min_ci_days": 41}, True),  # without an error nothing is judged either
        (40, 100, {"min_ci_days": 41}, False),
    ],
)
def test_enough_is_exactly_as_many_days_and_outcomes_as_the_gates_ask_for(n_days, n, changes, enough):
    cell = entry(n_days=n_days) | {"n": n}
    expected = Verdict.PASS if enough else Verdict.INCONCLUSIVE
    assert (skill(cell, **changes).verdict, coverage(cell, **changes).verdict) == (expected, expected)


@pytest.mark.parametrize(("n", "verdict"), [(1, Verdict.PASS), (0, Verdict.INCONCLUSIVE)])
def test_one_outcome_is_enough_for_the_literal_policy_and_none_is_not(n, verdict):
    cell = entry(n_days=1) | {"n": n}
    assert skill(cell, policy="point").verdict == verdict
    assert coverage(cell, policy="point", coverage_rule="point").verdict == verdict
    assert (skill(cell, policy="point").words == "there is no outcome to judge") == (n == 0)  # no minimum is missed


@pytest.mark.parametrize(
    ("floor", "policy", "verdict"),
    [
        (1.0, "ci", Verdict.INCONCLUSIVE),
        (1.000001, "ci", Verdict.FAIL),  # surely worse than persistence, however few the days
        (1.000001, "point", Verdict.PASS),
        (None, "ci", Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_surely_worse_than_persistence_fails_with_too_few_days_too(floor, policy, verdict):
    cell = entry(n_days=20)
    cell["metrics"]["rmae"]["calibrated"]["floor"] = floor
    assert skill(cell, policy=policy).verdict == verdict


def test_outcomes_that_never_move_cannot_prove_skill():
    assert skill(entry(None)).verdict == Verdict.FAIL
    assert skill(entry(None), policy="point").verdict == Verdict.FAIL


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.50, 0.03, Verdict.PASS),
        (0.56, 0.03, Verdict.PASS),  # 0.06 - 1.645 * 0.03 = 0.011 is within 0.02
        (0.58, 0.03, Verdict.FAIL),  # 0.08 - 1.645 * 0.03 = 0.031 is not
        (0.42, 0.03, Verdict.FAIL),
        (0.53, 0.001, Verdict.FAIL),
        (0.52, 0.0, Verdict.PASS),  # the tolerance itself is within it
        (0.520001, 0.0, Verdict.FAIL),
        (0.479999, 0.0, Verdict.FAIL),
    ],
)
def test_coverage_fails_only_where_a_deviation_beyond_the_tolerance_is_proven(value, se, verdict):
    judged = coverage(entry(coverage=value, se=se))

    assert judged.verdict == verdict
    assert judged.bound == pytest.approx(abs(value - 0.5) - 1.644854 * se, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.48, Verdict.PASS), (0.52, Verdict.PASS), (0.521, Verdict.FAIL), (0.479, Verdict.FAIL)]
)
def test_literal_coverage_includes_its_tolerance(value, verdict):
    assert coverage(entry(coverage=value), coverage_rule="point").verdict == verdict


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.505, 0.005, Verdict.PASS),
        (0.51, 0.01, Verdict.INCONCLUSIVE),
        (0.53, 0.01, Verdict.FAIL),
        (0.52, 0.0, Verdict.PASS),  # the tolerance itself is within it
        (0.52, 1e-5, Verdict.INCONCLUSIVE),
        (0.520001, 1e-5, Verdict.FAIL),
    ],
)
def test_equivalence_passes_only_a_proven_agreement(value, se, verdict):
    assert coverage(entry(coverage=value, se=se), coverage_rule="equivalence").verdict == verdict


@pytest.mark.parametrize(
    ("rule", "verdict"), [("reject", "INCONCLUSIVE"), ("equivalence", "INCONCLUSIVE"), ("point", "PASS")]
)
def test_coverage_without_a_standard_error_is_judged_by_its_value_alone_or_not_at_all(rule, verdict):
    judged = coverage(entry(se=None), coverage_rule=rule)
    assert judged.verdict == verdict
    assert (judged.words == "60 days without a standard error; gates.min_ci_days requires 20") == (rule != "point")


def test_a_cell_is_eligible_when_all_three_gates_pass_and_the_controls_hold():
    assert gates(entry())["eligible"]
    assert not gates(entry(rmae=0.96))["eligible"]
    assert not gates(entry(coverage=0.7))["eligible"]
    assert not gates(entry(), {"verdict": "FAIL"})["eligible"]
    assert not gates(entry(), {"verdict": "INCONCLUSIVE"})["eligible"]


def test_inconclusive_evidence_keeps_a_cell_out_unless_params_let_it_through():
    unsure = entry(0.9, 1.05)

    assert not gates(unsure)["eligible"]
    assert gates(unsure, inconclusive="warn")["eligible"]
    assert not gates(entry(0.96), inconclusive="warn")["eligible"]


@pytest.mark.parametrize(
    ("n", "tolerance", "percent"),
    [
        (42, 0.02, 12),
        (84, 0.02, 26),
        (252, 0.02, 51),
        (1008, 0.02, 80),
        (50, 0.08, 80),  # in floats 50 x (0.5 + 0.08) is less than 29
        (125, 0.092, 97),  # and 125 x (0.5 - 0.092) more than 51
        (4, 0.3, 88),  # neither none nor all of four: 14 / 16
        (10, 0.5, 100),
        (10, 0.6, 100),
    ],
)
def test_the_odds_of_a_perfect_forecaster_under_the_literal_rule_are_those_of_the_binomial(n, tolerance, percent):
    # Source of the expected odds: 200,000 draws of a fair coin, within three standard errors.
    cell = entry() | {"n": n, "n_days": n}
    tossed = np.random.default_rng(n).binomial(n, 0.5, 200_000)

    words = coverage(cell, policy="point", coverage_rule="point", coverage_tol=tolerance).words

    assert words == f"with {n:,} independent outcomes a perfect forecaster passes {percent} % of the time"
    assert np.mean(np.abs(tossed / n - 0.5) <= tolerance + 1e-9) == pytest.approx(percent / 100, abs=0.005 + 0.0035)


@pytest.mark.parametrize(
    ("se", "percent"),
    [(0.0, "100"), (0.005, "98"), (0.0121, "0.6"), (0.0122, "0")],  # 2 Phi((0.02 - 1.645 se) / se) - 1, where above 0
)
def test_the_odds_of_proving_agreement_are_those_of_a_normal(se, percent):
    words = coverage(entry(se=se), coverage_rule="equivalence").words
    assert words == f"a perfect forecaster proves agreement {percent} % of the time"


@pytest.mark.parametrize(
    ("alone", "adjusted", "verdict"),
    [
        (0.01, 0.1, Verdict.PASS),  # gates.fdr.q itself
        (0.01, 0.100001, Verdict.INCONCLUSIVE),
        (0.499999, 0.9, Verdict.INCONCLUSIVE),
        (0.5, 0.9, Verdict.FAIL),  # no better on these days
    ],
)
def test_a_discovery_is_judged_at_exactly_its_share_and_at_exactly_even(alone, adjusted, verdict):
    judged = judge_discovery(entry(), Discovery(alone, adjusted, 3), GATES.fdr, GATES)
    assert (judged.verdict, judged.value, judged.threshold) == (verdict, adjusted, 0.1)


def test_an_adjusted_p_is_reported_with_six_decimals_and_judged_with_all():
    judged = judge_discovery(entry(), Discovery(0.01, 0.1000004, 3), GATES.fdr, GATES)
    assert (judged.verdict, judged.value) == (Verdict.INCONCLUSIVE, 0.1)


@pytest.mark.parametrize(
    ("p", "told"), [(0.0009999, "< 0.001"), (0.001, "= 0.001"), (0.0015, "= 0.002"), (0.25, "= 0.250")]
)
def test_a_p_too_small_to_be_written_is_said_to_be_small(p, told):
    assert f"p {told} alone" in judge_discovery(entry(), Discovery(p, 0.5, 3), GATES.fdr, GATES).words


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.000499, "0 %"), (0.0005, "0.1 %"), (0.0994, "9.9 %"), (0.1, "10 %"), (0.105, "10 %"), (1.2, "100 %")],
)
def test_a_rare_share_is_reported_with_a_decimal(share, told):
    assert _percent(share) == told


def test_low_power_is_said():
    assert coverage(entry(se=0.03)).words == (
        "a true coverage off by 0.095 is caught four times out of five (low power)"  # 0.02 + (1.645 + 0.842) * 0.03
    )
    assert "low power" not in coverage(entry(se=0.01)).words
    assert "low power" not in coverage(entry(se=0.0), coverage_tol=0.0).words


def test_no_power_is_said_where_even_the_best_or_the_worst_forecast_would_not_be_told():
    assert skill(entry(0.9, 1.5, se=0.5)).words == (
        "no true ratio, however low, passes four times out of five (standard error 0.500)"
    )
    for cell, tolerance in ((entry(se=0.2), 0.02), (entry(se=0.0), 0.5)):  # none is off by more than a half
        words = coverage(cell, coverage_tol=tolerance).words
        assert words == "no coverage, however far off, is caught four times out of five (low power)"
    assert "off by 0.499 is caught" in coverage(entry(se=0.0), coverage_tol=0.499).words


@pytest.mark.parametrize(("confidence", "told"), [(0.99, "99 %"), (0.975, "97.5 %"), (0.999, "99.9 %")])
def test_a_stated_confidence_is_reported_as_stated(confidence, told):
    worse = entry(1.2, 1.3)
    worse["metrics"]["rmae"]["calibrated"]["floor"] = 1.1
    assert skill(worse, worse_confidence=confidence).words.endswith(f"with {told} confidence")


def test_the_stated_power_of_the_skill_gate_holds():
    # "A true ratio of X or less passes four times out of five": estimates scatter around X with the stated error.
    words = skill(entry(se=0.05)).words
    stated = float(words.split("ratio of ")[1].split(" ")[0])
    drawn = np.random.default_rng(1).normal(stated, 0.05, 4000)

    passed = [skill(entry(value, value + 1.645 * 0.05, se=0.05)).verdict == Verdict.PASS for value in drawn]

    assert np.mean(passed) == pytest.approx(0.8, abs=0.02)


def judged_worlds(n_worlds: int, n_days: int, **world: object) -> list[dict[str, object]]:
    """Each symbol a world of its own: the gates of many independent cells."""
    symbols = tuple(f"W{k:03d}" for k in range(n_worlds))
    frame = as_answered(with_truth(n_days, symbols=symbols, models=("asked",), clocks=TWICE_A_DAY, **world))
    return forecast_gates(score([frame], FEW_DRAWS, METHOD), HOLD, GATES, stated())["cells"]


def share(cells: list[dict[str, object]], gate: str, verdict: str) -> float:
    return float(np.mean([cell["gates"][gate]["verdict"] == verdict for cell in cells]))


def test_a_forecaster_without_skill_hardly_ever_passes_and_one_with_skill_mostly_does():
    symbols = tuple(f"W{k:03d}" for k in range(40))
    blind = with_truth(60, symbols=symbols, clocks=TWICE_A_DAY, models=("asked",), r2=0.0)
    # A guess as large as a skilled forecaster's, but unrelated to the outcome.
    guess = 10 * np.random.default_rng(4).standard_normal(blind.height)
    guessing = blind.with_columns(pl.col(name) + pl.Series(guess) for name in ("q05", "q25", "q50", "q75", "q95"))

    junk = forecast_gates(score([as_answered(guessing)], FEW_DRAWS, METHOD), HOLD, GATES, stated())["cells"]
    skilled = judged_worlds(40, 80, r2=0.25)

    assert sum(cell["eligible"] for cell in junk) == 0
    assert share(skilled, "rmae", "PASS") > 0.85


def test_a_perfect_interval_is_rejected_rarely_and_a_far_too_narrow_one_nearly_always():
    perfect, narrow = judged_worlds(60, 60), judged_worlds(20, 60, spread=0.5)

    assert share(perfect, "coverage", "FAIL") < binom.ppf(0.999, 60, 0.05) / 60
    assert share(narrow, "coverage", "FAIL") > 0.95


def test_outcomes_shared_by_all_snapshots_of_a_day_count_as_one_piece_of_evidence():
    frame = with_truth(60, symbols=tuple(f"W{k:02d}" for k in range(20)), models=("asked",))
    together = frame.with_columns(y_bp=pl.col("y_bp").first().over("symbol", "session"))

    cells = forecast_gates(score([as_answered(together)], FEW_DRAWS, METHOD), HOLD, GATES, stated())["cells"]

    # Were 240 outcomes taken as independent, a perfect interval would be rejected about every fourth time.
    assert share(cells, "coverage", "FAIL") < 0.15


def test_days_are_counted_not_sessions_of_the_calendar():
    frame = with_truth(60, models=("asked",)).filter(pl.col("session") < FIRST_DAY + timedelta(days=39))

    assert judge_skill(score([as_answered(frame)], GATES, METHOD)["cells"][0], "rmae", 0.95, GATES).n_days == 39


def test_the_worst_verdict_speaks_for_all():
    assert worst([Verdict.PASS, Verdict.SEALED, Verdict.INCONCLUSIVE]) == Verdict.INCONCLUSIVE
    assert worst(Verdict) == Verdict.FAIL
    assert worst([Verdict.PASS]) == Verdict.PASS
    assert worst([]) == Verdict.INCONCLUSIVE


def test_a_judgement_is_plain_json():
    assert skill(entry()).as_document() == {
        "verdict": "PASS",
        "value": 0.9,
        "threshold": 0.95,
        "bound": 0.95,
        "n": 240,
        "n_days": 60,
        "words": "a true ratio of 0.925 or less passes four times out of five (standard error 0.030)",
    }


@pytest.mark.parametrize(("bound", "told"), [(-1e-9, "0.0"), (-1 / 3, "-0.333333"), (None, "None")])
def test_a_bound_has_six_decimals_and_no_zero_has_a_sign(bound, told):
    judged = _judgement({"n": 1, "n_days": 1}, bound=bound, verdict=Verdict.PASS, value=0.0, threshold=0.0, words="")
    assert str(judged.bound) == told
