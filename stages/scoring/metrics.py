"""How good the asked model's forecasts are, as answered and as calibrated, and how sure that is.

*Tables*: a document with three lists: `cells` (symbol, history, horizon, method), `by_snapshot` (the same by clock
time, without bounds) and `pooled` (over symbols; relative errors as geometric means). Each entry names its scope and
holds `n`, `n_days`, `n_void`, `n_uncalibrated`, `n_crossed`, per metric and version `value`, `ci` and `se`, then `dm`
(against persistence) and `pit`.
*Time*: rows that are void or not calibrated yet are counted, not scored.
*Units*: as in `figures.py`. `ci` is the pair of one-sided bounds at `gates.skill_confidence` by drawing days anew, `se`
the deviation of the draws; both null below `gates.min_ci_days` days.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.scoring.day_sums import DaySums, summary
from stages.scoring.figures import pit_counts, ratio
from stages.scoring.losses import VERSIONS, elementary_losses
from stages.scoring.params import GatesParams
from stages.scoring.resampling import block_length, day_weights
from stages.scoring.significance import diebold_mariano, pit_uniformity
from stages.tables.quantiles import BENCHMARK, LEVELS

Floats = NDArray[np.float64]
Document = dict[str, object]
CELL = ["history_days", "horizon_min", "method"]
SCOPES = {"cells": ["symbol", *CELL], "by_snapshot": ["symbol", *CELL, "snapshot_et"], "pooled": CELL}
WITH_BOUNDS = ("cells", "pooled")
FORECAST = ["symbol", "snapshot_utc", "horizon_min", "history_days", "method"]
DECIMALS = 6


def score(forecasts: pl.DataFrame, params: GatesParams) -> Document:
    """Every metric of the asked model at every scope."""
    asked = asked_rows(forecasts)
    scored = asked.filter(~pl.col("void"), "calibrated")
    with_losses, names = _with_benchmark(forecasts, scored)
    return {
        scope: [
            key | _counts(rows) | _entry(DaySums.of(part, names), params, with_bounds=scope in WITH_BOUNDS)
            for key, rows, part in _by(keys, asked, with_losses)
        ]
        for scope, keys in SCOPES.items()
    }


def asked_rows(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the model that was asked: all but the benchmark's, unless the benchmark itself was asked."""
    others = forecasts.filter(pl.col("model") != BENCHMARK)
    return forecasts if others.is_empty() else others


def _entry(sums: DaySums, params: GatesParams, *, with_bounds: bool) -> Document:
    weights = _weights(sums, params) if with_bounds else None
    versions = {v: _bounded(sums, v, weights, params) if with_bounds else _bare(sums, v) for v in VERSIONS}
    return {
        "n_days": sums.n_days,
        "metrics": {name: {v: versions[v][name] for v in VERSIONS} for name in versions["raw"]},
        "dm": {version: _rounded(diebold_mariano(_daily_advantage(sums, version))) for version in VERSIONS},
        "pit": {version: _pit(sums, version, weights) for version in VERSIONS},
    }


def _bare(sums: DaySums, version: str) -> dict[str, Document]:
    return {name: {"value": _round(value)} for name, value in summary(sums, version).items()}


def _bounded(sums: DaySums, version: str, weights: Floats | None, params: GatesParams) -> dict[str, Document]:
    points = _bare(sums, version)
    if weights is None:
        return {name: point | {"ci": None, "se": None} for name, point in points.items()}
    draws = summary(sums, version, weights)
    sides = [1.0 - params.skill_confidence, params.skill_confidence]
    bounds = np.quantile(np.stack([draws[name] for name in points]), sides, axis=1)
    return {
        name: point | {"ci": [_round(bound) for bound in bounds[:, i]], "se": _round(draws[name].std(ddof=1))}
        for i, (name, point) in enumerate(points.items())
    }


def _weights(sums: DaySums, params: GatesParams) -> Floats | None:
    """Draws of days; in blocks as long as the judged series ask for, once there are enough days to tell."""
    if sums.n_days < params.min_ci_days:
        return None
    block_days = 1
    if sums.n_days >= params.block_bootstrap_days:
        block_days = max(block_length(series) for series in _judged_series(sums))
    return day_weights(sums.n_days, block_days, params.bootstrap_reps, params.bootstrap_seed)


def _judged_series(sums: DaySums) -> Iterator[Floats]:
    """Each judged figure as a daily series: what a day adds to its numerator beyond the figure's own value."""
    daily = sums.daily
    for above, below in (("abs", "abs_y"), ("sq", "sq_y"), ("cover_50", "n")):
        part, whole = daily[f"calibrated_{above}"], daily[below]
        yield part - np.nan_to_num(ratio(part.sum(), whole.sum())) * whole


def _daily_advantage(sums: DaySums, version: str) -> Floats:
    daily = sums.daily
    return (daily[f"{version}_abs"] - daily["abs_y"]) / daily["n"]


def _pit(sums: DaySums, version: str, weights: Floats | None) -> Document:
    counts = pit_counts(sums.daily, version)
    test = pit_uniformity(counts.sum(axis=0), None if weights is None else weights @ counts)
    return {"counts": [int(count) for count in counts.sum(axis=0)]} | _rounded(test)


def _with_benchmark(forecasts: pl.DataFrame, scored: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Scored rows with their losses, and the benchmark's own pinball on the same questions beside them."""
    benchmark = forecasts.filter(pl.col("model") == BENCHMARK, ~pl.col("void"), "calibrated")
    pinball = elementary_losses(benchmark).select(
        pl.mean_horizontal(f"{v}_pinball_{level:02d}" for level in LEVELS).alias(f"{v}_benchmark_pinball")
        for v in VERSIONS
    )
    losses = elementary_losses(scored)
    beside = scored.select(FORECAST).join(
        pl.concat([benchmark.select(FORECAST), pinball], how="horizontal"),
        on=FORECAST,
        how="left",
        maintain_order="left",
    )
    added = losses.hstack(beside.drop(FORECAST))
    return scored.drop("crossed").hstack(added), added.columns


def _by(
    keys: list[str], asked: pl.DataFrame, scored: pl.DataFrame
) -> Iterator[tuple[Document, pl.DataFrame, pl.DataFrame]]:
    """Each cell of a scope in order: its name, all its rows, and the scored ones (possibly none)."""
    parts = scored.partition_by(keys, as_dict=True)
    for key, rows in sorted(asked.partition_by(keys, as_dict=True).items()):
        yield dict(zip(keys, key, strict=True)), rows, parts.get(key, scored.clear())


def _counts(rows: pl.DataFrame) -> Document:
    void = rows["void"]
    return {
        "n": int((~void & rows["calibrated"]).sum()),
        "n_void": int(void.sum()),
        "n_uncalibrated": int((~void & ~rows["calibrated"]).sum()),
        "n_crossed": int(rows["crossed"].sum()),
    }


def _rounded(values: Mapping[str, float]) -> Document:
    return {name: _round(value) for name, value in values.items()}


def _round(value: float | Floats) -> float | None:
    return round(float(value), DECIMALS) if np.isfinite(value) else None
