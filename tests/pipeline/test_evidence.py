"""The artificial market, whose truth is known, as evidence: what is there is found in time, and nothing is invented."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.tables.forecasts import BENCHMARK
from stages.worth.day_values import compare, day_values
from stages.worth.evidence import Floats, log_e_values
from stages.worth.verdict import State, Terms, judge

TERMS = Terms(delta=0.03, alpha=0.05, prior_studies=0, min_days=10, planned_sessions=120, s0=0.05)
pytestmark = pytest.mark.journey  # the default run, made anew where the code changed


def days_of(home: Path, symbol: str) -> Floats:
    """Day values of the asked forecaster against calibrated persistence, at 10 minutes."""
    calibrated = pl.read_parquet(home / "artifacts/seal/search/calibrated.parquet").filter(method="cqr")
    is_benchmark = pl.col("model") == BENCHMARK
    compared = compare(calibrated.filter(~is_benchmark), calibrated.filter(is_benchmark))
    return day_values(compared.questions, "shape_calibrated", [symbol], 10).table["x"].to_numpy()


@pytest.mark.parametrize(
    ("symbol", "state", "day"),
    [("STRONG", State.WORTH_IT, 10), ("WEAK", State.WORTH_IT, 41), ("NULL", State.NOT_WORTH_IT, 31)],
)
def test_the_artificial_market_is_judged_as_it_was_made(default_run, symbol: str, state: State, day: int):
    x = days_of(default_run.path, symbol)
    found = judge(x, TERMS)
    assert (found.state, found.days) == (state, day)
    if state is State.NOT_WORTH_IT:
        assert log_e_values(x, 0.0, TERMS.s0).max() < np.log(TERMS.threshold)
