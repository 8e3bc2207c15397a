"""A gate as one comparison: what was measured, what was needed, what is sure, and why a strange PASS is one."""

import pytest

from stages.reporting.compare import verdicts
from stages.reporting.gates import GATES, comparison, gates
from stages.reporting.skill import controls
from stages.reporting.verdict import GATES as IN_THE_HEAD
from stages.trading.gates import TRADING
from tests.reporting.records import config, forecast_gates, record
from tests.reporting.records import controls as proofs
from tests.reporting.records import gates as judged

MINUS = "\N{MINUS SIGN}"


WORSE = "worse than persistence: the true ratio is above 1.002 with 99 % confidence"


def gate(value: float | None, threshold: float, bound: float | None = None, verdict: str = "PASS") -> dict:
    return {"value": value, "threshold": threshold, "bound": bound, "n": 272, "n_days": 69, "verdict": verdict,
            "words": "a sentence", "required": True}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "one", "told"),
    [
        ("controls", gate(4, 4), "4 = 4"),
        ("controls", gate(3, 4), "3 ≠ 4"),
        ("oos_sharpe", gate(23.449, 0.5, 18.078), "23.449 ≥ 0.5; 90 % sure: ≥ 18.078, needs > 0"),
        ("oos_sharpe", gate(2.0, 0.5, -1.5), f"2 ≥ 0.5; 90 % sure: ≥ {MINUS}1.5, needs > 0"),
        ("oos_sharpe", gate(None, 0.5), "needs ≥ 0.5"),
        ("hit_rate", gate(0.4, 0.48, 0.3), "0.4 < 0.48; 90 % sure: ≥ 0.3"),
        ("rmae", gate(0.676, 0.95, 0.726), "0.676 < 0.95; 95 % sure: ≤ 0.726, needs < 1"),
        ("rmae", gate(1.017, 0.95, 1.002) | {"words": WORSE}, "1.017 ≥ 0.95; 99 % sure: ≥ 1.002, fails > 1"),
        ("coverage", gate(0.515, 0.02, -0.035), "0.015 ≤ 0.02; 95 % sure: ≥ 0, fails > 0.02"),
        ("coverage", gate(0.592, 0.02, 0.044), "0.092 > 0.02; 95 % sure: ≥ 0.044, fails > 0.02"),
        ("rmae", gate(0.94996, 0.95, 0.99981), "0.94996 < 0.95; 95 % sure: ≤ 0.9998, needs < 1"),
        ("oos_sharpe", gate(0.4998, 0.5, 0.0002), "0.4998 < 0.5; 90 % sure: ≥ 0.0002, needs > 0"),
        ("fdr", gate(0.10004, 0.1), "0.10004 > 0.1"),
        ("fdr", gate(0.966, 0.1), "0.966 > 0.1"),
        ("fdr", gate(0.00001, 0.1), "< 0.001, needs ≤ 0.1"),
    ],
)
def test_value_threshold_and_bound_read_as_one_comparison(name, one, told):
    assert comparison(record(), name, one) == told


@pytest.mark.parametrize(
    ("name", "one", "told"),
    [
        ("coverage", gate(0.51, 0.02, 0.01), "0.01 ≤ 0.02; 50 % sure: ≤ 0.01, needs ≤ 0.02"),
        ("coverage", gate(0.51, 0.02, 0.03), "0.01 ≤ 0.02; 50 % sure: ≤ 0.03, needs ≤ 0.02"),
        ("rmae", gate(1.005, 1.5, 1.004), "1.005 < 1.5; 50 % sure: ≤ 1.004, needs < 1"),
    ],
)
def test_a_bound_of_low_confidence_stays_on_its_side(name, one, told):
    """At 50 % an upper bound is about the value itself: it is no lower bound at another confidence."""
    even = {"coverage_rule": "equivalence", "coverage_confidence": 0.5, "skill_confidence": 0.5}
    assert comparison(record(config=config() | {"gates": config()["gates"] | even}), name, one) == told


@pytest.mark.parametrize(("confidence", "told"), [(0.975, "97.5 % sure"), (0.999, "99.9 % sure")])
def test_a_stated_confidence_is_reported_as_stated(confidence, told):
    stated = config()["gates"] | {"oos_sharpe_confidence": confidence}
    said = comparison(record(config=config() | {"gates": stated}), "hit_rate", gate(0.4, 0.48, 0.3))
    assert said == f"0.4 < 0.48; {told}: ≥ 0.3"


def test_where_no_symbol_may_trade_by_params_there_is_no_empty_table():
    assert [grid.caption[:9] for grid in gates(record(gates=judged() | {"cells": {}})).grids] == ["The gates"]


def words_of(coverage: dict) -> str:
    cell = judged()["cells"]["STRONG"]
    one = judged() | {"cells": {"STRONG": cell | {"gates": {"coverage": coverage}}}}
    ((*_, words),) = (row.cells for row in gates(record(gates=one)).grids[1].rows)
    return words


def test_a_coverage_that_passes_beyond_its_threshold_says_why():
    assert words_of(gate(0.463, 0.02, -0.018)) == (
        "Passes although it is off by more than 0.02: only a distance surely larger than that fails, and the true "
        "one may be as small as 0. Covers 0.463: a sentence"
    )


@pytest.mark.parametrize("one", [gate(0.515, 0.02, -0.035), gate(0.592, 0.02, 0.044, "FAIL")])
def test_a_verdict_that_follows_from_the_numbers_needs_no_excuse(one):
    assert "Passes although" not in words_of(one)


def test_every_gate_has_its_words_on_the_page():
    """Add them to `GATES` of stages/reporting/gates.py, and of verdict.py where the gate is one of the book."""
    of_the_book, of_a_cell = judged()["gates"], forecast_gates()["cells"][0]["gates"]
    assert set(of_the_book) == {"controls", "forecast", *TRADING} == set(IN_THE_HEAD)
    assert set(GATES) == {*of_the_book, *of_a_cell}


NEW = {"new": gate(0.9, 0.95)}


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        (gates, lambda: {"gates": judged() | {"gates": judged()["gates"] | NEW}}),
        (gates, lambda: {"gates": judged() | {"cells": {"STRONG": judged()["cells"]["STRONG"] | {"gates": NEW}}}}),
        (controls, lambda: {"metrics": {"controls": proofs() | NEW}}),
        (lambda one: verdicts({"this": one}), lambda: {"gates": judged() | {"gates": judged()["gates"] | NEW}}),
    ],
    ids=["gate of the book", "gate of a cell", "control", "two runs"],
)
def test_what_was_judged_is_never_left_out_for_lack_of_words(section, changed):
    """A page that shows PASS only, and not what failed, would be read as PASS."""
    with pytest.raises(KeyError, match="new"):
        section(record(**changed()))
