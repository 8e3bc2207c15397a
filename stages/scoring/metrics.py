"""Metrics of the asked model's forecasts, as answered and as calibrated, with their uncertainty.

*Tables*: a document with three lists: `cells` (symbol, history, horizon, method), `by_snapshot` (the same by clock
time, for the stated method, without bounds) and `pooled` (over symbols; relative errors as geometric means); `cells.py`
says which file keeps what. Each entry names its scope and holds `n`, `n_days`, `n_void`, `n_uncalibrated`, `n_crossed`,
`unmoved` (share of outcomes that are exactly 0) and by version `ties` (share exactly on one of the five quantiles), per
metric and version `value`, `ci` and `se`, then `dm` (against persistence) and `pit`. A pooled entry also counts
`n_symbols` and, of those, the `n_symbols_unmoved` whose outcomes never moved and which no relative error includes.
*Time*: rows that are void or not calibrated yet are counted, not scored.
*Units*: as in `figures.py`. `ci` is the pair of one-sided bootstrap bounds at `gates.skill_confidence`, `se` the
deviation of the draws, and a relative error's `floor` its lower bound at `gates.worse_confidence`: all null below
`gates.min_ci_days` days, and where some draw lacks the figure (`inference.py`). No p is written as less than 1e-6.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.gates import GatesParams
from stages.scoring.figures import DaySums, LossRows, Totals, covered_50, pit_counts, ratio, summary
from stages.scoring.inference import block_length, bounds, day_weights, deviation, diebold_mariano, pit_uniformity
from stages.scoring.losses import VERSIONS, elementary_losses
from stages.tables.forecasts import BENCHMARK, LEVELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Document = dict[str, Any]
Parts = Iterable[pl.DataFrame]  # each holds all forecasts of some symbols; no symbol is in two
CELL = ["history_days", "horizon_min", "method"]
SCOPES = {"cells": ["symbol", *CELL], "by_snapshot": ["symbol", *CELL, "snapshot_et"], "pooled": CELL}
WITH_BOUNDS = ("cells", "pooled")
COUNTS = ("n", "n_void", "n_uncalibrated", "n_crossed")
FORECAST = ["symbol", "snapshot_utc", "horizon_min", "history_days", "method"]
RELATIVE = ("rmae", "rrmse")
DECIMALS = 6
LEAST_P = 1e-6  # a smaller value would be written as 0


def score(forecasts: Parts, params: GatesParams, method: str) -> Document:
    """Every metric of the asked model at every scope; `method` is the stated calibration.

    No cell spans two methods, so only one method's losses of some symbols are in memory at a time.
    """
    found: dict[str, list[Document]] = {scope: [] for scope in SCOPES}
    pooled: dict[tuple[Any, ...], list[tuple[Document, DaySums]]] = defaultdict(list)
    for part in forecasts:
        for name in part["method"].unique():
            scopes = SCOPES if name == method else WITH_BOUNDS
            for scope, cell, sums in _cells(part.filter(method=name), scopes):
                if scope == "pooled":
                    pooled[itemgetter(*CELL)(cell)].append((cell, sums))
                else:
                    found[scope].append(cell | _entry(sums, params, with_bounds=scope in WITH_BOUNDS))
    found["pooled"] = [_pooled(parts, params) for parts in pooled.values()]
    return {scope: sorted(found[scope], key=itemgetter(*keys)) for scope, keys in SCOPES.items()}


def asked_rows(forecasts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the asked model: all except the benchmark's, unless the benchmark itself was asked."""
    others = forecasts.filter(pl.col("model") != BENCHMARK)
    return forecasts if others.is_empty() else others


def _cells(forecasts: pl.DataFrame, scopes: Iterable[str]) -> Iterator[tuple[str, Document, DaySums]]:
    """The cells of some scopes with their sums, from forecasts of one calibration method."""
    asked = asked_rows(forecasts).sort(FORECAST)
    scored = asked.filter(~pl.col("void"), "calibrated")
    losses = _with_benchmark(forecasts, scored)
    rows = LossRows.of(scored.select("symbol", "session").hstack(losses), losses.columns)
    for scope in scopes:
        for cell, members in _members(asked, scored, SCOPES[scope]):
            yield scope, cell, rows.by_day(members)


def _pooled(parts: Sequence[tuple[Document, DaySums]], params: GatesParams) -> Document:
    """One cell over all symbols, from its parts."""
    cell = parts[0][0] | {name: sum(one[name] for one, _ in parts) for name in COUNTS}
    sums = DaySums.of_all([one for _, one in parts])
    symbols = {"n_symbols": sums.n_symbols, "n_symbols_unmoved": sums.n_symbols_unmoved}
    return cell | symbols | _entry(sums, params, with_bounds=True)


def _entry(sums: DaySums, params: GatesParams, *, with_bounds: bool) -> Document:
    totals, weights = sums.totals(), day_draws(sums.n_days, _judged_series(sums), params) if with_bounds else None
    drawn = None if weights is None else sums.drawn(weights)
    versions = {version: _figures(totals, drawn, version, params) for version in VERSIONS}
    together = totals.together
    return {
        "n_days": sums.n_days,
        "unmoved": rounded(ratio(together["unmoved"], together["n"])),
        "ties": {version: rounded(ratio(together[f"{version}_tied"], together["n"])) for version in VERSIONS},
        "metrics": {name: {version: versions[version][name] for version in VERSIONS} for name in versions["raw"]},
        "dm": {version: _tested(diebold_mariano(_daily_advantage(sums, version))) for version in VERSIONS},
        "pit": {version: _pit(totals, drawn, version) for version in VERSIONS},
    }


def _figures(totals: Totals, drawn: Totals | None, version: str, params: GatesParams) -> dict[str, Document]:
    values = {name: rounded(value) for name, value in summary(totals, version).items()}
    found: dict[str, Document] = {name: {"value": value, "ci": None, "se": None} for name, value in values.items()}
    for name in RELATIVE:
        found[name]["floor"] = None
    if drawn is None:
        return found
    draws = summary(drawn, version)
    stacked = np.stack([draws[name] for name in values])
    low, high, floor = bounds(
        stacked, [1.0 - params.skill_confidence, params.skill_confidence, 1.0 - params.worse_confidence]
    )
    for i, (figure, se) in enumerate(zip(found.values(), deviation(stacked), strict=True)):
        if np.isfinite(se):
            figure |= {"ci": [rounded(low[i]), rounded(high[i])], "se": rounded(se)}
            figure |= {"floor": rounded(floor[i])} if "floor" in figure else {}
    return found


def day_draws(n_days: int, series: Iterable[Floats], params: GatesParams) -> Floats | None:
    """Draws of days, None below `gates.min_ci_days`; with enough days, in blocks: the median of what the series need.

    The longest would make the bounds of 60 independent days too narrow (docs/EVALUATION.md).
    """
    if n_days < params.min_ci_days:
        return None
    in_blocks = n_days >= params.block_bootstrap_days
    block_days = int(np.median([block_length(one) for one in series])) if in_blocks else 1
    return day_weights(n_days, block_days, params.bootstrap_reps, params.bootstrap_seed)


def _judged_series(sums: DaySums) -> Iterator[Floats]:
    """Each judged figure as a daily series: a day's contribution to the numerator beyond the figure's value."""
    daily = sums.daily
    covered = covered_50(daily, "calibrated")
    for part, below in ((daily["calibrated_abs"], "abs_y"), (daily["calibrated_sq"], "sq_y"), (covered, "n")):
        whole = daily[below]
        yield part - np.nan_to_num(ratio(part.sum(), whole.sum())) * whole


def _daily_advantage(sums: DaySums, version: str) -> Floats:
    daily = sums.daily
    return (daily[f"{version}_abs"] - daily["abs_y"]) / daily["n"]


def _pit(totals: Totals, drawn: Totals | None, version: str) -> Document:
    counts = pit_counts(totals.together, version)
    test = pit_uniformity(counts, None if drawn is None else pit_counts(drawn.together, version))
    return {"counts": [_count(count) for count in counts]} | _tested(test)


def _with_benchmark(forecasts: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Losses of the scored rows, with the benchmark's pinball loss on the same questions."""
    benchmark = forecasts.filter(pl.col("model") == BENCHMARK, ~pl.col("void"), "calibrated")
    pinball = elementary_losses(benchmark).select(
        pl.mean_horizontal(f"{v}_pinball_{level:02d}" for level in LEVELS).alias(f"{v}_benchmark_pinball")
        for v in VERSIONS
    )
    answers = benchmark.select(FORECAST).hstack(pinball)
    beside = scored.select(FORECAST).join(answers, on=FORECAST, how="left", maintain_order="left")
    return elementary_losses(scored).hstack(beside.drop(FORECAST))


def _members(asked: pl.DataFrame, scored: pl.DataFrame, keys: list[str]) -> Iterator[tuple[Document, Ints]]:
    """Each cell of a scope in order: its name and counts, and the rows it scores (possibly none)."""
    counts = (
        ~pl.col("void") & pl.col("calibrated"),
        pl.col("void"),
        ~pl.col("void") & ~pl.col("calibrated"),
        pl.col("crossed"),
    )
    counted = asked.group_by(keys).agg(count.sum().alias(name) for name, count in zip(COUNTS, counts, strict=True))
    places = scored.with_row_index("row").group_by(keys).agg(pl.col("row").sort())
    for cell in counted.join(places, on=keys, how="left").sort(keys).iter_rows(named=True):
        members = np.array(cell.pop("row") or [], dtype=np.int64)
        yield cell, members


def _count(many: float) -> float:
    """A whole number, unless ties were shared out."""
    return int(many) if float(many).is_integer() else round(float(many), DECIMALS)


def _tested(values: Mapping[str, float]) -> Document:
    """A test's statistic and its p."""
    return {name: rounded(max(value, LEAST_P) if name.startswith("p_") else value) for name, value in values.items()}


def rounded(value: float | Floats) -> float | None:
    """Six decimals, null where there is no number, and no zero with a sign."""
    return round(float(value), DECIMALS) + 0.0 if np.isfinite(value) else None
