"""Is the session in progress sound so far? The verdict that a snapshot may know.

A verdict on the whole session holds its afternoon; using it to drop the same morning's snapshot would look ahead.

*Time*: each row uses the bars of its own session up to and including its `ts`, nothing else, and whether trading is
halted at its `known_at`.
"""

import polars as pl

from stages.quality.halts import NO_HALTS, closed_at_known, with_absences
from stages.quality.params import QualityParams
from stages.quality.runs import longest_runs, odd_run, stale_runs
from stages.tables.bars import REAL


def broken_rules(quality: QualityParams) -> dict[str, pl.Expr]:
    """The rules that can be judged at any minute, by the reason they give, in the order in which it is told.

    Quiet minutes may come in a row, so no fewer of them make a morning incomplete.
    """
    incomplete = pl.col("completeness") < quality.min_session_completeness
    many = pl.col("n_missing") > quality.quiet_max_min
    return {
        "incomplete": incomplete & many if quality.quiet else incomplete,
        "sustained_gap": pl.col("longest_gap") > quality.absent_min,
        "stale": pl.col("longest_stale") >= pl.col("stale_limit"),
    }


def first_broken(rules: dict[str, pl.Expr]) -> pl.Expr:
    """The reason of the first broken rule, null if all hold."""
    return pl.coalesce(pl.when(broken).then(pl.lit(reason)) for reason, broken in rules.items())


def sound_so_far(bars: pl.DataFrame, quality: QualityParams, halts: pl.DataFrame = NO_HALTS) -> pl.DataFrame:
    """`ts, sound, reason` for every row of table `Bars`; `reason` is the first broken rule, null while sound.

    `quality` and `halts` are those of the symbol. While trading is halted, the reason is `halt`.
    """
    real, halted = (column.cast(pl.Int32).cum_sum().over("session") for column in (REAL, pl.col("halted")))
    rules = {"halt": pl.col("is_closed")} | broken_rules(quality)
    runs = stale_runs(bars)
    return (
        with_absences(bars.sort("ts"), halts)
        .join(runs.drop("session"), on="ts", how="left", maintain_order="left")
        .join(longest_runs(runs, quality).select("session", "usual_stale"), on="session", how="left")
        .sort("ts")
        .select(
            "ts",
            completeness=real / (pl.col("m") + 1 - halted),
            n_missing=pl.col("m") + 1 - halted - real,
            longest_gap=pl.col("absent_min").cum_max().over("session"),
            longest_stale=pl.col("stale_len").fill_null(0).cum_max().over("session"),
            is_closed=closed_at_known(halts),
            stale_limit=odd_run(quality.stale_bars_fail, "usual_stale"),
        )
        .select("ts", reason=first_broken(rules))
        .select("ts", sound=pl.col("reason").is_null(), reason=pl.col("reason"))
    )
