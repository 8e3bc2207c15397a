"""Controls: forecasters whose score is known in advance, scored on the run's own questions by the run's own code.

`echo` repeats the last value that its question sent and must score exactly as persistence. `oracle` reads the close at
the target's clock time and must score zero with full coverage. `shifted_oracle` reads one minute too early and must be
visibly worse. A history that contains the answer, or a score that reads the wrong step, cannot pass all three.

On artificial data `oracle_bound` is added: it knows the planted pattern, so nobody can do better. It is scored on the
same outcomes as the forecasts, so that a calm or volatile span favours neither. A forecaster must have seen the future
if its absolute errors are smaller than the oracle's by more than three standard errors of the daily difference, and as
clearly smaller than those of the oracle's answers rounded to a tick.

*Tables*: the result of one control, and per cell (symbol, history, horizon, method) and version `rmae`, the oracle's
`oracle_rmae` on the same outcomes, the `expected_rmae` from the market's own formula, and `lead_se`: by how many
standard errors the forecast is ahead of the oracle (negative: behind; null where days do not differ).
*Time*: bars are looked up by the start of their minute, with code that shares nothing with the computation of outcomes.
The unit of evidence is the day; with few days, three standard errors are taken from Student's t.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr, stdtrit

from stages.params.gates import GatesParams
from stages.scoring.figures import DaySums, Floats, covered_50, ratio, relative_errors
from stages.scoring.inference import Verdict, varies, worst
from stages.scoring.losses import elementary_losses
from stages.scoring.metric_entries import rounded
from stages.scoring.metrics import asked_rows
from stages.tables.forecasts import QUANTILES
from stages.tables.scores import Cell

ALARM_SE = 3.0
ERRORS_OF = ("y_bp", "planted_bp", "on_tick_bp", "oracle_mae_bp", "persistence_mae_bp")
MEDIANS = {"raw": "raw_q50", "calibrated": "q50"}
CELLS = list(Cell._fields)
QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
DECIMALS = 6
Document = dict[str, Any]
OracleCells = tuple[list[Document], int]


def oracle_cells(forecasts: pl.DataFrame, plant: pl.DataFrame) -> OracleCells:
    """Every cell of some symbols compared with the oracle's answers `plant`, and the number of questions."""
    rows = _with_oracle(forecasts, plant)
    return list(_cells(rows)), rows.n_unique([*QUESTION, "history_days"])


def oracle_bound(parts: Sequence[OracleCells]) -> Document:
    """PASS while no forecast is significantly better than the planted pattern allows."""
    cells, n = [cell for part, _ in parts for cell in part], sum(n for _, n in parts)
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


def _with_oracle(forecasts: pl.DataFrame, plant: pl.DataFrame) -> pl.DataFrame:
    """The scored forecasts with the oracle's answers."""
    columns = [*CELLS, "snapshot_utc", "session", "y_bp", *MEDIANS.values()]
    scored = asked_rows(forecasts).filter(~pl.col("void"), "calibrated").select(columns).sort(*CELLS, "snapshot_utc")
    return scored.join(plant, on=QUESTION, how="left", validate="m:1", maintain_order="left")


def _cells(rows: pl.DataFrame) -> Iterator[Document]:
    """Every cell in both versions. Rows are sorted by cell and time."""
    y, planted, on_tick, *expected = rows.select(ERRORS_OF).to_numpy().T
    best, on_ticks, still = np.abs(y - planted), np.abs(y - on_tick), np.abs(y)
    errors = np.abs(y - rows.select(MEDIANS.values()).to_numpy().T)
    day = rows["session"].to_physical().to_numpy()
    first = 0
    for cell in rows.group_by(CELLS, maintain_order=True).agg(pl.len().alias("rows")).iter_rows(named=True):
        of_cell = slice(first, first := first + cell.pop("rows"))
        reach, moved = best[of_cell].sum(), still[of_cell].sum()
        known = {
            "oracle_rmae": rounded(ratio(reach, moved)),
            "expected_rmae": rounded(ratio(*(one[of_cell].sum() for one in expected))),
        }
        starts = np.flatnonzero(np.diff(day[of_cell], prepend=-1))
        leads = (np.add.reduceat(one[of_cell] - errors[:, of_cell], starts, axis=1) for one in (best, on_ticks))
        for version, error, *daily in zip(MEDIANS, errors[:, of_cell].sum(axis=1), *leads, strict=True):
            lead, on_tick_lead = map(_lead, daily)
            lead["alarm"] &= on_tick_lead["alarm"]
            yield cell | {"version": version, "rmae": rounded(ratio(error, moved))} | known | lead


def _lead(daily: Floats) -> Document:
    """How far the forecast is ahead of the oracle, from the daily differences of their errors; 0 for a single day."""
    days = len(daily)
    lead = float(daily.mean()) if days > 1 else 0.0
    se = float(daily.std(ddof=1) / np.sqrt(days)) if varies(daily) else 0.0
    most = float(stdtrit(max(days - 1, 1), ndtr(ALARM_SE))) * se  # as improbable as three of a normal
    alarm = not lead <= most  # NaN, an unreadable planted pattern, also alarms
    return {"lead_se": rounded(lead / se) if se > 0 else None, "alarm": alarm}


EXACT = 1e-9
CONTROLS = ("echo", "oracle", "shifted_oracle")
HOUR = 60
Score = tuple[float, float, int]  # rMAE, coverage of [q25, q75], and horizon in minutes
Holds = Callable[[float, float, int], bool]
NO_CLOSES = pl.DataFrame(schema={"symbol": pl.String, "bar_start": pl.Datetime("us", "UTC"), "answer": pl.Float64})


@dataclass(frozen=True)
class ControlScores:
    """The scores of each control's cells, and its number of forecasts; the oracle's cells, if there is one."""

    scores: Mapping[str, list[Score]]
    counts: Mapping[str, int]
    oracle: OracleCells | None = None


def control_scores(
    forecasts: pl.DataFrame, ends: pl.DataFrame, bars: Mapping[str, pl.DataFrame], plant: pl.DataFrame | None = None
) -> ControlScores:
    """Scores of the controls on some symbols; `plant` are the answers of an artificial market's oracle.

    `ends`: the `key` of each question and `end_utc`, the start of the last bar that it sent.
    """
    answers = _answers(_asked_once(forecasts, ends), bars)
    return ControlScores(
        scores=_scores(answers),
        counts={name: answers.filter(control=name).height for name in CONTROLS},
        oracle=None if plant is None else oracle_cells(forecasts, plant),
    )


def controls(parts: Sequence[ControlScores], params: GatesParams) -> Document:
    """A verdict for each control over all symbols, and one for all controls.

    The longer the horizon, the less a minute matters: by its square root on a random walk. So does the limit fall.
    """
    limit, horizons = params.shifted_oracle_rmae_gt, [h for part in parts for *_, h in part.scores["shifted_oracle"]]
    beyond = ", beyond an hour times sqrt(60 / minutes)" * (max(horizons, default=0) > HOUR)
    rules: dict[str, tuple[str, Holds]] = {
        "echo": ("rmae == 1", lambda rmae, *_: abs(rmae - 1.0) <= EXACT),
        "oracle": ("rmae == 0 and coverage == 1", lambda rmae, cover, _: rmae <= EXACT and cover == 1.0),
        "shifted_oracle": (f"rmae > {limit:g}{beyond}", lambda rmae, _, h: rmae > limit * min(1.0, (HOUR / h) ** 0.5)),
    }
    proofs = {}
    for name, (rule, holds) in rules.items():
        scores = [score for part in parts for score in part.scores[name]]
        proofs[name] = _proof(scores, rule, holds) | {"n": sum(part.counts[name] for part in parts)}
    oracles = [part.oracle for part in parts if part.oracle is not None]
    if oracles:
        proofs["oracle_bound"] = oracle_bound(oracles)
    verdicts = [Verdict(str(proof["verdict"])) for proof in proofs.values()]
    return {**proofs, "verdict": worst(verdicts).value}


def _answers(asked: pl.DataFrame, bars: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The answer of each `control` to each question: every level is the move to a close that it looks up.

    `echo` reads the bar that starts at the question's end, `oracle` the bar that ends at the target, `shifted_oracle`
    the bar before that.
    """
    target = pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min") - 1)
    starts = dict(zip(CONTROLS, (pl.col("end_utc"), target, target - pl.duration(minutes=1)), strict=True))
    rows = pl.concat(asked.with_columns(bar_start=start, control=pl.lit(name)) for name, start in starts.items())
    closes = pl.concat([NO_CLOSES, *(_closes(symbol, table, rows) for symbol, table in bars.items())])
    move_bp = (1e4 * (pl.col("answer") / pl.col("last")).log()).round(DECIMALS)
    answers = rows.join(closes, on=["symbol", "bar_start"], how="left").with_columns(move_bp.alias("answer"))
    known = answers.filter((pl.col("control") != "shifted_oracle") | pl.col("answer").is_not_null())
    return known.with_columns(pl.col("answer").alias(name) for name in QUANTILES)


def _asked_once(forecasts: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """One row a scored question, of the first calibration method only, with the last bar that it sent."""
    asked = asked_rows(forecasts.filter(~pl.col("void"), pl.col("method") == pl.col("method").min()))
    return asked.join(ends.select("key", "end_utc"), on="key", how="left", maintain_order="left")


def _closes(symbol: str, bars: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The closes of one symbol that are looked up; others are not kept in memory."""
    wanted = rows.filter(symbol=symbol)["bar_start"]
    looked_up = bars.filter(pl.col("ts").is_in(wanted.implode()))
    return looked_up.select(pl.lit(symbol).alias("symbol"), bar_start="ts", answer="close")


def _proof(scores: Sequence[Score], rule: str, holds: Holds) -> Document:
    """Whether the rule holds in every cell; an unreadable value (NaN) fails its cell."""
    rmae = [value for value, *_ in scores if np.isfinite(value)]
    verdict = Verdict.PASS if all(holds(*score) for score in scores) else Verdict.FAIL
    return {
        "verdict": (verdict if scores else Verdict.INCONCLUSIVE).value,
        "rule": rule,
        "rmae_min": round(min(rmae), 9) if rmae else None,
        "rmae_max": round(max(rmae), 9) if rmae else None,
    }


def _scores(answers: pl.DataFrame) -> dict[str, list[Score]]:
    """One score a cell by control, without cells whose outcomes never moved, where all look like persistence."""
    rows = answers.sort("control", *CELLS, "snapshot_utc")
    cells = rows.group_by("control", *CELLS, maintain_order=True).len()
    day = rows["session"].to_physical().to_numpy()
    found: dict[str, list[Score]] = {name: [] for name in CONTROLS}
    all_sums = DaySums.of_cells(elementary_losses(rows, ["calibrated"]), day, cells["len"].to_numpy())
    for control, horizon_min, cell in zip(cells["control"], cells["horizon_min"], all_sums, strict=True):
        sums = cell.totals().together
        if sums["abs_y"] != 0 or not np.isfinite(sums["abs"]):
            (error,), (covered,) = relative_errors(sums)["rmae"], ratio(covered_50(sums), sums["n"])
            found[control].append((float(error), float(covered), horizon_min))
    return found
