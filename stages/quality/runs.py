"""How long a feed has repeated itself: lengths of stale runs, bar by bar, and which of them are odd.

*Time*: a length counts bars up to and including its own. Only real bars count: a missing minute neither ends a run nor
makes it longer. What is usual in a name is taken from earlier sessions.
"""

import polars as pl

from stages.quality.params import QualityParams
from stages.tables.bars import PRICES, REAL

TIMES_USUAL = 3  # the longest run of a calm day against that of a usual one


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


def longest_runs(runs: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """By session: `longest_stale` and `longest_quiet`, and `usual_stale` and `usual_quiet`, of the sessions before."""
    longest = pl.col("longest_stale", "longest_quiet")
    before = longest.shift(1).rolling_median(quality.low_volume_past_sessions, min_samples=1)
    return (
        runs.group_by("session")
        .agg(longest_stale=pl.col("stale_len").max(), longest_quiet=pl.col("quiet_len").max())
        .sort("session")
        .with_columns(before.name.map(lambda name: name.replace("longest", "usual")))
    )


def odd_run(least: int, usual: str) -> pl.Expr:
    """How many repeated bars in a row are odd: `least`, or more in a name whose bars often repeat.

    On the first session nobody knows what is usual: there it takes more as well.
    """
    return pl.max_horizontal(pl.lit(least), (TIMES_USUAL * pl.col(usual)).fill_null(TIMES_USUAL * least))
