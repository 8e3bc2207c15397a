"""All scores of one symbol, with only its rows in memory, and the documents that say them of all symbols together.

*Time*: rows of the search span; bars are only looked up by the controls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.controls import ControlScores, control_scores, controls
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document
from stages.scoring.free import FreeScores, free_scores, free_together
from stages.scoring.metrics import PartScores, part_scores, scores_together
from stages.scoring.tournament import hits_by_session, hits_together, relative_losses, tournament
from stages.scoring.training import Sides, scores_by_side, training_together

Oracle = Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], pl.DataFrame]  # of forecasts and bars by symbol


@dataclass(frozen=True, eq=False)
class SymbolScores:
    """What one symbol adds to each document."""

    asked: PartScores
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
        return SymbolScores(
            asked=part_scores(forecasts, params, stated.method),
            free=free_scores(forecasts, free, params, stated),
            by_side=scores_by_side(forecasts, free, self.until, params, stated),
            controls=control_scores(forecasts, ends, known, plant),
            losses=relative_losses(forecasts, params.choose_calibration),
            hits=hits_by_session(forecasts),
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """The documents of all symbols."""

    metrics: Document
    free: list[Document]
    trained: Document
    controls: Document
    proposed: Document
    hits: pl.DataFrame

    @classmethod
    def of(cls, parts: Sequence[SymbolScores], params: GatesParams, until: date | None, asked: Sequence[str]) -> Self:
        """From the symbols in their order; `asked` are the makers of the asked forecasts."""
        metrics = scores_together([one.asked for one in parts], params)
        return cls(
            metrics=metrics,
            free=free_together([one.free for one in parts], params),
            trained=training_together([one.by_side for one in parts], until, asked, params),
            controls=controls([one.controls for one in parts], params),
            proposed=tournament((one.losses for one in parts), metrics, params),
            hits=hits_together(one.hits for one in parts),
        )
