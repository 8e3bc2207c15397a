"""An alarm on artificial data: nobody can do better than who planted what there is to find.

The oracle's answers are scored on the run's own outcomes, beside the forecasts, so that a calm or wild span favours
neither. A forecaster whose absolute errors are smaller than the oracle's, by more than three standard errors of the
daily difference, was told something about the future.

*Tables*: the proof of one control, and per cell (symbol, history, horizon, method) and version `rmae`, the oracle's
`oracle_rmae` on the same outcomes, the `expected_rmae` that the market's own formula promises, and `lead_se`: by how
many standard errors the forecast is ahead of the oracle (below 0: behind; null where days do not differ).
*Time*: days are the pieces of evidence; with few of them three errors are taken from Student's t.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from stages.scoring.figures import ratio
from stages.scoring.metrics import Parts, asked_rows
from stages.scoring.resampling import varies
from stages.scoring.verdict import Verdict

ALARM_SE = 3.0
MEDIANS = {"raw": "raw_q50", "calibrated": "q50"}
CELL = ["symbol", "history_days", "horizon_min", "method"]
QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
DECIMALS = 6
Document = dict[str, Any]
Floats = NDArray[np.float64]
Oracle = Callable[[pl.DataFrame], pl.DataFrame]  # forecasts -> what it would have answered, and expects to err


def oracle_bound(forecasts: Parts, oracle: Oracle) -> Document:
    """PASS while no forecast is surely better than the plant allows."""
    cells: list[Document] = []
    n = 0
    for part in forecasts:
        rows = _beside(part, oracle(part))
        cells += [_cell(cell, version) for cell in rows.partition_by(CELL, maintain_order=True) for version in MEDIANS]
        n += rows.n_unique([*QUESTION, "history_days"])
    reach = [cell["oracle_rmae"] for cell in cells if cell["oracle_rmae"] is not None]
    alarms = sum(cell["alarm"] for cell in cells)
    verdict = Verdict.FAIL if alarms else Verdict.PASS if cells else Verdict.INCONCLUSIVE
    return {
        "verdict": verdict.value,
        "rule": f"no forecast ahead of it by {ALARM_SE:g} standard errors",
        "rmae_min": min(reach, default=None),
        "rmae_max": max(reach, default=None),
        "n": n,
        "alarms": alarms,
        "cells": cells,
    }


def _beside(forecasts: pl.DataFrame, plant: pl.DataFrame) -> pl.DataFrame:
    """The scored forecasts with the oracle's answers."""
    columns = [*CELL, "snapshot_utc", "session", "y_bp", *MEDIANS.values()]
    scored = asked_rows(forecasts).filter(~pl.col("void"), "calibrated").select(columns).sort(*CELL, "snapshot_utc")
    return scored.join(plant, on=QUESTION, how="left", validate="m:1", maintain_order="left")


def _cell(cell: pl.DataFrame, version: str) -> Document:
    y, told, planted = cell.select("y_bp", MEDIANS[version], "planted_bp").to_numpy().T
    error, best, still = np.abs(y - told), np.abs(y - planted), np.abs(y)
    days = cell.select("session", lead=best - error).group_by("session").agg(pl.col("lead").sum()).sort("session")
    lead, se = _mean_and_error(days["lead"].to_numpy())
    expected = cell.select("oracle_mae_bp", "persistence_mae_bp").to_numpy().sum(axis=0)
    return {
        **cell.select(CELL).row(0, named=True),
        "version": version,
        "rmae": _round(ratio(error.sum(), still.sum())),
        "oracle_rmae": _round(ratio(best.sum(), still.sum())),
        "expected_rmae": _round(ratio(expected[0], expected[1])),
        "lead_se": _round(lead / se) if se > 0 else None,
        "alarm": not lead <= _alarm_errors(days.height) * se,  # also where the plant could not be read
    }


def _mean_and_error(daily: Floats) -> tuple[float, float]:
    """Without a second day there is no error, and no alarm."""
    if len(daily) < 2:
        return 0.0, 0.0
    return float(daily.mean()), float(daily.std(ddof=1) / np.sqrt(len(daily))) if varies(daily) else 0.0


def _alarm_errors(n_days: int) -> float:
    """As improbable as three errors of a normal, by Student's t."""
    return float(stdtrit(max(n_days - 1, 1), ndtr(ALARM_SE)))


def _round(value: Floats | float) -> float | None:
    return round(float(value), DECIMALS) if np.isfinite(value) else None
