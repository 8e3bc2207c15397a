"""How long a feed has repeated itself: lengths of stale runs, bar by bar.

*Time*: a length counts bars up to and including its own. Only real bars count: a missing minute neither ends a run nor
makes it longer.
"""

import polars as pl

from stages.tables.bars import PRICES, REAL


def stale_runs(bars: pl.DataFrame) -> pl.DataFrame:
    """Per real bar, by `ts` and its session: `stale_len` equal bars so far, `quiet_len` of them without volume."""
    i = pl.int_range(pl.len())
    names = ("session", *PRICES)  # another session's bar is no repetition
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)
    traded = pl.col("volume") > 0
    return (
        bars.filter(REAL)
        .sort("ts")
        .with_columns(moved=moved)
        .select(
            "ts",
            "session",
            stale_len=i - pl.when("moved").then(i).forward_fill() + 1,
            quiet_len=i - pl.when(traded).then(i + 1).when("moved").then(i).forward_fill() + 1,
        )
    )
