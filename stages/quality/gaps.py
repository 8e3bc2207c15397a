"""Long gaps, and whose fault they are: the other symbols tell a halt from a broken feed.

A symbol that is silent while most others trade was halted, or its own feed broke; when most others are silent too, the
feed broke for all (or the market stood still). Alone, nobody can tell. A session without any bar is no gap.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.quality.params import QualityParams
from stages.tables.bars import REAL


@dataclass(frozen=True)
class Silence:
    """When one symbol was silent: small enough to be held for all symbols at once.

    *Tables*: `gaps` has `session, first_minute, minutes`, and `row`, the first of them on the grid, in order of time.
    """

    gaps: pl.DataFrame
    real: bytes  # which rows of the grid hold a real bar: a bit each, compressed
    rows: int

    def trading(self) -> NDArray[np.uint8]:
        """1 on every row of the grid with a real bar, else 0."""
        return np.unpackbits(np.frombuffer(zlib.decompress(self.real), np.uint8), count=self.rows)


def silence_of(bars: pl.DataFrame, quality: QualityParams) -> Silence:
    """Every gap of a symbol beyond `quality.max_gap_min` that is no whole session, and when it traded."""
    gaps = (
        bars.select("session", "m", "gap_len", n_expected=pl.len().over("session"))
        .with_row_index("row")
        .filter(pl.col("gap_len") > 0)
        .group_by("session", first_minute=pl.col("m") - pl.col("gap_len") + 1)
        .agg(pl.col("n_expected").first(), pl.col("row").min(), minutes=pl.len())
        .filter(pl.col("minutes") > quality.max_gap_min, pl.col("minutes") < pl.col("n_expected"))
        .sort("session", "first_minute")
    )
    real = np.packbits(bars.select(REAL).to_series().to_numpy())
    return Silence(gaps.drop("n_expected"), zlib.compress(real.tobytes()), bars.height)


def trading_symbols(silences: Iterable[Silence]) -> NDArray[np.int64]:
    """How many of at least one symbol had a real bar, by row of the grid that all hold in the same order."""
    total: NDArray[np.int64] | None = None
    for one in silences:
        total = one.trading().astype(np.int64) if total is None else total + one.trading()
    return np.zeros(0, np.int64) if total is None else total


def long_gaps(silences: Mapping[str, Silence], quality: QualityParams) -> dict[str, list[dict[str, Any]]]:
    """Per symbol: `session, first_minute, minutes, kind` of every long gap, in order of time.

    *Shapes*: all symbols hold the same grid in the same order.
    """
    trading = trading_symbols(silences.values())
    return {
        symbol: [
            {
                "session": str(gap["session"]),
                "first_minute": gap["first_minute"],
                "minutes": gap["minutes"],
                "kind": _kind(gap, trading, len(silences) - 1, quality),
            }
            for gap in one.gaps.iter_rows(named=True)
        ]
        for symbol, one in silences.items()
    }


def _kind(gap: dict[str, Any], trading: NDArray[np.int64], others: int, quality: QualityParams) -> str:
    """Where a symbol is missing, all that trade are others."""
    if not others:
        return "alone"
    share = float(trading[gap["row"] : gap["row"] + gap["minutes"]].mean()) / others
    return "halt" if share > quality.halt_min_trading_share else "feed"
