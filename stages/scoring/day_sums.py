"""Losses summed by day: all that a figure and its uncertainty need to know.

*Units*: whatever the losses are in, summed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.scoring.figures import Sums, figures, ratio, relative_errors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Compared with persistence symbol by symbol; of all other losses the sum over symbols is enough.
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
        days, day = np.unique(self.day[rows], return_inverse=True)
        symbols, symbol = np.unique(self.symbol[rows], return_inverse=True)
        sums = np.zeros((len(symbols), len(days), len(self.names)))
        np.add.at(sums, (symbol, day), self.losses[rows])
        errors = sums[:, :, [self.names.index(name) for name in ERRORS]]
        return DaySums(self.names, days, sums.sum(axis=0), errors)


@dataclass(frozen=True)
class Totals:
    """Sums of all symbols by loss, and of each symbol by those in `ERRORS`. *Shapes*: (...), and (symbols, ...)."""

    together: Sums
    by_symbol: Sums


@dataclass(frozen=True)
class DaySums:
    """Losses summed by day.

    *Shapes*: days (days,), ascending, those with at least one outcome; sums (days, losses) of all symbols; errors
    (symbols, days, errors) of each, in the order of `ERRORS`.
    """

    names: list[str]
    days: Ints
    sums: Floats
    errors: Floats

    @classmethod
    def of_all(cls, parts: Sequence[Self]) -> Self:
        """The sums of all parts, none of which shares a symbol with another."""
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
        """Those of them whose outcomes were all exactly 0."""
        return int((self.totals().by_symbol["abs_y"] == 0).sum())

    @property
    def daily(self) -> Sums:
        """Loss -> one sum a day."""
        return dict(zip(self.names, self.sums.T, strict=True))

    def totals(self) -> Totals:
        """Over all days."""
        return self._named(self.sums.sum(axis=0), self.errors.sum(axis=1))

    def drawn(self, weights: Floats) -> Totals:
        """Over days as often as each was drawn, which all symbols share. *Shapes*: weights (draws, days)."""
        return self._named((weights @ self.sums).T, (weights @ self.errors).transpose(0, 2, 1))

    def _named(self, sums: Floats, errors: Floats) -> Totals:
        by_symbol = np.moveaxis(errors, 1, 0)
        return Totals(dict(zip(self.names, sums, strict=True)), dict(zip(ERRORS, by_symbol, strict=True)))


def summary(totals: Totals, version: str) -> dict[str, Floats]:
    """Every metric of one version: of the common sums, but relative errors as the geometric mean over symbols.

    A symbol whose outcomes never moved has no relative error: it is left out, of the figure and of each draw.
    """
    found = figures(totals.together, version)
    for name, error in relative_errors(totals.by_symbol, version).items():
        if len(error):
            moved = totals.by_symbol["abs_y"] != 0
            with np.errstate(divide="ignore"):
                logs = np.where(moved, np.log(error), 0.0)
            found[name] = np.exp(ratio(logs.sum(axis=0), moved.sum(axis=0)))
    return found
