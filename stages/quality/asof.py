"""Is the session in progress sound so far? The verdict that a snapshot may know.

A verdict on the whole session holds its afternoon; using it to drop the same morning's snapshot would look ahead.

*Time*: each row uses the bars of its own session up to and including its `ts`, nothing else.
"""

import polars as pl

from stages.quality.params import QualityParams
from stages.quality.runs import longest_runs, odd_run, stale_runs
from stages.tables.bars import REAL


def broken_rules(quality: QualityParams) -> dict[str, pl.Expr]:
    """The rules that can be judged at any minute, by the reason they give, in the order in which it is told."""
    return {
        "incomplete": pl.col("completeness") < quality.min_session_completeness,
        "sustained_gap": pl.col("longest_gap") > quality.max_gap_min,
        "stale": pl.col("longest_stale") >= pl.col("stale_limit"),
    }


def first_broken(rules: dict[str, pl.Expr]) -> pl.Expr:
    """The reason of the first broken rule, null if all hold."""
    return pl.coalesce(pl.when(broken).then(pl.lit(reason)) for reason, broken in rules.items())


def sound_so_far(bars: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """`ts, sound, reason` for every row of table `Bars`; `reason` is the first broken rule, null while sound."""
    runs = stale_runs(bars)
    return (
        bars.sort("ts")
        .join(runs.drop("session"), on="ts", how="left", maintain_order="left")
        .join(longest_runs(runs, quality).select("session", "usual_stale"), on="session", how="left")
        .sort("ts")
        .select(
            "ts",
            completeness=REAL.cast(pl.Int32).cum_sum().over("session") / (pl.col("m") + 1),
            longest_gap=pl.col("gap_len").cum_max().over("session"),
            longest_stale=pl.col("stale_len").fill_null(0).cum_max().over("session"),
            stale_limit=odd_run(quality.stale_bars_fail, "usual_stale"),
        )
        .select("ts", reason=first_broken(broken_rules(quality)))
        .select("ts", sound=pl.col("reason").is_null(), reason=pl.col("reason"))
    )
