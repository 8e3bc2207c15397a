"""The deviation of a day's advantage, estimated from free forecasts before anything is bought.

Pairs of free forecasts stand for the asked one and the best free one: `close` are ewma_fhs and har, `usual` are
persistence and the mix, `far` are seasonal and the mix. A pair that is missing or does not differ is replaced by the
first of the others that does; the last choice is the asked forecaster, if it is itself free, with the mix. The mix
leaves that one out, as in the study. A day counts if at least half of the symbols are answered.

*Tables*: `Quantiles` of free forecasts with outcomes (`calibration.past.with_outcomes`).
*Units*: deviations of a day are shares of the expected loss.
*Time*: days before the first asked session if there are enough, else the first days of the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from stages.calibration.methods import as_answered
from stages.calibration.mix import free_mix
from stages.tables.forecasts import FREE, MIX
from stages.worth.day_values import SHAPE, compare, day_values

PAIRS = {"usual": ("persistence", MIX), "close": ("ewma_fhs", "har"), "far": ("seasonal", MIX)}
ENOUGH_DAYS = 10
SESSIONS = 20  # the first days of the record that are used if too few come before the first asked session


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the study asks: symbols, judged horizon, and name of the asked forecaster; and `worth.eta`."""

    symbols: Sequence[str]
    horizon_min: int
    asked: str
    eta: float


@dataclass(frozen=True, kw_only=True)
class Deviations:
    """Deviations of a day's advantage by pair, and of the usual pair on one snapshot or one symbol only.

    `days` is the number of days used, `usual` the names of the usual pair or its replacement. A snapshot or symbol with
    fewer than two days is left out.
    """

    days: int
    usual: tuple[str, str]
    pairs: dict[str, float]
    by_snapshot: dict[str, float]
    by_symbol: dict[str, float]


def deviations(free: pl.DataFrame, first_asked: date, asking: Asking) -> Deviations | None:
    """The deviations, or None if no pair differs on two days or more, as with one candidate."""
    symbols, horizon_min = asking.symbols, asking.horizon_min
    names = {name.removeprefix(FREE) for name in free["model"].unique()}
    days = early_days(free, first_asked, symbols)
    days = days if len(days) >= ENOUGH_DAYS else _days(free, symbols)[:SESSIONS]
    if not (days and names - {asking.asked}):
        return None
    every = PAIRS | {"asked": (asking.asked, MIX)}
    pairs = {kind: pair for kind, pair in every.items() if set(pair) <= {*names, MIX}}
    rows = free.filter(pl.col("session").is_in(days))
    sides = _by_name(rows.filter(horizon_min=horizon_min), asking)
    sds = {kind: _deviation(sides[a], sides[b], symbols, horizon_min) for kind, (a, b) in pairs.items()}
    sds = {kind: sd for kind, sd in sds.items() if sd > 0}
    if not sds:
        return None
    usual = pairs[next(iter(sds))]

    def alone(column: str) -> dict[str, float]:
        parts = {
            value: [sides[name].filter(pl.col(column) == value) for name in usual]
            for value in sorted(rows[column].unique())
        }
        chosen = {value: [value] if column == "symbol" else symbols for value in parts}
        by_value = {value: _deviation(a, b, chosen[value], horizon_min) for value, (a, b) in parts.items()}
        return {value: sd for value, sd in by_value.items() if np.isfinite(sd)}

    spread = {kind: sds.get(kind, next(iter(sds.values()))) for kind in PAIRS}
    return Deviations(
        days=len(days),
        usual=usual,
        pairs=spread,
        by_snapshot=alone("snapshot_et"),
        by_symbol=alone("symbol"),
    )


def early_days(free: pl.DataFrame, first_asked: date, symbols: Sequence[str]) -> list[date]:
    """The days before the first asked session that count."""
    return [day for day in _days(free, symbols) if day < first_asked]


def _days(free: pl.DataFrame, symbols: Sequence[str]) -> list[date]:
    """The days that count, oldest first."""
    answered = free.group_by("session").agg(n=pl.col("symbol").n_unique()).sort("session")
    days: list[date] = answered.filter(2 * pl.col("n") >= len(symbols))["session"].to_list()
    return days


def _by_name(free: pl.DataFrame, asking: Asking) -> dict[str, pl.DataFrame]:
    """The forecasts as answered by name, in the columns that a comparison reads, and their mix."""
    mixed, _ = free_mix(free, asking.asked, asking.eta)
    rows = as_answered(pl.concat([free.select(mixed.columns), mixed])).with_columns(calibrated=pl.lit(True))
    parts = rows.partition_by("model", as_dict=True)
    return {str(model).removeprefix(FREE): part for (model,), part in parts.items()}


def _deviation(a: pl.DataFrame, b: pl.DataFrame, symbols: Sequence[str], horizon_min: int) -> float:
    """The deviation of the days of a pair; NaN for fewer than two days."""
    x = day_values(compare(a, b).questions, f"{SHAPE}_calibrated", symbols, horizon_min).table["x"].to_numpy()
    return float(np.std(x, ddof=1)) if len(x) > 1 else float("nan")
