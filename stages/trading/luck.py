"""Luck: how often the gates pass where there is nothing to find.

A replay scores, gates and trades one span exactly as a run does, with the search span in the place of the holdout. No
sealed file is read.

*Time*: a forecast that is moved to an earlier date may have learnt a little from that date's outcome, so other dates
show luck too often rather than too rarely.
*Source*: exact binomial intervals after Clopper and Pearson (1934), as in scipy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binomtest

from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.scoring.gates import forecast_gates
from stages.scoring.inference import Verdict, worst
from stages.scoring.metrics import score
from stages.tables.forecasts import QUANTILES
from stages.trading.book import SpanInputs
from stages.trading.gates import evidence, trading_gates
from stages.trading.holdout import traded_kind
from stages.trading.strategy import Strategy, eligible_cells

CONFIDENCE = 0.95
CONTROLS_HOLD = {"verdict": Verdict.PASS.value}
LEVELS = [*QUANTILES, *(f"raw_{name}" for name in QUANTILES)]
INSTANT = ["symbol", "snapshot_utc"]
KIND = ["horizon_min", "history_days", "model", "method"]


@dataclass(frozen=True)
class Passed:
    """Which gates passed in one replay.

    `forecast`: all forecast gates of at least one symbol. `trading`: all trading gates of a book that may trade every
    symbol. `verdict`: what a run requires, the trading gates for the book of exactly the symbols that passed their
    forecast gates. `fdr`: the false-discovery gate alone, of at least one symbol; None if `gates.fdr` is null. Where
    there is nothing to find, each pass is a false discovery, and `gates.fdr.q` bounds the rate of the `fdr` gate.
    `worth`: the buyer's verdict is WORTH IT, whose rate `worth.alpha` bounds; None if it was not computed.
    """

    forecast: bool
    trading: bool
    verdict: bool
    fdr: bool | None = None
    worth: bool | None = None


def at_other_dates(forecasts: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same forecasts and outcomes, with each symbol's forecasts moved to its instants in random order.

    All forecasts of one instant stay together and keep their shape in units of the volatility at the new instant, so a
    calm hour's interval is not applied to a volatile one. Instants are shuffled across clock times too: a forecaster of
    the intraday pattern says the same every day and would keep its skill if only days were exchanged.
    """
    instants = forecasts.select(INSTANT).unique().sort(INSTANT)
    rng = np.random.default_rng(np.random.SeedSequence([seed, instants.height]))
    drawn = pl.Series("drawn", rng.random(instants.height))
    came_from = instants.with_columns(drawn).select(
        *INSTANT, pl.col("snapshot_utc").sort_by("drawn").over("symbol").alias("from_utc")
    )
    moved = forecasts.select(
        "symbol", pl.col("snapshot_utc").alias("from_utc"), *KIND, *LEVELS, "calibrated", "sigma_5m"
    )
    here = forecasts.drop(*LEVELS, "calibrated").join(came_from, on=INSTANT, how="left")
    put = here.join(moved, on=["symbol", "from_utc", *KIND], how="inner", suffix="_there")
    scale = (pl.col("sigma_5m") / pl.col("sigma_5m_there")).fill_null(1.0)
    scaled = put.with_columns((pl.col(level) * scale).round(6) for level in LEVELS)
    return scaled.select(forecasts.columns).sort([*INSTANT, *KIND])


def replay(inputs: SpanInputs, strategy: Strategy, params: GatesParams) -> Passed:
    """Score, gate and trade this span."""
    metrics = score([traded_kind(inputs.forecasts, strategy)], params, strategy.method)
    stated = Stated.of(strategy.rules, strategy.whitelist, strategy.method)
    judged = forecast_gates(metrics, CONTROLS_HOLD, params, stated)
    eligible = eligible_cells(judged)
    ungated = strategy.ungated()
    passing = replace(strategy, eligible=eligible & ungated.eligible)
    forecast = bool(passing.trading)
    trading = _passes_trading_gates(inputs, ungated, params)
    verdict = forecast and _passes_trading_gates(inputs, passing, params)
    fdr = any(cell["gates"]["fdr"]["verdict"] == Verdict.PASS for cell in judged["cells"]) if params.fdr else None
    return Passed(forecast, trading, verdict, fdr)


def luck(replays: Sequence[Passed]) -> dict[str, Any]:
    """How often each kind of gate passed, with its exact binomial confidence interval."""
    found = {field.name: [getattr(one, field.name) for one in replays] for field in fields(Passed)}
    return {name: _rate(passed) for name, passed in found.items() if None not in passed}


def _rate(passed: Sequence[bool]) -> dict[str, Any]:
    n = len(passed)
    interval = binomtest(sum(passed), n).proportion_ci(CONFIDENCE, method="exact")
    bounds = [round(float(bound), 6) for bound in interval]
    return {"passed": sum(passed), "n": n, "share": round(sum(passed) / n, 6), "ci": bounds}


def _passes_trading_gates(inputs: SpanInputs, strategy: Strategy, params: GatesParams) -> bool:
    found = evidence(inputs.traded(strategy), strategy.trading, params)
    return worst(gate.verdict for gate in trading_gates(found, params).values()) is Verdict.PASS
