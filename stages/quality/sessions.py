"""The verdict on each session: what was expected, what was delivered, and which checks fired.

*Tables*: one row a session of the calendar, in order; a column named like a check counts the bars that it marks (or is
1).
*Time*: a verdict uses the complete session, so it may judge history and void outcomes; for the session in progress use
`asof`.
"""

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.asof import broken_rules, first_broken, longest_runs, odd_run, stale_runs
from stages.quality.halts import NO_HALTS, with_absences
from stages.quality.ingest import Ingested
from stages.tables.market import PRICES, REAL

BAR_MARKS = ("PX1", "PX2", "PX6", "PX7", "PX8", "VOL1", "VOL2", "HLT1", "off_print")
WARNINGS = ("TS6", "TS8", "CMP4", "PX4", "PX5", "PX7", "VOL3")
HALTED = "halted"  # the reason of a session that halts cover: the feed owes no bar of it
FLOAT32_NOISE = 2.0**-23  # of a price: half a float32 step, and as much for its decimals


def judge_sessions(  # noqa: PLR0913, PLR0917  # the bars, and all that was found of them
    bars: pl.DataFrame,
    ingested: Ingested,
    marks: pl.DataFrame,
    calendar: pl.DataFrame,
    quality: QualityParams,
    halts: pl.DataFrame = NO_HALTS,
) -> pl.DataFrame:
    """Counts, marks, `verdict` (pass, warn, fail) and `reason` (of a fail) per session.

    `marks` holds findings from before bars were removed: `session, PX4, level_run, TS8, copied_from`.
    """
    counted = _counted(with_absences(bars, halts), quality).with_columns(VOL3=_odd_volume(quality))
    joined = calendar.select("session").join(counted, on="session", how="left")
    for faults in (ingested.conflicts, ingested.tails, marks):
        joined = joined.join(faults, on="session", how="left")
    return with_verdicts(
        joined.with_columns(pl.col("TS3", "TS6", *WARNINGS).cast(pl.Int64).fill_null(0))
        .with_columns(n_raw=pl.col("n_raw") + pl.col("conflicting").fill_null(0))
        .drop("conflicting")
        .sort("session"),
        quality,
    )


def with_further_halts(
    days: pl.DataFrame, gaps: pl.DataFrame, halts: pl.DataFrame, quality: QualityParams
) -> pl.DataFrame:
    """The sessions as they would be judged with these halts listed too; each is within a long gap (`Silence`)."""
    within = halts.sort("halted_at").join_asof(gaps, left_on="halted_at", right_on="ts")
    ends = pl.min_horizontal("resumed_at", pl.col("ts") + pl.duration(minutes=pl.col("minutes")))
    minutes = (ends - pl.col("halted_at")).dt.total_minutes().clip(lower_bound=0)
    by_gap = within.group_by("ts").agg(further=minutes.sum())
    further = (
        gaps.join(by_gap, on="ts", how="left")
        .with_columns(pl.col("further").fill_null(0))
        .group_by("session")
        .agg(pl.col("further").sum(), longest=(pl.col("absent") - pl.col("further")).max())
    )
    return with_verdicts(
        days.join(further, on="session", how="left", maintain_order="left")
        .with_columns(pl.col("HLT1", "n_missing").cast(pl.Int64), pl.col("further").fill_null(0))
        .with_columns(
            HLT1=pl.col("HLT1") + pl.col("further"),
            n_missing=pl.col("n_missing") - pl.col("further"),
            longest_gap=pl.when(pl.col("further") > 0).then("longest").otherwise("longest_gap").cast(pl.Int32),
        )
        .drop("further", "longest"),
        quality,
    )


def with_verdicts(counted: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """The counted sessions with `completeness`, `reason` and `verdict`."""
    warned = pl.any_horizontal(pl.col(WARNINGS) > 0)
    open_min = pl.max_horizontal(pl.col("n_expected") - pl.col("HLT1"), pl.lit(1))
    return (
        counted.with_columns(completeness=(open_min - pl.col("n_missing")) / open_min)
        .with_columns(reason=first_broken(_reasons(quality)))
        .with_columns(
            verdict=pl.when(pl.col("reason").is_not_null())
            .then(pl.lit("fail"))
            .when(warned)
            .then(pl.lit("warn"))
            .otherwise(pl.lit("pass"))
        )
    )


def _reasons(quality: QualityParams) -> dict[str, pl.Expr]:
    """Why a session is dropped, in order of priority."""
    return {
        "level_jump": pl.col("level_run") > quality.absent_min,
        HALTED: pl.col("HLT1") == pl.col("n_expected"),
        "no_data": pl.col("n_raw") == 0,
        "conflicting_rows": pl.col("TS3") > 0,
        "no_sound_bar": pl.col("n_missing") + pl.col("HLT1") == pl.col("n_expected"),
        **broken_rules(quality),
    }


def _counted(bars: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """Sums over the bars of each session."""
    moved = pl.col("close") != pl.col("close").shift(1).over("session")
    marked = bars.with_columns(
        VOL2=(REAL & (pl.col("volume") == 0) & moved).fill_null(value=False),
        PX6=REAL & _off_grid(quality.tick_size, quality),
    )
    off_tick = (marked["PX6"].sum() or 0) > quality.off_tick_share * marked.select(REAL.sum()).item()
    finer = REAL & _off_grid(quality.tick_size * quality.print_step_ticks, quality) if off_tick else pl.lit(value=False)
    marked = marked.with_columns(off_print=finer)
    counts = marked.group_by("session", maintain_order=True).agg(
        n_expected=pl.len().cast(pl.Int64),
        n_raw=pl.col("delivered").sum().cast(pl.Int64),
        n_missing=(~REAL & ~pl.col("halted")).sum().cast(pl.Int64),
        n_filled=pl.col("is_filled").sum().cast(pl.Int64),
        n_gaps=((pl.col("absent_min") == 1) & ~pl.col("halted")).sum().cast(pl.Int64),
        n_without_volume=(REAL & (pl.col("volume") == 0)).sum().cast(pl.Int64),
        longest_gap=pl.col("absent_min").max(),
        CMP4=(pl.col("absent_min").first() > 0) & (not quality.quiet),
        mean_volume=pl.col("volume").filter(REAL).mean(),
        **{mark: pl.col(mark).sum().cast(pl.Int64) for mark in BAR_MARKS},
    )
    stale = pl.col("longest_stale") >= odd_run(quality.stale_bars, "usual_stale")
    quiet = pl.col("longest_quiet") >= odd_run(quality.stale_bars_no_volume, "usual_quiet")
    return (
        counts.join(longest_runs(stale_runs(bars), quality), on="session", how="left", maintain_order="left")
        .with_columns(
            pl.col("longest_stale").fill_null(0),
            PX5=stale | quiet,
            stale_limit=odd_run(quality.stale_bars_fail, "usual_stale"),
        )
        .drop("longest_quiet", "usual_stale", "usual_quiet")
    )


def _off_grid(step: float, quality: QualityParams) -> pl.Expr:
    """Some price is not a multiple of the step, by more than a vendor's float32 would explain."""
    prices = pl.col(PRICES)
    noise = prices * FLOAT32_NOISE + quality.off_tick_tolerance_ticks * quality.tick_size
    return pl.any_horizontal((prices - (prices / step).round() * step).abs() > noise)


def _odd_volume(quality: QualityParams) -> pl.Expr:
    """The session's volume a minute is far below or above the median of earlier sessions."""
    usual = pl.col("mean_volume").shift(1).rolling_median(quality.low_volume_past_sessions, min_samples=1)
    low, high = quality.low_volume_share * usual, quality.high_volume_ratio * usual
    return (pl.col("mean_volume") < low) | ((usual > 0) & (pl.col("mean_volume") > high))
