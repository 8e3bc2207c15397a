"""The verdict on a session in progress, as a snapshot may know it, and runs of repeated bars.

The verdict on a complete session includes its afternoon; using it to drop a snapshot of the same morning would look
ahead. A stale run counts real bars only: a missing minute neither ends nor extends it.

*Time*: each row uses only bars of its own session up to and including its `ts`, and whether trading is halted at its
`known_at`. The usual run length of a symbol comes from earlier sessions.
"""

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.halts import NO_HALTS, closed_at_known, with_absences
from stages.tables.market import PRICES, REAL

TIMES_USUAL = 3  # longest run of a calm day over that of a usual day


def stale_runs(bars: pl.DataFrame) -> pl.DataFrame:
    """Per real bar, by `ts` and its session: `stale_len` equal bars so far, `quiet_len` of them without volume."""
    i = pl.int_range(pl.len())
    names = ("session", *PRICES)  # bars of different sessions do not repeat each other
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
    """By session: `longest_stale` and `longest_quiet`, and `usual_stale` and `usual_quiet` of earlier sessions."""
    longest = pl.col("longest_stale", "longest_quiet")
    before = longest.shift(1).rolling_median(quality.low_volume_past_sessions, min_samples=1)
    return (
        runs.group_by("session")
        .agg(longest_stale=pl.col("stale_len").max(), longest_quiet=pl.col("quiet_len").max())
        .sort("session")
        .with_columns(before.name.map(lambda name: name.replace("longest", "usual")))
    )


def odd_run(least: int, usual: str) -> pl.Expr:
    """The length of an odd run of repeated bars: `least`, or more for a symbol whose bars often repeat.

    In the first session the usual length is unknown and counts as `least`.
    """
    return pl.max_horizontal(pl.lit(least), (TIMES_USUAL * pl.col(usual)).fill_null(TIMES_USUAL * least))


def broken_rules(quality: QualityParams) -> dict[str, pl.Expr]:
    """Rules that can be judged at any minute, by their reason, in order of priority.

    Quiet minutes may come in a row, so a few of them do not make a morning incomplete.
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
        .with_columns(pl.col("session").set_sorted())  # sums by session are faster
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
