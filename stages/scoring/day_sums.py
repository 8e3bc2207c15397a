"""Losses summed by day: all that a figure and its uncertainty need to know.

*Units*: whatever the losses are in, summed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.scoring.figures import figures, relative_errors

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DaySums:
    """Losses summed by day, one part a symbol. *Shapes*: parts (symbols, days, losses)."""

    names: list[str]
    parts: Floats

    @classmethod
    def of(cls, frame: pl.DataFrame, names: list[str]) -> Self:
        """Sum the named columns by symbol and session."""
        days = _index(frame["session"])
        symbols = _index(frame["symbol"])
        parts = np.zeros((symbols.max(initial=-1) + 1, days.max(initial=-1) + 1, len(names)))
        np.add.at(parts, (symbols, days), frame.select(names).to_numpy())
        return cls(names, parts)

    @property
    def n_days(self) -> int:
        """Days with at least one outcome."""
        return int(self.parts.shape[1])

    @property
    def daily(self) -> dict[str, Floats]:
        """Loss -> one sum a day."""
        return self._named(self.parts.sum(axis=0))

    def totals(self, weights: Floats | None = None) -> list[dict[str, Floats]]:
        """Loss -> total, per symbol; with weights, one total a draw."""
        summed = [part.sum(axis=0) if weights is None else weights @ part for part in self.parts]
        return [self._named(one) for one in summed]

    def _named(self, sums: Floats) -> dict[str, Floats]:
        return {name: sums[..., i] for i, name in enumerate(self.names)}


def summary(sums: DaySums, version: str, weights: Floats | None = None) -> dict[str, Floats]:
    """Every metric of one version: of the totals, but relative errors as the geometric mean over symbols."""
    parts = sums.totals(weights)
    if not parts:
        return figures({name: np.zeros(()) for name in sums.names}, version)
    pooled = figures({name: np.sum([part[name] for part in parts], axis=0) for name in sums.names}, version)
    by_symbol = [relative_errors(part, version) for part in parts]
    with np.errstate(divide="ignore"):
        for name in by_symbol[0]:
            pooled[name] = np.exp(np.mean([np.log(errors[name]) for errors in by_symbol], axis=0))
    return pooled


def _index(column: pl.Series) -> NDArray[np.int64]:
    return column.rank("dense").cast(pl.Int64).to_numpy() - 1
