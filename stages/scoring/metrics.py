"""Metrics of the asked model's forecasts, as answered and as calibrated, with their uncertainty.

*Tables*: a document with three lists: `cells` (symbol, history, horizon, method), `by_snapshot` (the same by clock
time, for the stated method, without bounds) and `pooled` (over symbols; relative errors as geometric means); `cells.py`
says which file keeps what. Each entry names its scope and holds `n`, `n_days`, `n_void`, `n_uncalibrated`, `n_crossed`,
`unmoved` (share of outcomes that are exactly 0) and by version `ties` (share exactly on one of the five quantiles), per
metric and version `value`, `ci` and `se`, then `dm` (against persistence) and `pit`. A pooled entry also counts
`n_symbols` and, of those, the `n_symbols_unmoved` whose outcomes never moved and which no relative error includes.
*Time*: rows that are void or not calibrated yet are counted, not scored.
*Units*: as in `figures.py`. `ci` is the pair of one-sided bootstrap bounds at `gates.skill_confidence`, `se` the
deviation of the draws, and a relative error's `floor` its lower bound at `gates.worse_confidence`: all null below
`gates.min_ci_days` days, and where some draw lacks the figure (`inference.py`). No p is written as less than 1e-6.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.gates import GatesParams
from stages.scoring.entries import Document, entries
from stages.scoring.figures import DaySums, LossRows
from stages.scoring.losses import VERSIONS, elementary_losses
from stages.tables.forecasts import BENCHMARK, LEVELS

Ints = NDArray[np.int64]
Parts = Iterable[pl.DataFrame]  # each holds all forecasts of some symbols; no symbol is in two
CELL = ["history_days", "horizon_min", "method"]
SCOPES = {"cells": ["symbol", *CELL], "by_snapshot": ["symbol", *CELL, "snapshot_et"], "pooled": CELL}
WITH_BOUNDS = ("cells", "pooled")
COUNTS = ("n", "n_void", "n_uncalibrated", "n_crossed")
FORECAST = ["symbol", "snapshot_utc", "horizon_min", "history_days", "method"]


@dataclass(frozen=True)
class PartScores:
    """The entries of some symbols by scope, and the cells of which pooled entries are made."""

    entries: Mapping[str, list[Document]]
    pooled: Sequence[tuple[Document, DaySums]]


def score(forecasts: Parts, params: GatesParams, method: str) -> Document:
    """Every metric of the asked model at every scope; `method` is the stated calibration."""
    together = ScoresTogether()
    for part in forecasts:
        together.add(part_scores(part, params, method))
    return together.document(params)


def part_scores(part: pl.DataFrame, params: GatesParams, method: str) -> PartScores:
    """The same of some symbols."""
    cells: dict[str, list[tuple[Document, DaySums]]] = {scope: [] for scope in SCOPES}
    for scope, cell, sums in _cells(part, method):
        cells[scope].append((cell, sums))
    pooled, found = cells.pop("pooled"), {}
    for scope, members in cells.items():
        scored = entries([sums for _, sums in members], params, with_bounds=scope in WITH_BOUNDS)
        found[scope] = [cell | entry for (cell, _), entry in zip(members, scored, strict=True)]
    return PartScores(found, pooled)


def pooled_scores(part: pl.DataFrame, method: str) -> PartScores:
    """The same without entries, for what is only told of all symbols together."""
    return PartScores({}, [(cell, sums) for scope, cell, sums in _cells(part, method) if scope == "pooled"])


@dataclass
class ScoresTogether:
    """The parts added up so far; the sums of a pooled cell are added as they come, and no part is kept."""

    entries: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    pooled: dict[tuple[Any, ...], tuple[Document, DaySums]] = field(default_factory=dict)

    def add(self, part: PartScores) -> None:
        """Add the scores of some symbols."""
        for scope, entries_of_part in part.entries.items():
            self.entries[scope] += entries_of_part
        for cell, sums in part.pooled:
            name = itemgetter(*CELL)(cell)
            if name in self.pooled:
                before, known = self.pooled[name]
                cell = before | {count: before[count] + cell[count] for count in COUNTS}
                sums = DaySums.of_all([known, sums])
            self.pooled[name] = cell, sums

    def document(self, params: GatesParams) -> Document:
        """The entries of all parts, and those over all symbols."""
        pooled = [_pooled(*one, params) for one in self.pooled.values()]
        found = self.entries | {"pooled": pooled}
        return {scope: sorted(found.get(scope, []), key=itemgetter(*keys)) for scope, keys in SCOPES.items()}


def asked_rows(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the asked model: all except the benchmark's, unless the benchmark itself was asked."""
    others = forecasts.filter(pl.col("model") != BENCHMARK)
    return forecasts if others.is_empty() else others


def _cells(forecasts: pl.DataFrame, method: str) -> Iterator[tuple[str, Document, DaySums]]:
    """The cells of all scopes with their sums; those without bounds are told for one calibration method only."""
    asked = asked_rows(forecasts).sort(FORECAST)
    scored = asked.filter(~pl.col("void"), "calibrated")
    losses = _with_benchmark(forecasts, scored)
    rows = LossRows.of(scored.select("symbol", "session").hstack(losses), losses.columns)
    places = scored.with_row_index("row")
    for scope, keys in SCOPES.items():
        told = pl.lit(True) if scope in WITH_BOUNDS else pl.col("method") == method
        for cell, members in _members(asked.filter(told), places.filter(told), keys):
            yield scope, cell, rows.by_day(members)


def _pooled(cell: Document, sums: DaySums, params: GatesParams) -> Document:
    """One cell over all symbols, from its counts and sums."""
    symbols = {"n_symbols": sums.n_symbols, "n_symbols_unmoved": sums.n_symbols_unmoved}
    return cell | symbols | entries([sums], params, with_bounds=True)[0]


def _with_benchmark(forecasts: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Losses of the scored rows, with the benchmark's pinball loss on the same questions."""
    benchmark = forecasts.filter(pl.col("model") == BENCHMARK, ~pl.col("void"), "calibrated")
    pinball = elementary_losses(benchmark).select(
        pl.mean_horizontal(f"{v}_pinball_{level:02d}" for level in LEVELS).alias(f"{v}_benchmark_pinball")
        for v in VERSIONS
    )
    answers = benchmark.select(FORECAST).hstack(pinball)
    beside = scored.select(FORECAST).join(answers, on=FORECAST, how="left", maintain_order="left")
    return elementary_losses(scored).hstack(beside.drop(FORECAST))


def _members(asked: pl.DataFrame, scored: pl.DataFrame, keys: list[str]) -> Iterator[tuple[Document, Ints]]:
    """Each cell of a scope in order: its name and counts, and the `row` numbers it scores (possibly none)."""
    counts = (
        ~pl.col("void") & pl.col("calibrated"),
        pl.col("void"),
        ~pl.col("void") & ~pl.col("calibrated"),
        pl.col("crossed"),
    )
    counted = asked.group_by(keys).agg(count.sum().alias(name) for name, count in zip(COUNTS, counts, strict=True))
    places = scored.group_by(keys).agg(pl.col("row").sort())
    for cell in counted.join(places, on=keys, how="left").sort(keys).iter_rows(named=True):
        members = np.array(cell.pop("row") or [], dtype=np.int64)
        yield cell, members
