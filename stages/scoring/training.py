"""What the asked model may have seen: every score once more, for days up to its training's end and for days after it.

A model that was trained on the days it is judged on may remember them. A date in `forecaster.trained_until` splits the
search span there; without one nothing is split.

*Tables*: `{until, before, after}`: a date, `never` (this project's own forecasters are not trained), or null (unknown);
`before` and `after` hold `pooled` and `cells` of the stated method and `free`, in the form of `metrics.py` and
`free.py`, and are null where nothing is split.
*Time*: the day `until` itself lies before.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.scoring.entries import Document
from stages.scoring.free import Pairs, free_scores
from stages.scoring.metrics import score
from stages.tables.forecasts import NEVER, is_untrained


def scores_by_training(
    pairs: Pairs, until: date | None, sources: Sequence[str], params: GatesParams, stated: Stated
) -> Document:
    """The scores of both sides; `pairs` are iterated anew for each, `sources` are the makers of the asked forecasts."""
    if until is None:
        return {"until": NEVER if is_untrained(sources) else None, "before": None, "after": None}
    sides = {"before": pl.col("session") <= until, "after": pl.col("session") > until}
    return {"until": str(until)} | {side: _scores(pairs, days, params, stated) for side, days in sides.items()}


def _scores(pairs: Pairs, days: pl.Expr, params: GatesParams, stated: Stated) -> Document:
    asked = score((asked.filter(days, method=stated.method) for asked, _ in pairs), params, stated.method)
    free = free_scores(((asked.filter(days), free.filter(days)) for asked, free in pairs), params, stated)
    return {"pooled": asked["pooled"], "cells": asked["cells"], "free": free}
