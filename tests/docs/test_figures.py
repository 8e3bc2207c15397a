"""Figures that the docs derive, derived again: shares by the exact binomial distribution."""

import numpy as np
import pytest
from scipy.stats import binom

from tests.docs.blocks import ROOT

EVALUATION = " ".join((ROOT / "docs/EVALUATION.md").read_text().split())
TOLERANCE, ONE_SIDED_95 = 0.02, 1.645


def passes(outcomes: int, in_standard_errors: float) -> float:
    """How often an interval that truly holds half of the outcomes is within the tolerance, bound included."""
    inside = np.arange(outcomes + 1)
    share = inside / outcomes
    bound = in_standard_errors * np.sqrt(share * (1 - share) / outcomes)
    within = np.abs(share - 0.5) + bound <= TOLERANCE + 1e-12
    return float(binom.pmf(inside, outcomes, 0.5)[within].sum())


def test_how_often_a_perfect_interval_passes_the_literal_rule():
    told = ", ".join(f"{100 * passes(outcomes, 0.0):.0f}" for outcomes in (42, 84, 252, 1008))
    assert f"passes the literal rule {told} % of the time with 42, 84, 252, 1008" in EVALUATION


def test_what_proven_agreement_takes():
    assert passes(1691, ONE_SIDED_95) == 0.0 < passes(1692, ONE_SIDED_95)
    assert passes(3361, ONE_SIDED_95) == pytest.approx(0.5, abs=0.02)
    assert "`equivalence` never passes below 1,692 outcomes, and half of the time at 3,361" in EVALUATION


def test_what_the_skill_thresholds_ask():
    asked = [f"{100 * (1 - threshold**2):.3g} %" for threshold in (0.95, 0.97)]
    assert f"0.95 wants R2 of {asked[0]} and 0.97 wants {asked[1]}" in EVALUATION
