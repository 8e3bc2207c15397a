"""Symbols scored one by one add up to the documents of all symbols at once."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from stages.scoring.by_symbol import Scores, ScoreSymbol, cell_table
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time
from stages.tables.contract import unpacked
from tests.scoring.in_parts import controls, free_scores, hits_by_clock, propose, scores_by_training
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, stated
from tests.scoring.test_controls import random_walk
from tests.scoring.test_free import pair

SOURCES, UNTIL = ["local:simulated"], FIRST_DAY + timedelta(days=5)


def planted(rows: pl.DataFrame, _: Mapping[str, pl.DataFrame] = {}) -> pl.DataFrame:
    """An oracle that knows nothing."""
    expected = {"planted_bp": 0.0, "oracle_mae_bp": 1.0, "persistence_mae_bp": 1.0}
    return rows.select("symbol", "snapshot_utc", "horizon_min").unique().with_columns(**expected)


def test_every_document_is_that_of_all_symbols_at_once():
    asked, free = pair(12)
    ends = asked.drop_nulls("key").select("key", end_utc=pl.col("snapshot_utc") - pl.duration(minutes=1))
    bars = {"A": random_walk("A", asked["session"].unique().to_list())}  # none are there of the other
    work = ScoreSymbol(GATES, stated(), UNTIL, planted)
    parts = [work(one, *(rows.filter(symbol=one) for rows in (asked, free)), bars.get(one), ends) for one in "AB"]

    found, metrics = Scores.of(parts, GATES, UNTIL, SOURCES), score([asked], GATES, METHOD)

    assert found.metrics == metrics | {"by_snapshot": []}, "which stand in the table of cells"
    assert found.free == free_scores([(asked, free)], GATES, stated())
    assert found.trained == scores_by_training([(asked, free)], UNTIL, SOURCES, GATES, stated())
    assert found.controls == controls([asked], ends.iter_rows(), bars, GATES, planted)
    assert found.proposed == propose([asked], metrics, GATES)
    assert_frame_equal(coverage_by_time(found.hits), coverage_by_time(hits_by_clock([asked])), check_exact=True)
    assert_frame_equal(pl.concat(map(unpacked, found.cells)), cell_table(metrics), check_row_order=False)
