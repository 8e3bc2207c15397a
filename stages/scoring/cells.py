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

OF_CELL = ("symbol", *CELL, *COUNTS, "n_days", "unmoved")


def stated_scores(scores: Mapping[str, Any], method: str) -> Document:
    """What `metrics.json` keeps of the scores: all pooled ones, and the cells of the stated method."""
    return {"pooled": scores["pooled"], "cells": [one for one in scores["cells"] if one["method"] == method]}


def cell_table(entries: Mapping[str, Any]) -> pl.DataFrame:
    """Table `Cells` of some scores."""
    types = {name: column.dtype for name, column in Cells.columns().items()}
    rows = [row for entry in (*entries["cells"], *entries["by_snapshot"]) for row in _rows(entry)]
    return Cells.of(pl.DataFrame(rows, types))


def _rows(entry: Document) -> Iterator[Document]:
    """The rows of one cell."""
    cell = {name: entry[name] for name in OF_CELL} | {"snapshot_et": entry.get("snapshot_et", ALL_DAY)}
    for version in VERSIONS:
        for metric, figure in _figures(entry, version):
            yield cell | {"metric": metric, "version": version} | figure


def _figures(entry: Document, version: str) -> Iterator[tuple[str, Document]]:
    """Every figure of a version, by name."""
    for name, versions in entry["metrics"].items():
        figure = versions[version]
        low, high = figure["ci"] or (None, None)
        yield (
            name,
            {"value": figure["value"], "low": low, "high": high, "se": figure["se"], "floor": figure.get("floor")},
        )
    pit = entry["pit"][version]
    alone = {
        "ties": entry["ties"][version],
        **{f"dm_{name}": value for name, value in entry["dm"][version].items()},
        **{f"pit_{name}": value for name, value in pit.items() if name != "counts"},
        **{f"pit_{quarter}": many for quarter, many in enumerate(pit["counts"], start=1)},
    }
    for name, value in alone.items():
        yield name, {"value": value}
