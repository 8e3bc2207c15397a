"""Forecasters that would expose this pipeline, scored on the run's own questions by the run's own function.

`echo` repeats the last value that its question really sent: it must score exactly as persistence. `oracle` reads the
close at the target's clock time: it must score zero and cover everything. `shifted_oracle` reads one minute too early:
it must be visibly worse. A history that holds the answer, or a score that reads the wrong step, cannot pass all three.
On artificial data `oracle_bound` joins them: it knows the plant, and nobody may beat it.

*Time*: bars are looked up by the start of their minute, on a path that shares nothing with the outcomes' own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from stages.scoring.day_sums import LossRows, summary
from stages.scoring.losses import elementary_losses
from stages.scoring.metrics import asked_rows
from stages.scoring.oracle_bound import oracle_bound
from stages.scoring.params import GatesParams
from stages.scoring.verdict import Verdict, worst
from stages.tables.quantiles import QUANTILES

EXACT = 1e-9
DECIMALS = 6  # of a quantile in its table
CELL = ["symbol", "history_days", "horizon_min"]
Document = dict[str, object]
Score = tuple[float, float]  # rMAE and coverage of [q25, q75]


class Sent(Protocol):
    """What a control needs to know of a question."""

    @property
    def key(self) -> str:
        """The name of the question."""

    @property
    def end_utc(self) -> datetime:
        """Start of the last bar that was sent."""


def controls(
    forecasts: pl.DataFrame,
    questions: Iterable[Sent],
    bars: Mapping[str, pl.DataFrame],
    params: GatesParams,
    plant: pl.DataFrame | None = None,
) -> Document:
    """A verdict for each control and for all together; `plant` is what an oracle of an artificial market answers."""
    rows = _asked_once(forecasts, questions)
    target = pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min") - 1)
    starts = pl.col("end_utc"), target, target - pl.duration(minutes=1)
    closes = pl.concat(_closes(symbol, bars[symbol], rows, starts) for symbol in sorted(bars))
    echo, oracle, shifted = (_told(rows, closes, start) for start in starts)
    shifted = shifted.filter(pl.col("q50").is_not_null())
    limit = params.shifted_oracle_rmae_gt
    proofs = {
        "echo": _proof(echo, "rmae == 1", lambda rmae, _: abs(rmae - 1.0) <= EXACT),
        "oracle": _proof(oracle, "rmae == 0 and coverage == 1", lambda rmae, cover: rmae <= EXACT and cover == 1.0),
        "shifted_oracle": _proof(shifted, f"rmae > {limit:g}", lambda rmae, _: rmae > limit),
    }
    if plant is not None:
        proofs["oracle_bound"] = oracle_bound(forecasts, plant)
    verdicts = [Verdict(str(proof["verdict"])) for proof in proofs.values()]
    return {**proofs, "verdict": worst(verdicts).value}


def _asked_once(forecasts: pl.DataFrame, questions: Iterable[Sent]) -> pl.DataFrame:
    """One row a scored forecast, whatever the calibration, with the last bar that its question sent."""
    asked = asked_rows(forecasts.filter(~pl.col("void"), pl.col("method") == pl.col("method").min()))
    sent = pl.DataFrame(
        [(question.key, question.end_utc) for question in questions],
        schema={"key": pl.String, "end_utc": pl.Datetime("us", "UTC")},
        orient="row",
    )
    return asked.join(sent, on="key", how="left", maintain_order="left")


def _closes(symbol: str, bars: pl.DataFrame, rows: pl.DataFrame, starts: Iterable[pl.Expr]) -> pl.DataFrame:
    """The closes of one symbol that are looked up; no more is kept while others are read."""
    mine = rows.filter(symbol=symbol)
    wanted = pl.concat(mine.select(start.alias("ts")) for start in starts)["ts"].unique()
    looked_up = bars.filter(pl.col("ts").is_in(wanted.implode()))
    return looked_up.select(pl.lit(symbol).alias("symbol"), bar_start="ts", told="close")


def _told(rows: pl.DataFrame, closes: pl.DataFrame, bar_start: pl.Expr) -> pl.DataFrame:
    """The forecasts replaced, on every level, by the move from `last` to the close of the bar that starts then."""
    move_bp = (1e4 * (pl.col("told") / pl.col("last")).log()).round(DECIMALS)
    return (
        rows.with_columns(bar_start.alias("bar_start"))
        .join(closes, on=["symbol", "bar_start"], how="left", maintain_order="left")
        .with_columns(move_bp.alias(f"{prefix}{name}") for prefix in ("raw_", "") for name in QUANTILES)
    )


def _proof(told: pl.DataFrame, rule: str, holds: Callable[[float, float], bool]) -> dict[str, str | float | int | None]:
    """Whether the rule holds in every cell; a value that could not be read makes its cell fail."""
    scores = list(_scores(told))
    rmae = [value for value, _ in scores if np.isfinite(value)]
    verdict = Verdict.PASS if all(holds(*score) for score in scores) else Verdict.FAIL
    return {
        "verdict": (verdict if scores else Verdict.INCONCLUSIVE).value,
        "rule": rule,
        "rmae_min": round(min(rmae), 9) if rmae else None,
        "rmae_max": round(max(rmae), 9) if rmae else None,
        "n": told.height,
    }


def _scores(told: pl.DataFrame) -> Iterator[Score]:
    """One a cell."""
    losses = elementary_losses(told).with_columns(calibrated_benchmark_pinball=pl.lit(None, pl.Float64))
    rows = LossRows.of(told.select("symbol", "session").hstack(losses), losses.columns)
    for members in told.with_row_index("row").group_by(CELL, maintain_order=True).agg("row")["row"]:
        figures = summary(rows.by_day(members.to_numpy()).totals(), "calibrated")
        yield float(figures["rmae"]), float(figures["coverage_50"])
