"""All scores of one symbol, with only its rows in memory, and the documents that say them of all symbols together.

*Time*: rows of the search span; bars are only looked up by the controls.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.cells import cell_table
from stages.scoring.controls import ControlScores, control_scores, controls
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document
from stages.scoring.free import FreeScores, FreeTogether, free_scores
from stages.scoring.metrics import PartScores, ScoresTogether, part_scores
from stages.scoring.tournament import hits_by_clock, relative_losses, tournament
from stages.scoring.training import Sides, TrainingTogether, scores_by_side
from stages.tables.contract import packed

Oracle = Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], pl.DataFrame]  # of forecasts and bars by symbol


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
    """Scores a symbol. `oracle` answers for an artificial market, and is then one of the controls."""

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
            hits=hits_by_clock(forecasts),
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
        together, free, trained = ScoresTogether(), FreeTogether(), TrainingTogether()
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
