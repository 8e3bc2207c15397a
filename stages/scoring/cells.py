"""Scores for people and for analysis: what `metrics.json` keeps, and table `Cells` with every cell.

A document that is read in a pull request holds what the run states: pooled scores of every method, and single cells of
the stated one. The table holds the cells of all methods and the clock times of the stated one, a figure a row; tests
stand beside other figures by names like `dm_p_better`, the counts of the PIT as `pit_1` to `pit_4`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from stages.scoring.entries import Document
from stages.scoring.losses import VERSIONS
from stages.scoring.metrics import CELL, COUNTS
from stages.tables.scores import ALL_DAY, Cells

OF_CELL = ("symbol", *CELL, "snapshot_et", *COUNTS, "n_days", "unmoved")
OF_FIGURE = ("metric", "version", "value", "low", "high", "se", "floor")
Row = tuple[Any, ...]


def stated_scores(scores: Mapping[str, Any], method: str) -> Document:
    """What `metrics.json` keeps of the scores: all pooled ones, and the cells of the stated method."""
    return {"pooled": scores["pooled"], "cells": [one for one in scores["cells"] if one["method"] == method]}


def cell_table(entries: Mapping[str, Any]) -> pl.DataFrame:
    """Table `Cells` of some scores."""
    types = {name: column.dtype for name, column in Cells.columns().items()} | {"cell": pl.UInt32}
    every = [{"snapshot_et": ALL_DAY} | entry for entry in (*entries["cells"], *entries["by_snapshot"])]
    rows = [(at, *row) for at, entry in enumerate(every) for version in VERSIONS for row in _figures(entry, version)]
    figures = pl.DataFrame(rows, {name: types[name] for name in ("cell", *OF_FIGURE)}, orient="row")
    cells = pl.DataFrame(every, {name: types[name] for name in OF_CELL})
    return Cells.of(pl.concat([figures, cells[figures["cell"]]], how="horizontal"))


def _figures(entry: Document, version: str) -> Iterator[Row]:
    """Every figure of one version of a cell, in the order of `OF_FIGURE`."""
    for name, versions in entry["metrics"].items():
        figure = versions[version]
        low, high = figure["ci"] or (None, None)
        yield name, version, figure["value"], low, high, figure["se"], figure.get("floor")
    pit = entry["pit"][version]
    alone = {
        "ties": entry["ties"][version],
        **{f"dm_{name}": value for name, value in entry["dm"][version].items()},
        **{f"pit_{name}": value for name, value in pit.items() if name != "counts"},
        **{f"pit_{quarter}": many for quarter, many in enumerate(pit["counts"], start=1)},
    }
    for name, value in alone.items():
        yield name, version, value, None, None, None, None
