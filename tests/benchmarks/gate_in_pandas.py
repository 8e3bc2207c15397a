"""The data gate as one writes it in pandas: merge, groupby, shift, rolling. The same bars, counts and verdicts as ours.

Written from docs/DATA_QUALITY.md for bars in UTC with start labels; shares no line with `stages/quality`.
"""

import numpy as np
import pandas as pd

from stages.params.quality import QualityParams
from tests.benchmarks.levels_in_pandas import copies_in_pandas, cut_wicks_in_pandas, judge_levels_in_pandas

PRICES = ["open", "high", "low", "close"]
COLUMNS = ["ts", *PRICES, "volume"]
MARKS = ["PX1", "PX2", "PX6", "PX7", "PX8", "VOL1", "VOL2", "off_print"]
BARS = ["ts", "known_at", "session", "m", *PRICES, "volume", "is_filled", "is_outlier", "gap_len"]


def grid_in_pandas(calendar: pd.DataFrame) -> pd.DataFrame:
    """Every minute of every session."""
    grid = calendar.loc[calendar.index.repeat(calendar["n_bars"]), ["session", "open_utc"]].reset_index(drop=True)
    grid["m"] = grid.groupby("session").cumcount()
    grid["ts"] = grid["open_utc"] + pd.to_timedelta(grid["m"], unit="min")
    grid["known_at"] = grid["ts"] + pd.Timedelta(minutes=1)
    return grid[["ts", "known_at", "session", "m"]]


def check_in_pandas(
    delivered: pd.DataFrame, grid: pd.DataFrame, calendar: pd.DataFrame, quality: QualityParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bars on the grid, and a row a session with counts, marks, verdict and reason."""
    delivered = delivered[COLUMNS]
    _require_minutes_with_start_labels(delivered, calendar)
    distinct = delivered.drop_duplicates().sort_values("ts", kind="stable")
    regular = distinct.merge(grid[["ts", "session"]], on="ts")
    twice = regular["ts"].duplicated(keep=False)
    conflicts = regular[twice].groupby("session")["ts"].nunique().rename("TS3")
    outside = distinct[~distinct["ts"].isin(grid["ts"])]

    delivered_minutes = _on_grid(regular[~twice].drop(columns="session"), grid, quality)
    delivered_minutes["PX7"], levels = judge_levels_in_pandas(delivered_minutes, calendar, quality)
    copies = copies_in_pandas(delivered_minutes, quality)
    placed = _filled(cut_wicks_in_pandas(delivered_minutes, calendar, quality), quality)
    days = _sessions(placed, quality).join([conflicts, _tails(outside, calendar), levels, copies])
    counted = ["TS3", "TS6", "TS8"]
    days[counted] = days[counted].fillna(0).astype(int)
    days["n_raw"] += regular[twice].groupby("session").size().reindex(days.index).fillna(0).astype(int)
    days = _verdicts(days, quality)
    placed["is_outlier"], reverted = _outliers(placed, days["verdict"] != "fail", quality)
    by_session = placed["session"]
    days["PX3"] = placed["is_outlier"].groupby(by_session).sum()
    days["PX3_reverted"] = reverted.groupby(by_session).sum()
    placed["is_outlier"] |= placed["PX8"]
    return placed[BARS], days


def _require_minutes_with_start_labels(delivered: pd.DataFrame, calendar: pd.DataFrame) -> None:
    stamps = delivered["ts"]
    assert (stamps == stamps.dt.floor("min")).all()
    full = calendar[~calendar["is_half"]]
    full = full.set_index(full["open_utc"].dt.date)
    extent = stamps.groupby(stamps.dt.date).agg(["min", "max"]).join(full, how="inner")
    complete = extent[extent["max"] - extent["min"] == pd.to_timedelta(extent["n_bars"] - 1, unit="min")]
    assert (complete["min"] == complete["open_utc"]).mean() > 0.5


def _tails(outside: pd.DataFrame, calendar: pd.DataFrame) -> pd.Series:
    """Rows of regular hours behind an early close; on a holiday they stop the run."""
    local = outside["ts"].dt.tz_convert("America/New_York")
    clock = local.dt.hour * 60 + local.dt.minute
    late = local[(clock >= 9 * 60 + 30) & (clock < 16 * 60)].dt.tz_localize(None).dt.normalize()
    late = late[late.between(calendar["session"].iloc[0], calendar["session"].iloc[-1])]
    assert late.isin(calendar["session"]).all()
    return late.groupby(late).size().rename("TS6")


def _on_grid(rows: pd.DataFrame, grid: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    placed = grid.merge(rows.assign(delivered=True), on="ts", how="left")
    placed["delivered"] = placed["delivered"].notna()
    placed[PRICES], placed["volume"] = placed[PRICES].round(6), placed["volume"].round(3)
    prices, volume, slack = placed[PRICES], placed["volume"], quality.ohlc_tolerance_ticks * quality.tick_size
    inner = placed[["open", "close"]]
    within = inner.le(placed["high"] + slack, axis=0).all(axis=1) & inner.ge(placed["low"] - slack, axis=0).all(axis=1)
    ordered = (placed["high"] >= placed["low"]) & within
    placed["PX1"] = placed["delivered"] & ~(np.isfinite(prices) & (prices > 0)).all(axis=1)
    placed["PX2"] = placed["delivered"] & ~ordered & placed[PRICES].notna().all(axis=1)
    placed["VOL1"] = placed["delivered"] & ~(np.isfinite(volume) & (volume >= 0))
    placed["sound"] = placed["delivered"] & ~placed[["PX1", "PX2", "VOL1"]].any(axis=1)
    return placed


def _filled(placed: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    is_real = placed["sound"] & ~placed["PX7"]
    last_real = placed["m"].where(is_real).groupby(placed["session"]).ffill()
    carried = placed["close"].where(is_real).groupby(placed["session"]).ffill()
    placed["gap_len"] = (placed["m"] - last_real.fillna(-1)).astype(int)
    placed["is_filled"] = placed["gap_len"].between(1, quality.ffill_max_bars) & last_real.notna()
    for name in PRICES:
        placed[name] = placed[name].where(is_real, carried.where(placed["is_filled"]))
    placed["volume"] = placed["volume"].where(is_real, np.where(placed["is_filled"], 0.0, np.nan))
    return placed


def _sessions(placed: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    """Sums over the bars of each session."""
    is_real = placed["gap_len"] == 0
    real = placed[is_real]
    count = pd.Series(np.arange(len(real)), index=real.index, dtype=float)
    moved = (real[PRICES] != real.groupby("session")[PRICES].shift()).any(axis=1)
    traded = real["volume"] > 0
    placed["stale_len"] = count - count.where(moved).ffill() + 1
    placed["quiet_len"] = count - (count + 1).where(traded, count.where(moved)).ffill() + 1
    before = placed.groupby("session")["close"].shift()
    placed["VOL2"] = is_real & (placed["volume"] == 0) & (placed["close"] != before) & before.notna()
    for mark, step in (("PX6", quality.tick_size), ("off_print", quality.tick_size * quality.print_step_ticks)):
        off = (placed[PRICES] - (placed[PRICES] / step).round() * step).abs()
        noise = placed[PRICES] / 2**23 + 1e-6 * quality.tick_size
        placed[mark] = is_real & (off > noise).any(axis=1)
    placed["n_missing"] = ~is_real
    placed["off_print"] &= placed["PX6"].sum() > quality.off_tick_share * is_real.sum()
    grouped, traded_only = placed.groupby("session"), placed[is_real].groupby("session")
    days = grouped.agg(
        n_expected=("m", "size"), n_raw=("delivered", "sum"), n_missing=("n_missing", "sum"),
        n_filled=("is_filled", "sum"), longest_gap=("gap_len", "max"), longest_stale=("stale_len", "max"),
        quiet=("quiet_len", "max"), first_gap=("gap_len", "first"), **{mark: (mark, "sum") for mark in MARKS},
    )  # fmt: skip
    days["longest_stale"] = days["longest_stale"].fillna(0)
    usual = grouped[["stale_len", "quiet_len"]].max().dropna()
    usual = 3 * usual.shift().rolling(quality.low_volume_past_sessions, min_periods=1).median().reindex(days.index)
    limits = {
        name: usual[column].fillna(3 * least).clip(lower=least)
        for name, column, least in (
            ("stale", "stale_len", quality.stale_bars),
            ("quiet", "quiet_len", quality.stale_bars_no_volume),
            ("fail", "stale_len", quality.stale_bars_fail),
        )
    }
    days["PX5"] = (days["longest_stale"] >= limits["stale"]) | (days["quiet"] >= limits["quiet"])
    days["stale_limit"] = limits["fail"]
    days["CMP4"] = days["first_gap"] > 0
    days["completeness"] = 1 - days["n_missing"] / days["n_expected"]
    volume = traded_only["volume"].mean().reindex(days.index)
    usual = volume.shift().rolling(quality.low_volume_past_sessions, min_periods=1).median()
    days["VOL3"] = (volume < quality.low_volume_share * usual) | (volume > quality.high_volume_ratio * usual)
    return days


def _verdicts(days: pd.DataFrame, quality: QualityParams) -> pd.DataFrame:
    reasons = {
        "level_jump": days["level_run"] > quality.max_gap_min,
        "no_data": days["n_raw"] == 0,
        "conflicting_rows": days["TS3"] > 0,
        "no_sound_bar": days["n_missing"] == days["n_expected"],
        "incomplete": days["completeness"] < quality.min_session_completeness,
        "sustained_gap": days["longest_gap"] > quality.max_gap_min,
        "stale": days["longest_stale"] >= days["stale_limit"],
    }
    days["reason"] = np.select(list(reasons.values()), list(reasons), default="")
    warned = (days[["TS6", "TS8", "CMP4", "PX4", "PX5", "PX7", "VOL3"]] > 0).any(axis=1)
    days["verdict"] = np.select([days["reason"] != "", warned], ["fail", "warn"], default="pass")
    return days


def _outliers(placed: pd.DataFrame, usable: pd.Series, quality: QualityParams) -> tuple[pd.Series, pd.Series]:
    """Moves beyond so many deviations of the same half hour on the usable sessions before; and those that revert."""
    session, bucket = placed["session"], placed["m"] // quality.outlier_bucket_min
    before = placed.groupby("session")["close"].shift().where(placed["m"] > 0, placed["open"])
    r = np.log(placed["close"] / before).where(placed["gap_len"] == 0)
    sessions = {day: (values, bucket[values.index]) for day, values in r.groupby(session)}
    deviations, past = {}, []
    for day, is_usable in usable.items():
        if past:
            pool, when = (pd.concat(parts) for parts in zip(*past[-quality.outlier_past_sessions :], strict=True))
            deviations[day] = (pool - pool.groupby(when).transform("median")).abs().groupby(when).median()
        if is_usable:
            past.append(sessions[day])
    usual = pd.concat(deviations, names=["session", "bucket"]).rename("usual").reset_index()
    yardstick = pd.DataFrame({"session": session, "bucket": bucket}).merge(usual, how="left")["usual"]
    limit = np.fmax(quality.outlier_mads * 1.4826 * yardstick, quality.outlier_floor_share)
    is_outlier = r.abs() > limit
    following = r.groupby(session).shift(-1)
    return is_outlier, is_outlier & (-np.sign(r) * following >= quality.outlier_revert_share * r.abs())
