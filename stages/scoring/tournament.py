"""The tournament: all calibration methods on the same outcomes, one proposed by the stated rule; and plot data.

In each cell (symbol, history, horizon) the loss `gates.choose_calibration.by` is divided by its mean over all methods,
so volatile symbols and long horizons weigh no more than others; the average method scores 1, and so do all methods if
none loses anything. Among the methods whose pooled coverage does not FAIL, the proposal is the simplest whose loss is
within `within_se` standard errors of the best, by the daily difference.

*Tables*: the proposal `{method, params, why, trials, n, n_days, methods}`: a line a method, simplest first, with its
`loss`, how far it is `behind` the best, and the standard error `se` of that. `params` is what `make adopt
ARGS=calibration` writes; null, like `method`, if none qualifies or there are too few days for a standard error. For
the plots: one row a method and level (`reliability`), or a method, horizon and clock time (`coverage_by_time`), both
over all symbols of the asked model with the stated history, as answered and as calibrated, sorted by key; ties count as
in `figures.py`.
*Time*: rows that some method could not correct yet are left out for all methods.
*Source*: Breiman, Friedman, Olshen, Stone (1984) for the one-standard-error rule.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl

from stages.errors import count
from stages.params.gates import ChooseCalibration, GatesParams
from stages.scoring.figures import Floats, Sums, hit_counts, mean_pinball
from stages.scoring.gates import judge_coverage
from stages.scoring.inference import Verdict, worst
from stages.scoring.losses import VERSIONS, elementary_losses, hits_and_ties, outcomes_and_quantiles
from stages.scoring.metrics import asked_rows
from stages.tables.forecasts import LEVELS

DECIMALS = 6
KIND, CLOCK = ["method", "horizon_min"], "snapshot_et"


def reliability(hits: pl.DataFrame) -> pl.DataFrame:
    """Share of outcomes at or below each quantile, beside its level, from `hits_by_clock`."""
    sums = hits.drop("sessions", CLOCK).group_by(KIND).sum()
    counts = {version: hit_counts(_sums(sums, version)) for version in VERSIONS}
    levels = [
        sums.select(
            *KIND,
            pl.lit(level / 100).alias("level"),
            *(_share(counts[version][level], sums).alias(version) for version in VERSIONS),
            pl.col("n").cast(pl.UInt32),
        )
        for level in LEVELS
    ]
    return pl.concat(levels).sort(*KIND, "level")


def coverage_by_time(hits: pl.DataFrame) -> pl.DataFrame:
    """Share of outcomes inside [q25, q75], by clock time of the snapshot, from `hits_by_clock`."""
    keys = [*KIND, CLOCK]
    sums = hits.group_by(keys).agg(pl.col(pl.Float64).sum(), n_days=pl.col("sessions").explode().n_unique())
    counts = {version: hit_counts(_sums(sums, version)) for version in VERSIONS}
    shares = (_share(counts[version][75] - counts[version][25], sums).alias(version) for version in VERSIONS)
    return sums.select(*keys, *shares, pl.col("n").cast(pl.UInt32), "n_days").sort(keys)


def hits_by_clock(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Hits and ties of each method, horizon and clock time of some symbols, and the `sessions` with an outcome."""
    scored = asked_rows(forecasts).filter(~pl.col("void"), "calibrated")
    counted = hits_and_ties(*outcomes_and_quantiles(scored, VERSIONS))
    columns = [
        pl.Series(f"{version}_{name}", values)
        for name, of_version in counted.items()
        for version, values in zip(VERSIONS, of_version, strict=True)
    ]
    counts = scored.select(*KIND, CLOCK, "session", pl.lit(1.0).alias("n"), *columns)
    return counts.group_by(*KIND, CLOCK).agg(pl.col(pl.Float64).sum(), sessions=pl.col("session").unique())


def _sums(frame: pl.DataFrame, version: str) -> Sums:
    """The counts by name, without the prefix of this version."""
    counts = frame.select(pl.col(pl.Float64)).to_dict()
    return {name.removeprefix(f"{version}_"): values.to_numpy() for name, values in counts.items()}


def _share(counts: Floats, sums: pl.DataFrame) -> pl.Series:
    return (pl.Series(counts) / sums["n"]).round(DECIMALS)


SIMPLEST_FIRST = ("identity", "widen", "split", "cqr", "cqr_sides", "aci", "pid")
CELL = ["symbol", "history_days", "horizon_min"]
FORECAST = [*CELL, "snapshot_utc"]
LOSSES: dict[str, Callable[[Sums], Floats]] = {
    "crps_bp": mean_pinball,  # half of it: relative to its mean it is the same
    "interval_score_50_bp": itemgetter("interval_50"),
    "interval_score_90_bp": itemgetter("interval_90"),
}
Document = dict[str, Any]


def tournament(parts: Iterable[pl.DataFrame], metrics: Mapping[str, Any], params: GatesParams) -> Document:
    """All methods side by side, and the proposed one; `parts` are the `relative_losses` of all symbols."""
    choose = params.choose_calibration
    coverage = _coverage(metrics, params)
    methods = sorted(coverage, key=SIMPLEST_FIRST.index)
    losses = pl.concat(parts).group_by("session", "method", maintain_order=True).agg(pl.col("loss", "n").sum())
    n, n_days = int(losses["n"].sum()) // max(len(methods), 1), losses["session"].n_unique()
    counts: Document = {"trials": len(methods), "n": n, "n_days": n_days}
    if n_days < params.min_ci_days:
        days = count(n_days, "day")
        why = f"all methods corrected the outcomes of {days}; gates.min_ci_days asks for {params.min_ci_days}"
        return {"method": None, "params": None, "why": why, **counts, "methods": []}
    by_day = losses.pivot("method", index="session", values="loss").sort("session")
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
    """By method: the worst verdict on its pooled coverage for any history and horizon."""
    verdicts: dict[str, list[Verdict]] = {}
    for entry in metrics["pooled"]:
        verdicts.setdefault(entry["method"], []).append(judge_coverage(entry, params).verdict)
    return {method: worst(found) for method, found in verdicts.items()}


def relative_losses(forecasts: pl.DataFrame, choose: ChooseCalibration) -> pl.DataFrame:
    """One row a day and method: the sum of relative losses, and the number of outcomes."""
    able = asked_rows(forecasts).filter(~pl.col("void"), pl.col("calibrated").all().over(FORECAST))
    (loss,) = LOSSES[choose.by](elementary_losses(able, ["calibrated"]))
    rows = able.select("session", "method", *CELL, pl.Series("loss", loss))
    mean = pl.col("loss").mean().over(CELL)
    relative = rows.with_columns(pl.when(mean > 0).then(pl.col("loss") / mean).otherwise(1.0).alias("loss"))
    return relative.group_by("session", "method", maintain_order=True).agg(pl.col("loss").sum(), n=pl.len())


def _lines(methods: list[str], daily: Floats, n: int, best: int) -> list[Document]:
    """One line a method. *Shapes*: daily (days, methods), `best` one of its columns."""
    behind = daily - daily[:, [best]]
    se = behind.std(axis=0, ddof=1) * np.sqrt(len(daily)) / n
    return [
        {
            "method": method,
            "loss": round(float(daily[:, i].sum() / n), DECIMALS),
            "behind": round(float(behind[:, i].sum() / n), DECIMALS) + 0.0,
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
