"""Forecasters that would expose this pipeline, scored on the run's own questions by the run's own function.

`echo` repeats the last value that its question really sent: it must score exactly as persistence. `oracle` reads the
close at the target's clock time: it must score zero and cover everything. `shifted_oracle` reads one minute too early:
it must be visibly worse. A history that holds the answer, or a score that reads the wrong step, cannot pass all three.
On artificial data `oracle_bound` joins them: it knows the plant, and nobody may beat it.

*Time*: bars are looked up by the start of their minute, on a path that shares nothing with the outcomes' own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from stages.scoring.day_sums import LossRows
from stages.scoring.figures import covered_50, ratio, relative_errors
from stages.scoring.losses import elementary_losses
from stages.scoring.metrics import Parts, asked_rows
from stages.scoring.oracle_bound import Oracle, oracle_bound
from stages.scoring.params import GatesParams
from stages.scoring.verdict import Verdict, worst
from stages.tables.quantiles import QUANTILES

EXACT = 1e-9
DECIMALS = 6  # of a quantile in its table
CELL = ["symbol", "history_days", "horizon_min"]
Document = dict[str, object]
Score = tuple[float, float]  # rMAE and coverage of [q25, q75]
NO_CLOSES = pl.DataFrame(schema={"symbol": pl.String, "bar_start": pl.Datetime("us", "UTC"), "told": pl.Float64})


class Sent(Protocol):
    """What a control needs to know of a question."""

    @property
    def key(self) -> str:
        """The name of the question."""

    @property
    def end_utc(self) -> datetime:
        """Start of the last bar that was sent."""


def controls(
    forecasts: Parts,
    questions: Iterable[Sent],
    bars: Mapping[str, pl.DataFrame],
    params: GatesParams,
    oracle: Oracle | None = None,
) -> Document:
    """A verdict for each control and for all together; `oracle` answers for an artificial market."""
    ends = pl.DataFrame(
        [(question.key, question.end_utc) for question in questions],
        schema={"key": pl.String, "end_utc": pl.Datetime("us", "UTC")},
        orient="row",
    )
    scores: dict[str, list[Score]] = {name: [] for name in ("echo", "oracle", "shifted_oracle")}
    counts = dict.fromkeys(scores, 0)
    for part in forecasts:
        for name, told in _told_by_controls(_asked_once(part, ends), bars).items():
            scores[name] += _scores(told)
            counts[name] += told.height
    limit = params.shifted_oracle_rmae_gt
    rules: dict[str, tuple[str, Callable[[float, float], bool]]] = {
        "echo": ("rmae == 1", lambda rmae, _: abs(rmae - 1.0) <= EXACT),
        "oracle": ("rmae == 0 and coverage == 1", lambda rmae, cover: rmae <= EXACT and cover == 1.0),
        "shifted_oracle": (f"rmae > {limit:g}", lambda rmae, _: rmae > limit),
    }
    proofs = {name: _proof(scores[name], rule, holds) | {"n": counts[name]} for name, (rule, holds) in rules.items()}
    if oracle is not None:
        proofs["oracle_bound"] = oracle_bound(forecasts, oracle)
    verdicts = [Verdict(str(proof["verdict"])) for proof in proofs.values()]
    return {**proofs, "verdict": worst(verdicts).value}


def _told_by_controls(rows: pl.DataFrame, bars: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The forecasts as each control would have made them."""
    target = pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min") - 1)
    starts = pl.col("end_utc"), target, target - pl.duration(minutes=1)
    symbols = sorted(set(rows["symbol"]) & set(bars))
    closes = pl.concat([NO_CLOSES, *(_closes(symbol, bars[symbol], rows, starts) for symbol in symbols)])
    echo, oracle, shifted = (_told(rows, closes, start) for start in starts)
    return {"echo": echo, "oracle": oracle, "shifted_oracle": shifted.filter(pl.col("q50").is_not_null())}


def _asked_once(forecasts: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """One row a scored forecast, whatever the calibration, with the last bar that its question sent."""
    asked = asked_rows(forecasts.filter(~pl.col("void"), pl.col("method") == pl.col("method").min()))
    return asked.join(ends, on="key", how="left", maintain_order="left")


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


def _proof(scores: Sequence[Score], rule: str, holds: Callable[[float, float], bool]) -> Document:
    """Whether the rule holds in every cell; a value that could not be read makes its cell fail."""
    rmae = [value for value, _ in scores if np.isfinite(value)]
    verdict = Verdict.PASS if all(holds(*score) for score in scores) else Verdict.FAIL
    return {
        "verdict": (verdict if scores else Verdict.INCONCLUSIVE).value,
        "rule": rule,
        "rmae_min": round(min(rmae), 9) if rmae else None,
        "rmae_max": round(max(rmae), 9) if rmae else None,
    }


def _scores(told: pl.DataFrame) -> Iterator[Score]:
    """One a cell; none of a cell whose outcomes never moved, where nothing can be told from persistence."""
    losses = elementary_losses(told)
    rows = LossRows.of(told.select("symbol", "session").hstack(losses), losses.columns)
    for members in told.with_row_index("row").group_by(CELL, maintain_order=True).agg("row")["row"]:
        sums = rows.by_day(members.to_numpy()).totals().together
        if sums["abs_y"] != 0 or not np.isfinite(sums["calibrated_abs"]):
            error = relative_errors(sums, "calibrated")["rmae"]
            yield float(error), float(ratio(covered_50(sums, "calibrated"), sums["n"]))
