"""Losses summed by day: all that a figure and its uncertainty need to know.

*Units*: whatever the losses are in, summed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.scoring.figures import Sums, figures, relative_errors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LossRows:
    """Losses of single forecasts as arrays. *Shapes*: losses (n, names), symbol and day (n,) as numbers."""

    names: list[str]
    losses: Floats
    symbol: Ints
    day: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, names: list[str]) -> Self:
        """The named columns of a frame with `symbol` and `session`."""
        symbol, day = (frame[name].rank("dense").to_numpy().astype(np.int64) for name in ("symbol", "session"))
        return cls(names, frame.select(names).to_numpy(), symbol, day)

    def by_day(self, rows: Ints) -> "DaySums":
        """The sums of some rows."""
        days, day = np.unique(self.day[rows], return_inverse=True)
        symbols, symbol = np.unique(self.symbol[rows], return_inverse=True)
        sums = np.zeros((max(len(symbols), 1), len(days), len(self.names)))
        np.add.at(sums, (symbol, day), self.losses[rows])
        return DaySums(self.names, sums)


@dataclass(frozen=True)
class DaySums:
    """Losses summed by symbol and day. *Shapes*: sums (symbols, days, losses), at least one symbol."""

    names: list[str]
    sums: Floats

    @property
    def n_days(self) -> int:
        """Days with at least one outcome."""
        return int(self.sums.shape[1])

    @property
    def daily(self) -> Sums:
        """Loss -> one sum a day."""
        return dict(zip(self.names, self.sums.sum(axis=0).T, strict=True))

    def totals(self) -> Sums:
        """Loss -> (symbols,)."""
        return dict(zip(self.names, self.sums.sum(axis=1).T, strict=True))

    def drawn(self, weights: Floats) -> Sums:
        """Loss -> (symbols, draws); all from one product, since every symbol shares the drawn days."""
        n_symbols, n_days, n_losses = self.sums.shape
        flat = self.sums.transpose(1, 0, 2).reshape(n_days, n_symbols * n_losses)
        drawn = (weights @ flat).T.reshape(n_symbols, n_losses, len(weights))
        return dict(zip(self.names, drawn.transpose(1, 0, 2), strict=True))


def together(by_symbol: Sums) -> Sums:
    """The sums of all symbols."""
    return {name: sums.sum(axis=0) for name, sums in by_symbol.items()}


def summary(by_symbol: Sums, version: str) -> dict[str, Floats]:
    """Every metric of one version: of the common sums, but relative errors as the geometric mean over symbols."""
    with np.errstate(divide="ignore"):
        logs = {name: np.log(error) for name, error in relative_errors(by_symbol, version).items()}
    return figures(together(by_symbol), version) | {name: np.exp(log.mean(axis=0)) for name, log in logs.items()}
