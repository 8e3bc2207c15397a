"""The verdict on each session: what was expected, what came, which checks spoke.

*Tables*: one row a session of the calendar, in order; a column named like a check counts the bars (or says 1) that it
marks.
*Time*: a verdict uses the whole session, so it may judge history and void outcomes; for the session in progress there
is `asof`.
"""

import polars as pl

from stages.quality.asof import broken_rules, first_broken
from stages.quality.halts import NO_HALTS, with_absences
from stages.quality.ingest import Ingested
from stages.quality.params import QualityParams
from stages.quality.runs import stale_runs
from stages.tables.bars import PRICES, REAL

BAR_MARKS = ("PX1", "PX2", "PX6", "VOL1", "VOL2", "HLT1")
WARNINGS = ("TS6", "CMP4", "PX4", "PX5", "VOL3")


def judge_sessions(
    bars: pl.DataFrame,
    ingested: Ingested,
    calendar: pl.DataFrame,
    quality: QualityParams,
    halts: pl.DataFrame = NO_HALTS,
) -> pl.DataFrame:
    """Counts, marks, `verdict` (pass, warn, fail) and `reason` (of a fail) per session."""
    counted = _counted(with_absences(bars, halts), quality).with_columns(
        PX4=_split_suspect(quality),
        VOL3=_low_volume(quality),
    )
    joined = calendar.select("session").join(counted, on="session", how="left")
    for faults in (ingested.conflicts, ingested.tails):
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
    """The same sessions if these halts, each within one of the long `gaps` (see `Silence`), had been listed as well."""
    within = gaps.join_asof(halts.sort("halted_at"), left_on="ts", right_on="halted_at", strategy="forward")
    ends = pl.min_horizontal("resumed_at", pl.col("ts") + pl.duration(minutes=pl.col("minutes")))
    minutes = (ends - pl.col("halted_at")).dt.total_minutes().clip(lower_bound=0).fill_null(0)
    further = (
        within.with_columns(further=minutes)
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
    """Sessions as counted beside `completeness`, `reason` and `verdict`."""
    warned = pl.any_horizontal(pl.col(WARNINGS) > 0)
    open_min = pl.max_horizontal(pl.col("n_expected") - pl.col("HLT1"), pl.lit(1))
    return (
        counted.with_columns(completeness=1 - pl.col("n_missing") / open_min)
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
    """Why a session is dropped, in the order in which the reasons are told."""
    return {
        "no_data": pl.col("n_raw") == 0,
        "conflicting_rows": pl.col("TS3") > 0,
        "no_sound_bar": pl.col("n_missing") + pl.col("HLT1") == pl.col("n_expected"),
        **broken_rules(quality),
    }


def _counted(bars: pl.DataFrame, quality: QualityParams) -> pl.DataFrame:
    """Sums over the bars of each session."""
    moved = pl.col("close") != pl.col("close").shift(1).over("session")
    ticks = pl.col(PRICES) / quality.tick_size
    off_tick = pl.any_horizontal((ticks - ticks.round()).abs() > quality.off_tick_tolerance_ticks)
    marked = bars.with_columns(
        VOL2=(REAL & (pl.col("volume") == 0) & moved).fill_null(value=False), PX6=REAL & off_tick
    )
    counts = marked.group_by("session", maintain_order=True).agg(
        n_expected=pl.len().cast(pl.Int64),
        n_raw=pl.col("delivered").sum().cast(pl.Int64),
        n_missing=(~REAL & ~pl.col("halted")).sum().cast(pl.Int64),
        n_filled=pl.col("is_filled").sum().cast(pl.Int64),
        n_gaps=((pl.col("absent_min") == 1) & ~pl.col("halted")).sum().cast(pl.Int64),
        n_without_volume=(REAL & (pl.col("volume") == 0)).sum().cast(pl.Int64),
        longest_gap=pl.col("absent_min").max(),
        CMP4=(pl.col("absent_min").first() > 0) & (not quality.quiet),
        first_open=pl.col("open").filter(REAL).first(),
        last_close=pl.col("close").filter(REAL).last(),
        mean_volume=pl.col("volume").filter(REAL).mean(),
        **{mark: pl.col(mark).sum().cast(pl.Int64) for mark in BAR_MARKS},
    )
    longest_stale, longest_quiet = pl.col("stale_len").max(), pl.col("quiet_len").max()
    stale = (longest_stale >= quality.stale_bars) | (longest_quiet >= quality.stale_bars_no_volume)
    runs = stale_runs(bars).group_by("session").agg(longest_stale=longest_stale, PX5=stale)
    return counts.join(runs, on="session", how="left", maintain_order="left").with_columns(
        pl.col("longest_stale").fill_null(0)
    )


def _split_suspect(quality: QualityParams) -> pl.Expr:
    """The overnight ratio of prices is near k or 1/k for a usual split k."""
    ratio = pl.col("first_open") / pl.col("last_close").forward_fill().shift(1)
    near = [
        (ratio * factor - 1).abs() <= quality.split_tolerance_share
        for k in quality.split_ratios
        for factor in (k, 1 / k)
    ]
    return pl.any_horizontal(near)


def _low_volume(quality: QualityParams) -> pl.Expr:
    """The session's volume a minute is far below the median of the sessions before it."""
    usual = pl.col("mean_volume").shift(1).rolling_median(quality.low_volume_past_sessions, min_samples=1)
    return pl.col("mean_volume") < quality.low_volume_share * usual
