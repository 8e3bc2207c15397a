"""Which calibration the search span speaks for: all methods on the same outcomes, and one proposed by the stated rule.

The loss `gates.choose_calibration.by` is divided by its mean over all methods in each cell (symbol, history, horizon),
so that wild symbols and long horizons count no more than others: 1 is the average method, also where none loses
anything. Of the methods whose pooled coverage does not FAIL, the best is proposed, or the simplest that is behind it by
at most `within_se` standard errors of the daily difference: more machinery must earn its place.

*Tables*: `{method, params, why, trials, n, n_days, methods}`: a line a method, simplest first, with its `loss`, how far
it is `behind` the best, and the standard error `se` of that. `params` is what `make adopt ARGS=calibration` writes;
null, like `method`, where none qualifies or days are too few for a standard error.
*Time*: rows that any method could not correct yet are left out for all.
*Source*: Breiman, Friedman, Olshen, Stone (1984) for the rule of one standard error.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.scoring.gates import judge_coverage
from stages.scoring.losses import elementary_losses
from stages.scoring.metrics import Parts, asked_rows
from stages.scoring.params import ChooseCalibration, GatesParams
from stages.scoring.verdict import Verdict, worst
from stages.tables.quantiles import LEVELS

SIMPLEST_FIRST = ("identity", "widen", "split", "cqr", "cqr_sides", "aci", "pid")
CELL = ["symbol", "history_days", "horizon_min"]
FORECAST = [*CELL, "snapshot_utc"]
LOSSES = {
    "crps_bp": 2.0 * pl.mean_horizontal(f"calibrated_pinball_{level:02d}" for level in LEVELS),
    "interval_score_50_bp": pl.col("calibrated_interval_50"),
    "interval_score_90_bp": pl.col("calibrated_interval_90"),
}
DECIMALS = 6
Document = dict[str, Any]
Floats = NDArray[np.float64]


def tournament(forecasts: Parts, metrics: Mapping[str, Any], params: GatesParams) -> Document:
    """All methods beside each other, and the one that is proposed."""
    choose = params.choose_calibration
    coverage = _coverage(metrics, params)
    methods = sorted(coverage, key=SIMPLEST_FIRST.index)
    losses = _daily_losses(forecasts, choose)
    n, n_days = int(losses["n"].sum()) // max(len(methods), 1), losses["session"].n_unique()
    counts: Document = {"trials": len(methods), "n": n, "n_days": n_days}
    if n_days < max(params.min_ci_days, 2):
        why = f"all methods corrected the outcomes of {n_days} days; gates.min_ci_days asks for {params.min_ci_days}"
        return {"method": None, "params": None, "why": why, **counts, "methods": []}
    by_day = losses.sort("session", "method").pivot("method", index="session", values="loss").sort("session")
    daily = by_day.select(methods).to_numpy()
    sound = [i for i, method in enumerate(methods) if coverage[method] != Verdict.FAIL]
    lines = _lines(methods, daily, n, min(sound or range(len(methods)), key=lambda i: daily[:, i].sum()))
    chosen, why = _choice(lines, sound, choose)
    return {
        "method": chosen,
        "params": {"calibration": {"method": chosen}} if chosen else None,
        "why": why,
        **counts,
        "methods": [line | {"coverage": coverage[line["method"]].value} for line in lines],
    }


def _coverage(metrics: Mapping[str, Any], params: GatesParams) -> dict[str, Verdict]:
    """By method: the worst verdict on the coverage of any history and horizon, all symbols together."""
    verdicts: dict[str, list[Verdict]] = {}
    for entry in metrics["pooled"]:
        verdicts.setdefault(entry["method"], []).append(judge_coverage(entry, params).verdict)
    return {method: worst(found) for method, found in verdicts.items()}


def _daily_losses(forecasts: Parts, choose: ChooseCalibration) -> pl.DataFrame:
    """One row a day and method: the sum of relative losses, and of how many outcomes."""
    parts = pl.concat(_relative_losses(part, choose) for part in forecasts)
    return parts.group_by("session", "method", maintain_order=True).agg(pl.col("loss", "n").sum())


def _relative_losses(forecasts: pl.DataFrame, choose: ChooseCalibration) -> pl.DataFrame:
    """The same of some symbols."""
    able = asked_rows(forecasts).filter(~pl.col("void"), pl.col("calibrated").all().over(FORECAST))
    losses = [
        one.select("session", "method", *CELL).hstack(elementary_losses(one).select(loss=LOSSES[choose.by]))
        for one in able.partition_by("method", maintain_order=True)
    ]
    rows = pl.concat([able.select("session", "method", *CELL, loss=pl.lit(0.0)).clear(), *losses])
    mean = pl.col("loss").mean().over(CELL)
    relative = rows.with_columns(pl.when(mean > 0).then(pl.col("loss") / mean).otherwise(1.0).alias("loss"))
    return relative.group_by("session", "method", maintain_order=True).agg(pl.col("loss").sum(), n=pl.len())


def _lines(methods: list[str], daily: Floats, n: int, best: int) -> list[Document]:
    """*Shapes*: daily (days, methods), `best` one of its columns."""
    behind = daily - daily[:, [best]]
    se = behind.std(axis=0, ddof=1) * np.sqrt(len(daily)) / n
    return [
        {
            "method": method,
            "loss": round(float(daily[:, i].sum() / n), DECIMALS),
            "behind": round(float(behind[:, i].sum() / n), DECIMALS),
            "se": round(float(se[i]), DECIMALS),
        }
        for i, method in enumerate(methods)
    ]


def _choice(lines: list[Document], sound: list[int], choose: ChooseCalibration) -> tuple[str | None, str]:
    """The method by the stated rule, and why."""
    if not sound:
        return None, f"coverage FAILs with every one of {len(lines)} methods"
    best = min((lines[i] for i in sound), key=lambda line: line["behind"])
    chosen = next(lines[i] for i in sound if lines[i]["behind"] <= choose.within_se * lines[i]["se"])
    among = f"of the {len(sound)} of {len(lines)} methods whose coverage does not FAIL"
    if chosen is best:
        return chosen["method"], f"the lowest {choose.by} {among}, and none simpler comes near"
    near_best = f"within {choose.within_se:g} SE of the lowest {choose.by} ({best['method']}'s)"
    return chosen["method"], f"the simplest {near_best}, {among}"
