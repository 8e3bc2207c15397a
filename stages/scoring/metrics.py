"""Metrics of the asked model's forecasts, as answered and as calibrated, with their uncertainty.

*Tables*: a document with three lists: `cells` (symbol, history, horizon, method), `by_snapshot` (the same by clock
time, for the stated method, without bounds) and `pooled` (over symbols; relative errors as geometric means). Each entry
names its scope and holds `n`, `n_days`, `n_void`, `n_uncalibrated`, `n_crossed`, `unmoved` (share of outcomes that are
exactly 0) and by version `ties` (share exactly on one of the five quantiles), per metric and version `value`, `ci` and
`se`, then `dm` (against persistence) and `pit`. A pooled entry also counts `n_symbols` and, of those, the
`n_symbols_unmoved` whose outcomes never moved and which no relative error includes. `by_symbol.py` says which file
keeps what.
*Time*: rows that are void or not calibrated yet are counted, not scored.
*Units*: as in `figures.py`. `ci` is the pair of one-sided bootstrap bounds at `gates.skill_confidence`, `se` the
deviation of the draws, and a relative error's `floor` its lower bound at `gates.worse_confidence`: all null below
`gates.min_ci_days` days, and where some draw lacks the figure (`inference.py`). No p is written as less than 1e-6.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.figures import DaySums, RunningSums, mean_pinball
from stages.scoring.losses import COLUMNS, VERSIONS, elementary_losses
from stages.scoring.metric_entries import Document, entries
from stages.tables.forecasts import BENCHMARK

Parts = Iterable[pl.DataFrame]  # each holds all forecasts of some symbols; no symbol is in two
CELL = ["history_days", "horizon_min", "method"]
SCOPES = {"cells": ["symbol", *CELL], "by_snapshot": ["symbol", *CELL, "snapshot_et"], "pooled": CELL}
BENCHMARK_PINBALL = [COLUMNS[version].format("benchmark_pinball") for version in VERSIONS]
COUNTS = ("n", "n_void", "n_uncalibrated", "n_crossed")
FORECAST = ["symbol", "snapshot_utc", "horizon_min", "history_days", "method"]


@dataclass(frozen=True)
class PartScores:
    """The entries of some symbols by scope, and the cells of which pooled entries are made."""

    entries: Mapping[str, list[Document]]
    cells: Sequence[tuple[Document, DaySums]]


def score(forecasts: Parts, params: GatesParams, method: str) -> Document:
    """Every metric of the asked model at every scope; `method` is the stated calibration."""
    together = RunningScores()
    for part in forecasts:
        together.add(part_scores(part, params, method))
    return together.document(params)


def part_scores(part: pl.DataFrame, params: GatesParams, method: str) -> PartScores:
    """The scores of some symbols; entries by clock time only for the stated calibration, without bounds."""
    asked = _with_benchmark(part)
    cells, clocks = _cells(asked, SCOPES["cells"]), _cells(asked.filter(method=method), SCOPES["by_snapshot"])
    return PartScores(
        {
            "cells": _entries(cells, params, with_bounds=True),
            "by_snapshot": _entries(clocks, params, with_bounds=False),
        },
        cells,
    )


def pooled_scores(part: pl.DataFrame) -> PartScores:
    """The scores of some symbols without entries, for documents of pooled figures only."""
    return PartScores({}, _cells(_with_benchmark(part), SCOPES["cells"]))


@dataclass
class RunningScores:
    """The entries so far, and the running counts and sums of each pooled cell."""

    entries: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    pooled: dict[tuple[Any, ...], tuple[Document, RunningSums]] = field(default_factory=dict)

    def add(self, part: PartScores) -> None:
        """Add the scores of some symbols."""
        for scope, entries_of_part in part.entries.items():
            self.entries[scope] += entries_of_part
        for cell, sums in part.cells:
            none = {key: cell[key] for key in CELL} | dict.fromkeys(COUNTS, 0)
            pooled, total = self.pooled.setdefault(itemgetter(*CELL)(cell), (none, RunningSums()))
            pooled |= {count: pooled[count] + cell[count] for count in COUNTS}
            total.add(sums)

    def document(self, params: GatesParams) -> Document:
        """The entries of all parts, and those over all symbols."""
        pooled = [_pooled(cell, sums.total, params) for cell, sums in self.pooled.values()]
        found = self.entries | {"pooled": pooled}
        return {scope: sorted(found.get(scope, []), key=itemgetter(*keys)) for scope, keys in SCOPES.items()}


def asked_rows(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the asked model: all except the benchmark's, unless the benchmark itself was asked."""
    others = forecasts.filter(pl.col("model") != BENCHMARK)
    return forecasts if others.is_empty() else others


def _entries(cells: Sequence[tuple[Document, DaySums]], params: GatesParams, *, with_bounds: bool) -> list[Document]:
    scored = entries([sums for _, sums in cells], params, with_bounds=with_bounds)
    return [cell | entry for (cell, _), entry in zip(cells, scored, strict=True)]


def _pooled(cell: Document, sums: DaySums, params: GatesParams) -> Document:
    """One cell over all symbols, from its counts and sums."""
    symbols = {"n_symbols": sums.n_symbols, "n_symbols_unmoved": sums.n_symbols_unmoved}
    return cell | symbols | entries([sums], params, with_bounds=True)[0]


def _with_benchmark(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the asked model, with the benchmark's pinball loss on the same question in each version."""
    benchmark = forecasts.filter(pl.col("model") == BENCHMARK, ~pl.col("void"), "calibrated")
    lost = zip(BENCHMARK_PINBALL, mean_pinball(elementary_losses(benchmark)), strict=True)
    answers = benchmark.select(*FORECAST, *(pl.Series(name, pinball) for name, pinball in lost))
    return asked_rows(forecasts).join(answers, on=FORECAST, how="left")


def _cells(asked: pl.DataFrame, keys: list[str]) -> list[tuple[Document, DaySums]]:
    """Each cell in order: its name and counts, and its sums (possibly of no day)."""
    rows = asked.sort(*keys, "snapshot_utc")
    is_void, is_calibrated = pl.col("void"), pl.col("calibrated")
    counts = (~is_void & is_calibrated, is_void, ~is_void & ~is_calibrated, pl.col("crossed"))
    named = (count.sum().alias(name) for name, count in zip(COUNTS, counts, strict=True))
    counted = rows.group_by(keys, maintain_order=True).agg(named)
    scored = rows.filter(~is_void & is_calibrated)
    losses = elementary_losses(scored) | {"benchmark_pinball": scored.select(BENCHMARK_PINBALL).to_numpy().T}
    sums = DaySums.of_cells(losses, scored["session"].to_physical().to_numpy(), counted["n"].to_numpy())
    return list(zip(counted.iter_rows(named=True), sums, strict=True))
