"""`metrics.json` keeps pooled scores and the stated method's cells; `cells.parquet` every figure of every cell."""

import json

import polars as pl
import pytest

from stages.io.files import read_table, write_table_parts
from stages.scoring.by_symbol import cell_table, stated_scores
from stages.scoring.metrics import score
from stages.tables.forecasts import QUANTILES
from stages.tables.scores import ALL_DAY, Cells
from tests.scoring.simulated import GATES, METHOD, as_answered, by_every_method, with_truth

FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 50})
METHODS = ("identity", "widen", "cqr")


@pytest.fixture(scope="module")
def scores() -> dict:
    return score([by_every_method(with_truth(40, symbols=("A", "B"), r2=0.2), methods=METHODS)], FEW_DRAWS, "cqr")


@pytest.fixture(scope="module")
def table(scores) -> pl.DataFrame:
    return cell_table(scores)


def test_the_document_keeps_every_pooled_score_and_the_cells_of_the_stated_method(scores):
    kept = stated_scores(scores, "cqr")

    assert kept["pooled"] == scores["pooled"]
    assert [(one["symbol"], one["method"]) for one in kept["cells"]] == [("A", "cqr"), ("B", "cqr")]
    assert sorted(kept) == ["cells", "pooled"]


def test_the_table_holds_the_cells_of_all_methods_and_the_clock_times_of_the_stated_one(table):
    times = table.group_by("snapshot_et").agg(pl.col("method").unique().sort()).sort("snapshot_et")

    assert dict(times.iter_rows()) == {
        "09:45": ["cqr"], "10:30": ["cqr"], "13:30": ["cqr"], "14:45": ["cqr"], ALL_DAY: sorted(METHODS),
    }  # fmt: skip
    assert table["symbol"].unique().sort().to_list() == ["A", "B"]


def test_two_outcomes_by_hand_stand_in_the_table_figure_by_figure():
    # Outcomes 3 and -6 against q = -4, -1, 1, 2, 5: the median misses by 2 and 7, persistence by 3 and 6.
    quantiles = {name: pl.lit(q) for name, q in zip(QUANTILES, (-4.0, -1, 1, 2, 5), strict=True)}
    frame = with_truth(2, clocks=("10:30",), models=("asked",)).with_columns(
        pl.Series("y_bp", [3.0, -6.0]), **quantiles
    )
    found = cell_table(score([as_answered(frame)], FEW_DRAWS, METHOD)).filter(snapshot_et=ALL_DAY)
    calibrated = dict(found.filter(version="calibrated").select("metric", "value").iter_rows())

    assert (calibrated["rmae"], calibrated["mae_bp"], calibrated["sharpness_90_bp"]) == (1.0, 4.5, 9.0)
    assert [calibrated[f"pit_{quarter}"] for quarter in (1, 2, 3, 4)] == [1, 0, 0, 1]
    assert (calibrated["ties"], calibrated["dm_statistic"]) == (0.0, 0.0)
    assert found.select("n", "n_days", "n_void", "n_uncalibrated", "n_crossed").unique().rows() == [(2, 2, 0, 0, 0)]
    assert found["low"].null_count() == found.height, "two days give no bound"


def test_a_bound_stands_under_its_name(scores, table):
    (cell,) = (one for one in scores["cells"] if (one["symbol"], one["method"]) == ("B", "identity"))
    row = table.filter(symbol="B", method="identity", snapshot_et=ALL_DAY, metric="rmae", version="raw").row(
        0, named=True
    )
    figure = cell["metrics"]["rmae"]["raw"]

    assert [row["low"], row["high"]] == figure["ci"]
    assert (row["se"], row["floor"], row["n"], row["unmoved"]) == (figure["se"], figure["floor"], 160, cell["unmoved"])
    assert row["floor"] < row["low"] < row["value"] < row["high"]


def test_the_file_holds_what_was_scored_whatever_the_number_of_symbols(tmp_path, scores, table):
    path = tmp_path / "cells.parquet"
    write_table_parts(Cells, [cell_table(scores)], path)
    assert read_table(Cells, path).equals(table)

    write_table_parts(Cells, [cell_table({"cells": [], "by_snapshot": []})], path)
    assert pl.read_parquet(path).height == 0


def test_the_document_of_a_crowd_of_methods_is_no_larger_for_it(scores):
    alone = score([by_every_method(with_truth(40, symbols=("A", "B"), r2=0.2), methods=("cqr",))], FEW_DRAWS, "cqr")
    cells = [json.dumps(stated_scores(one, "cqr")["cells"]) for one in (scores, alone)]
    assert cells[0] == cells[1]
