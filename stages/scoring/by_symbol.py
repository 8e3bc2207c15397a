"""All scores of one symbol, with only its rows in memory, and the documents for all symbols together.

`metrics.json`, which is read in pull requests, holds pooled scores of every method, and single cells of the stated one.
Table `Cells` holds the cells of all methods and the clock times of the stated one, one figure a row. Tests are figures
named like `dm_p_better`; the counts of the PIT are `pit_1` to `pit_4`.

A model that was trained on the days it is judged on may remember them. So a date in `forecaster.trained_until` splits
the search span, and every score is also computed for the days up to it and for those after it.

*Tables*: `trained` of `metrics.json` is `{until, before, after}`. `until` is a date, `never` (this project's own
forecasters are not trained), or null (unknown); `before` and `after` hold `pooled` and `cells` of the stated method and
`free`, in the form of `metrics.py` and `free.py`, and are null without a date.
*Time*: rows of the search span; the day `until` itself is in `before`. Only the controls look up bars.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Self

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.controls import ControlScores, control_scores, controls
from stages.scoring.discoveries import Stated
from stages.scoring.free import FreeScores, RunningFree, free_scores
from stages.scoring.losses import VERSIONS
from stages.scoring.metric_entries import Document
from stages.scoring.metrics import CELL, COUNTS, PartScores, RunningScores, part_scores
from stages.scoring.tournament import hits_by_clock, relative_losses, tournament
from stages.tables.contract import packed
from stages.tables.forecasts import NEVER, is_untrained
from stages.tables.scores import ALL_DAY, Cells

Oracle = Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], pl.DataFrame]  # of forecasts and bars by symbol

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


BOTH = ("before", "after")
Sides = Mapping[str, tuple[PartScores, FreeScores]]


def scores_by_side(
    asked: pl.DataFrame, free: pl.DataFrame, until: date | None, params: GatesParams, stated: Stated
) -> Sides:
    """Scores of some symbols on the days up to `until` and on those after it; empty without a date."""
    if until is None:
        return {}
    sides = dict(zip(BOTH, (pl.col("session") <= until, pl.col("session") > until), strict=True))
    return {
        side: (
            part_scores(asked.filter(days, method=stated.method), params, stated.method),
            free_scores(asked.filter(days), free.filter(days), params, stated),
        )
        for side, days in sides.items()
    }


@dataclass
class RunningTraining:
    """The running scores of each side."""

    sides: dict[str, tuple[RunningScores, RunningFree]] = field(
        default_factory=lambda: {side: (RunningScores(), RunningFree()) for side in BOTH}
    )

    def add(self, part: Sides) -> None:
        """Add the scores of some symbols."""
        for side, (asked, free) in part.items():
            self.sides[side][0].add(asked)
            self.sides[side][1].add(free)

    def document(self, until: date | None, sources: Sequence[str], params: GatesParams) -> Document:
        """`trained` of `metrics.json`; `sources` are the makers of the asked forecasts."""
        if until is None:
            return {"until": NEVER if is_untrained(sources) else None} | dict.fromkeys(BOTH)
        return {"until": str(until)} | {side: _document(*both, params) for side, both in self.sides.items()}


def _document(asked: RunningScores, free: RunningFree, params: GatesParams) -> Document:
    scores = asked.document(params)
    return {"pooled": scores["pooled"], "cells": scores["cells"], "free": free.document(params)}


@dataclass(frozen=True, eq=False)
class SymbolScores:
    """What one symbol adds to each document, and its part of table `Cells`, packed."""

    asked: PartScores
    cells: bytes
    free: FreeScores
    by_side: Sides
    controls: ControlScores
    losses: pl.DataFrame
    hits: pl.DataFrame


@dataclass(frozen=True)
class ScoreSymbol:
    """Scores a symbol. `oracle`, which only an artificial market has, becomes one of the controls."""

    params: GatesParams
    stated: Stated
    until: date | None
    oracle: Oracle | None

    def __call__(
        self, symbol: str, forecasts: pl.DataFrame, free: pl.DataFrame, bars: pl.DataFrame | None, ends: pl.DataFrame
    ) -> SymbolScores:
        """Tables `Scored` of the asked and the free forecasts, `Bars`, and the last bar that each question sent."""
        params, stated = self.params, self.stated
        known = {} if bars is None else {symbol: bars}
        plant = self.oracle(forecasts, known) if self.oracle else None
        asked = part_scores(forecasts, params, stated.method)
        return SymbolScores(
            asked=replace(asked, entries={"cells": asked.entries["cells"]}),
            cells=packed(cell_table(asked.entries)),
            free=free_scores(forecasts, free, params, stated),
            by_side=scores_by_side(forecasts, free, self.until, params, stated),
            controls=control_scores(forecasts, ends, known, plant),
            losses=relative_losses(forecasts, params.choose_calibration),
            hits=hits_by_clock(forecasts.filter(history_days=stated.history_days)),
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """The documents of all symbols, and the parts of table `Cells`."""

    metrics: Document
    cells: Sequence[bytes]
    free: list[Document]
    trained: Document
    controls: Document
    proposed: Document
    hits: pl.DataFrame

    @classmethod
    def of(cls, parts: Iterable[SymbolScores], params: GatesParams, until: date | None, asked: Sequence[str]) -> Self:
        """From the symbols in their order; `asked` are the makers of the asked forecasts."""
        together, free, trained = RunningScores(), RunningFree(), RunningTraining()
        kept = []
        for part in parts:
            together.add(part.asked)
            free.add(part.free)
            trained.add(part.by_side)
            kept.append((part.cells, part.controls, part.losses, part.hits))
        cells, proofs, losses, hits = zip(*kept, strict=True)
        metrics = together.document(params)
        return cls(
            metrics=metrics,
            cells=cells,
            free=free.document(params),
            trained=trained.document(until, asked, params),
            controls=controls(proofs, params),
            proposed=tournament(losses, metrics, params),
            hits=pl.concat(hits),
        )
