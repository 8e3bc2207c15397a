"""Long gaps, and whose fault they are: the other symbols tell a halt from a broken feed.

A symbol that is silent while most others trade was halted, or its own feed broke; when most others are silent too, the
feed broke for all (or the market stood still). Alone, nobody can tell. A session without any bar is no gap.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from stages.quality.params import QualityParams
from stages.tables.bars import REAL

MOST = 0.5


def long_gaps(bars: Mapping[str, pl.DataFrame], quality: QualityParams) -> dict[str, list[dict[str, Any]]]:
    """Per symbol: `session, first_minute, minutes, kind` of every gap beyond `quality.max_gap_min`, in order of time.

    *Shapes*: all frames hold the same grid in the same order.
    """
    present = {symbol: frame.select(REAL.cast(pl.Int32)).to_series() for symbol, frame in bars.items()}
    trading = pl.sum_horizontal(present.values()) if present else None
    return {
        symbol: _gaps(frame.select("session", "m", "gap_len", others=trading), len(bars) - 1, quality)
        for symbol, frame in bars.items()
    }


def _gaps(grid: pl.DataFrame, others: int, quality: QualityParams) -> list[dict[str, Any]]:
    """Where a symbol is missing, all that trade are others."""
    share = pl.col("others").mean() / others if others else pl.lit(None, pl.Float64)
    kind = (
        pl.when(share.is_null()).then(pl.lit("alone")).when(share > MOST).then(pl.lit("halt")).otherwise(pl.lit("feed"))
    )
    found = (
        grid.with_columns(n_expected=pl.len().over("session"))
        .filter(pl.col("gap_len") > 0)
        .group_by("session", first_minute=pl.col("m") - pl.col("gap_len") + 1)
        .agg(pl.col("n_expected").first(), minutes=pl.len(), kind=kind)
        .filter(pl.col("minutes") > quality.max_gap_min, pl.col("minutes") < pl.col("n_expected"))
        .sort("session", "first_minute")
    )
    return found.select(pl.col("session").cast(pl.String), "first_minute", "minutes", "kind").to_dicts()
