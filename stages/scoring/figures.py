"""Figures (metrics) from losses summed by day.

Functions take a mapping from loss name to array and work alike on one total and on many resampled totals. A figure
without a denominator is NaN.

Ties: where prices move in coarse ticks, many outcomes are exactly on a quantile. A quantile q of level t is correct
when `P(y < q) <= t <= P(y <= q)`, so a tie may count as at or below q, or above it. The number of ties that count as
below is the one that brings the share nearest to the level; without ties there is no choice.

*Units*: those of the losses, summed.
*Source*: Gneiting, Raftery (2007) for pinball, CRPS and interval score; Hyndman, Koehler (2006) for relative errors;
Gneiting, Wolffram, Resin and others (2023), Model Diagnostics and Forecast Evaluation for Quantiles, for ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.tables.forecasts import LEVELS

Floats = NDArray[np.float64]
Sums = Mapping[str, Floats]


def relative_errors(sums: Sums, version: str) -> dict[str, Floats]:
    """Errors of the median divided by those of persistence, which forecasts no move."""
    return {
        "rmae": ratio(sums[f"{version}_abs"], sums["abs_y"]),
        "rrmse": np.sqrt(ratio(sums[f"{version}_sq"], sums["sq_y"])),
    }


def figures(sums: Sums, version: str) -> dict[str, Floats]:
    """Every metric of one version. *Units*: bp where the name says so; the rest are ratios and shares."""
    n = sums["n"]

    def mean(loss: str) -> Floats:
        return ratio(sums[f"{version}_{loss}"], n)

    pinball = np.mean([sums[f"{version}_pinball_{level:02d}"] for level in LEVELS], axis=0)
    counts = hit_counts(sums, version)
    hits = {level: ratio(count, n) for level, count in counts.items()}
    return {
        **relative_errors(sums, version),
        "mae_bp": mean("abs"),
        "rmse_bp": np.sqrt(mean("sq")),
        "pinball_bp": ratio(pinball, n),
        "crps_bp": 2.0 * ratio(pinball, n),
        "crps_skill": 1.0 - ratio(pinball, sums[f"{version}_benchmark_pinball"]),
        "coverage_50": ratio(counts[75] - counts[25], n),
        "coverage_90": ratio(counts[95] - counts[5], n),
        **{f"hit_{level:02d}": hits[level] for level in LEVELS},
        "calibration_error": np.mean([np.abs(hits[level] - level / 100) for level in LEVELS], axis=0),
        "interval_score_50_bp": mean("interval_50"),
        "interval_score_90_bp": mean("interval_90"),
        "sharpness_50_bp": mean("width_50"),
        "sharpness_90_bp": mean("width_90"),
    }


def hit_counts(sums: Sums, version: str) -> dict[int, Floats]:
    """Level -> number of outcomes that count as at or below its quantile, with ties shared out as the level needs.

    Without ties these are whole numbers.
    """
    found = {}
    for level in LEVELS:
        most, ties = sums[f"{version}_hit_{level:02d}"], sums[f"{version}_tie_{level:02d}"]
        found[level] = np.clip(level / 100 * sums["n"], most - ties, most)
    return found


def covered_50(sums: Sums, version: str) -> Floats:
    """Outcomes inside [q25, q75], both ends always included."""
    below = sums[f"{version}_hit_25"] - sums[f"{version}_tie_25"]
    return sums[f"{version}_hit_75"] - below


def pit_counts(sums: Sums, version: str) -> Floats:
    """Outcomes at or below q25, up to q50, up to q75, above: the discrete PIT. *Shapes*: (..., 4)."""
    counts = hit_counts(sums, version)
    upto = [counts[level] for level in (25, 50, 75)]
    edges = np.stack([np.zeros_like(sums["n"]), *upto, sums["n"]], axis=-1)
    return np.diff(edges, axis=-1)


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient, NaN where the denominator is zero."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    quotient = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


Ints = NDArray[np.int64]
# Compared with persistence symbol by symbol; other losses are only summed over symbols.
ERRORS = ("abs_y", "sq_y", "raw_abs", "raw_sq", "calibrated_abs", "calibrated_sq")


@dataclass(frozen=True)
class LossRows:
    """Losses of single forecasts as arrays. *Shapes*: losses (n, names); symbol and day (n,), days since 1970-01-01."""

    names: list[str]
    losses: Floats
    symbol: Ints
    day: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, names: list[str]) -> Self:
        """The named columns of a frame with `symbol` and `session`."""
        symbol = frame["symbol"].rank("dense").to_numpy().astype(np.int64)
        return cls(names, frame.select(names).to_numpy(), symbol, frame["session"].to_physical().to_numpy())

    def by_day(self, rows: Ints) -> "DaySums":
        """The sums of some rows."""
        symbol, day, losses = self.symbol[rows], self.day[rows], self.losses[rows]
        starts = np.flatnonzero(np.diff(symbol, prepend=-1) | np.diff(day, prepend=-1))
        days, at = np.unique(day[starts], return_inverse=True)
        symbols, of = np.unique(symbol[starts], return_inverse=True)
        sums = np.zeros((len(symbols), len(days), len(self.names)))
        if len(rows):
            np.add.at(sums, (of, at), np.add.reduceat(losses, starts, axis=0))
        errors = sums[:, :, [self.names.index(name) for name in ERRORS]]
        return DaySums(self.names, days, sums.sum(axis=0), errors)


@dataclass(frozen=True)
class Totals:
    """Sums of all symbols by loss, and those in `ERRORS` of each symbol. *Shapes*: (...), and (symbols, ...)."""

    together: Sums
    by_symbol: Sums


@dataclass(frozen=True)
class DaySums:
    """Losses summed by day.

    *Shapes*: days (days,), ascending, only those with an outcome; sums (days, losses) of all symbols; errors (symbols,
    days, errors) of each symbol, in the order of `ERRORS`. Of several cells `beside` each other: sums (cells, days,
    losses) and errors (symbols, cells, days, errors), and every figure is one a cell.
    """

    names: list[str]
    days: Ints
    sums: Floats
    errors: Floats

    @classmethod
    def of_all(cls, parts: Sequence[Self]) -> Self:
        """The sums of all parts; no symbol is in two parts."""
        days = np.unique(np.concatenate([one.days for one in parts]))
        sums = np.zeros((len(days), len(parts[0].names)))
        errors = np.zeros((sum(len(one.errors) for one in parts), len(days), len(ERRORS)))
        first = 0
        for one in parts:
            at, stop = np.searchsorted(days, one.days), first + len(one.errors)
            sums[at] += one.sums
            errors[first:stop, at] = one.errors
            first = stop
        return cls(parts[0].names, days, sums, errors)

    @classmethod
    def beside(cls, cells: Sequence[Self]) -> Self:
        """Cells with as many days and symbols each; the days are those of the first."""
        sums, errors = np.stack([one.sums for one in cells]), np.stack([one.errors for one in cells], axis=1)
        return cls(cells[0].names, cells[0].days, sums, errors)

    def some(self, cells: Sequence[int]) -> Self:
        """Some of the cells that lie beside each other."""
        return replace(self, sums=self.sums[cells], errors=self.errors[:, cells])

    @property
    def n_days(self) -> int:
        """Days with at least one outcome."""
        return len(self.days)

    @property
    def n_symbols(self) -> int:
        """Symbols with at least one outcome."""
        return len(self.errors)

    @property
    def n_symbols_unmoved(self) -> int:
        """Symbols whose outcomes were all exactly 0."""
        return int((self.totals().by_symbol["abs_y"] == 0).sum())

    @property
    def daily(self) -> Sums:
        """Loss -> one sum a day."""
        return dict(zip(self.names, np.moveaxis(self.sums, -1, 0), strict=True))

    def totals(self) -> Totals:
        """Sums over all days."""
        return self._named(self.sums.sum(axis=-2), self.errors.sum(axis=-2))

    def drawn(self, weights: Floats) -> Totals:
        """Sums over drawn days, the same days for all symbols. *Shapes*: weights (draws, days)."""
        drawn = (np.moveaxis(np.moveaxis(values, -2, -1) @ weights.T, -2, -1) for values in (self.sums, self.errors))
        return self._named(*drawn)

    def _named(self, sums: Floats, errors: Floats) -> Totals:
        together, by_symbol = np.moveaxis(sums, -1, 0), np.moveaxis(errors, -1, 0)
        return Totals(dict(zip(self.names, together, strict=True)), dict(zip(ERRORS, by_symbol, strict=True)))


def summary(totals: Totals, version: str) -> dict[str, Floats]:
    """Every metric of one version from the total sums; relative errors are the geometric mean over symbols.

    A symbol whose outcomes never moved has no relative error: it is left out of the figure and of each draw.
    """
    found = figures(totals.together, version)
    for name, error in relative_errors(totals.by_symbol, version).items():
        if len(error):
            moved = totals.by_symbol["abs_y"] != 0
            with np.errstate(divide="ignore"):
                logs = np.where(moved, np.log(error), 0.0)
            found[name] = np.exp(ratio(logs.sum(axis=0), moved.sum(axis=0)))
    return found
