"""Symbols scored one by one add up to the documents of all symbols at once."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from stages.scoring.by_symbol import Scores, ScoreSymbol, cell_table
from stages.scoring.metrics import score
from stages.scoring.tournament import coverage_by_time, reliability
from stages.tables.contract import UTC_MICROSECONDS, unpacked
from stages.tables.forecasts import QUANTILES
from tests.scoring.in_parts import controls, free_scores, hits_by_clock, propose, scores_by_training
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, as_answered, stated, with_truth
from tests.scoring.test_controls import random_walk
from tests.scoring.test_free import pair

SOURCES, UNTIL = ["local:simulated"], FIRST_DAY + timedelta(days=5)


def planted(rows: pl.DataFrame, _: Mapping[str, pl.DataFrame] = {}) -> pl.DataFrame:
    """An oracle that knows nothing."""
    expected = {"planted_bp": 0.0, "on_tick_bp": 0.0, "oracle_mae_bp": 1.0, "persistence_mae_bp": 1.0}
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


def test_coverage_by_time_is_of_the_stated_history_alone():
    """Twelve days at four clock times; answers from a shorter history lie a thousand bp off and cover nothing."""
    asked = as_answered(with_truth(12))
    astray = [(pl.col(name) + 1000.0).alias(name) for name in (*QUANTILES, *(f"raw_{name}" for name in QUANTILES))]
    both = pl.concat([asked, asked.with_columns(*astray, history_days=pl.lit(20, pl.Int32))])
    ends = pl.DataFrame(schema={"key": pl.String, "end_utc": UTC_MICROSECONDS})
    hits = ScoreSymbol(GATES, stated("A"), None, None)("A", both, both.clear(), None, ends).hits

    own = asked.filter(model="asked").with_columns(inside=pl.col("y_bp").is_between("q25", "q75"))
    share = own.group_by("snapshot_et").agg(pl.col("inside").mean().round(6)).sort("snapshot_et")["inside"]
    table = coverage_by_time(hits)
    assert table["n"].to_list() == [12] * 4
    assert table["calibrated"].to_list() == table["raw"].to_list() == share.to_list()
    assert reliability(hits)["n"].to_list() == [48] * 5
