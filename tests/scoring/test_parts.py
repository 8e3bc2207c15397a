"""Forecasts judged some symbols at a time are judged as all at once: no figure shows in which parts they came."""

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stages.scoring import figures
from stages.scoring.metrics import RunningScores, pooled_scores, score
from stages.scoring.tournament import coverage_by_time, reliability
from tests.scoring.in_parts import hits_by_clock, oracle_bound, propose
from tests.scoring.simulated import FIRST_DAY, GATES, by_every_method, with_truth

PARAMS = GATES.model_copy(update={"bootstrap_reps": 200})


@pytest.fixture(scope="module")
def whole() -> pl.DataFrame:
    """Three symbols, of which none has outcomes on every day."""
    day, begins, ends = pl.col("session"), FIRST_DAY + timedelta(days=7), FIRST_DAY + timedelta(days=70)
    rows = by_every_method(with_truth(80, symbols=("A", "B", "C"), r2=0.1))
    return rows.filter(pl.when(pl.col("symbol") == "A").then(day >= begins).otherwise(day < ends))


@pytest.fixture(scope="module", params=[["A", "BC"], ["A", "B", "C"]], ids=["two parts", "three parts"])
def parts(request, whole) -> list[pl.DataFrame]:
    return [whole.filter(pl.col("symbol").is_in(list(symbols))) for symbols in request.param]


def test_scores_and_the_proposed_calibration(whole, parts):
    at_once, apart, backwards = (score(frames, PARAMS, "cqr") for frames in ([whole], parts, parts[::-1]))
    assert backwards == apart == at_once
    assert max(entry["n_days"] for entry in apart["pooled"]) == 80
    assert propose(parts, apart, PARAMS) == propose([whole], at_once, PARAMS)


@pytest.mark.parametrize("added_at_once", [1, 2, 16])
def test_scores_over_all_symbols_need_no_entries_of_each(whole, parts, added_at_once, monkeypatch):
    monkeypatch.setattr(figures, "PARTS_AT_ONCE", added_at_once)
    together = RunningScores()
    for part in parts:
        together.add(pooled_scores(part))
    found = {scope: entries for scope, entries in together.document(PARAMS).items() if entries}
    assert found == {"pooled": score([whole], PARAMS, "cqr")["pooled"]}


def test_what_a_plot_shows(whole, parts):
    for shown in (reliability, coverage_by_time):
        assert_frame_equal(shown(hits_by_clock(parts)), shown(hits_by_clock([whole])), check_exact=True)


def test_the_oracle_bound_is_the_same_in_parts(whole, parts):
    def oracle(rows: pl.DataFrame) -> pl.DataFrame:
        expected = {"planted_bp": 0.0, "on_tick_bp": 0.0, "oracle_mae_bp": 1.0, "persistence_mae_bp": 1.0}
        return rows.select("symbol", "snapshot_utc", "horizon_min").unique().with_columns(**expected)

    assert oracle_bound(parts, oracle) == oracle_bound([whole], oracle)
