"""What the asked model may have seen: every score once more, for days up to its training's end and for days after it.

A model that was trained on the days it is judged on may remember them. A date in `forecaster.trained_until` splits the
search span there; without one nothing is split.

*Tables*: `{until, before, after}`: a date, `never` (this project's own forecasters are not trained), or null (unknown);
`before` and `after` hold `pooled` and `cells` of the stated method and `free`, in the form of `metrics.py` and
`free.py`, and are null where nothing is split.
*Time*: the day `until` itself lies before.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document
from stages.scoring.free import FreeScores, free_scores, free_together
from stages.scoring.metrics import PartScores, part_scores, scores_together
from stages.tables.forecasts import NEVER, is_untrained

Sides = Mapping[str, tuple[PartScores, FreeScores]]


def scores_by_side(
    asked: pl.DataFrame, free: pl.DataFrame, until: date | None, params: GatesParams, stated: Stated
) -> Sides:
    """Some symbols scored on both sides of the date; on none without one."""
    if until is None:
        return {}
    sides = {"before": pl.col("session") <= until, "after": pl.col("session") > until}
    return {
        side: (
            part_scores(asked.filter(days, method=stated.method), params, stated.method),
            free_scores(asked.filter(days), free.filter(days), params, stated),
        )
        for side, days in sides.items()
    }


def training_together(
    parts: Sequence[Sides], until: date | None, sources: Sequence[str], params: GatesParams
) -> Document:
    """The document; `sources` are the makers of the asked forecasts."""
    if until is None:
        return {"until": NEVER if is_untrained(sources) else None, "before": None, "after": None}
    return {"until": str(until)} | {
        side: _together([part[side] for part in parts], params) for side in ("before", "after")
    }


def _together(parts: Sequence[tuple[PartScores, FreeScores]], params: GatesParams) -> Document:
    asked = scores_together([asked for asked, _ in parts], params)
    free = free_together([free for _, free in parts], params)
    return {"pooled": asked["pooled"], "cells": asked["cells"], "free": free}
