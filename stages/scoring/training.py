"""What the asked model may have seen: every score once more, for days up to its training's end and for days after it.

A model that was trained on the days it is judged on may remember them. A date in `forecaster.trained_until` splits the
search span there; without one nothing is split.

*Tables*: `{until, before, after}`: a date, `never` (this project's own forecasters are not trained), or null (unknown);
`before` and `after` hold `pooled` and `cells` of the stated method and `free`, in the form of `metrics.py` and
`free.py`, and are null where nothing is split.
*Time*: the day `until` itself lies before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document
from stages.scoring.free import FreeScores, FreeTogether, free_scores
from stages.scoring.metrics import PartScores, ScoresTogether, part_scores
from stages.tables.forecasts import NEVER, is_untrained

BOTH = ("before", "after")
Sides = Mapping[str, tuple[PartScores, FreeScores]]


def scores_by_side(
    asked: pl.DataFrame, free: pl.DataFrame, until: date | None, params: GatesParams, stated: Stated
) -> Sides:
    """Some symbols scored on both sides of the date; on none without one."""
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
class TrainingTogether:
    """The parts added up so far, on each side."""

    sides: dict[str, tuple[ScoresTogether, FreeTogether]] = field(
        default_factory=lambda: {side: (ScoresTogether(), FreeTogether()) for side in BOTH}
    )

    def add(self, part: Sides) -> None:
        """Add the scores of some symbols."""
        for side, (asked, free) in part.items():
            self.sides[side][0].add(asked)
            self.sides[side][1].add(free)

    def document(self, until: date | None, sources: Sequence[str], params: GatesParams) -> Document:
        """The document; `sources` are the makers of the asked forecasts."""
        if until is None:
            return {"until": NEVER if is_untrained(sources) else None} | dict.fromkeys(BOTH)
        return {"until": str(until)} | {side: _document(*both, params) for side, both in self.sides.items()}


def _document(asked: ScoresTogether, free: FreeTogether, params: GatesParams) -> Document:
    scores = asked.document(params)
    return {"pooled": scores["pooled"], "cells": scores["cells"], "free": free.document(params)}
