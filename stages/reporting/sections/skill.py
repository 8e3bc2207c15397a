"""Is the forecast better than saying “no change”: by symbol, by time of day, by horizon."""

from collections.abc import Iterable, Iterator
from typing import Any

import altair as alt

from stages.reporting.charts import BAD, GOOD, HEIGHT, INK, Figure, level, listed, series, sized
from stages.reporting.content import Grid, Section, grid
from stages.reporting.record import Record
from stages.reporting.words import number, probability

DATA = ("score_forecasts/metrics.json",)
ROW_HEIGHT = 14
TILE_HEIGHT, LEAST_HEIGHT = 56, 96


def skill(record: Record) -> Section:
    """Relative errors of the method that trades; below 1 is better than persistence."""
    sentences = (
        "Relative errors divide the forecast's error by that of persistence (“the price stays”): 1 is no skill, lower "
        "is better. Bars are one-sided confidence bounds from resampled days; where days are too few, there is no bar.",
    )
    return Section(
        "skill", "Forecast skill", sentences, (_by_horizon(record), _by_snapshot(record)), (_pooled(record),)
    )


def of_method(record: Record, scope: str) -> Iterator[dict[str, Any]]:
    """The entries of `metrics.json` for the history and the calibration method that the strategy states."""
    wanted = (record.config["rules"]["history_days"], record.config["calibration"]["method"])
    return (entry for entry in record.metrics[scope] if (entry["history_days"], entry["method"]) == wanted)


def bounded(metric: dict[str, Any]) -> dict[str, float | None]:
    """A metric's value and its two bounds, which are missing together."""
    low, high = metric["ci"] or (None, None)
    return {"value": metric["value"], "low": low, "high": high}


def _by_horizon(record: Record) -> Figure:
    horizons = record.config["requests"]["horizons_min"]
    entries = [
        {"symbol": entry["symbol"], "horizon": f"{entry['horizon_min']} min", "n": entry["n"]}
        | bounded(entry["metrics"]["rmae"]["calibrated"])
        for entry in of_method(record, "cells")
    ]
    threshold = record.config["gates"]["rmae_lt"]
    place = alt.Y("symbol:N", title=None, sort=record.symbols)
    offset = alt.YOffset("horizon:N", sort=[f"{minutes} min" for minutes in horizons])
    base = alt.Chart(listed(entries)).encode(place, offset, series("horizon", [f"{m} min" for m in horizons]))
    scale = alt.Scale(zero=False)
    hover = [alt.Tooltip(field) for field in ("symbol:N", "horizon:N", "n:Q")]
    hover += [alt.Tooltip(f"{field}:Q", format=".3f") for field in ("value", "low", "high")]
    bars = base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", scale=scale, title="rMAE"), x2="high:Q", tooltip=hover)
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(alt.X("value:Q", scale=scale), tooltip=hover)
    bounds = any(one["low"] is not None for one in entries)
    lines = level(1.0, "persistence", axis="x") + level(threshold, f"gate {threshold:g}", axis="x", before=True)
    height = max(HEIGHT, ROW_HEIGHT * len(entries))
    best = min((one for one in entries if one["value"] is not None), key=lambda one: one["value"], default=None)
    found = (
        f"Lowest: {best['symbol']} at {best['horizon']}, {number(best['value'])}." if best else "Nothing was scored."
    )
    return Figure(
        "skill-horizon",
        "rMAE by symbol and horizon",
        f"Relative mean absolute error of each symbol and horizon with bounds, against persistence at 1. {found}",
        found,
        DATA,
        sized(alt.layer(lines, *([bars] if bounds else []), dots), height),
    )


def _by_snapshot(record: Record) -> Figure:
    horizon = record.config["rules"]["horizon_min"]
    entries = [
        {
            "symbol": entry["symbol"],
            "snapshot": entry["snapshot_et"],
            "n": entry["n"],
            "value": entry["metrics"]["rmae"]["calibrated"]["value"],
        }
        for entry in of_method(record, "by_snapshot")
        if entry["horizon_min"] == horizon
    ]
    base = alt.Chart(listed(entries)).encode(
        alt.X("snapshot:N", title="asked at, exchange time", axis=alt.Axis(labelAngle=0)),
        alt.Y("symbol:N", title=None, sort=record.symbols),
        tooltip=["symbol:N", "snapshot:N", "n:Q", alt.Tooltip("value:Q", title="rMAE", format=".3f")],
    )
    tone = alt.condition("datum.value < 1", alt.value(GOOD), alt.value(BAD))
    depth = alt.Opacity("depth:Q", legend=None, scale=alt.Scale(domain=[0, 0.5], range=[0.05, 0.6], clamp=True))
    cells = base.transform_calculate(depth="abs(1 - datum.value)").mark_rect().encode(color=tone, opacity=depth)
    words = base.mark_text(color=INK).encode(alt.Text("value:Q", format=".2f"))
    return Figure(
        "skill-snapshot",
        f"rMAE by time of day, {horizon} minutes ahead",
        f"Relative mean absolute error at {horizon} minutes by symbol and snapshot: {in_words(entries, 'snapshot')}.",
        "Green is better than persistence, red is worse; the deeper, the further from it.",
        DATA,
        sized(cells + words, max(LEAST_HEIGHT, TILE_HEIGHT * len({entry["symbol"] for entry in entries}))),
    )


def in_words(entries: Iterable[dict[str, Any]], second: str, most: int = 12) -> str:
    """The first values of a small picture, for those who hear it."""
    told = [f"{one['symbol']} {one[second]} {number(one['value'], 2)}" for one in entries]
    return ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")


def _pooled(record: Record) -> Grid:
    titles = (
        "horizon, min", "rMAE", "bounds", "rRMSE", "CRPS skill", "pinball, bp", "outcomes", "days", "void",
        "uncalibrated", "crossed", "p (Diebold-Mariano)",
    )  # fmt: skip
    lines = []
    for entry in of_method(record, "pooled"):
        metric = {name: bounded(versions["calibrated"]) for name, versions in entry["metrics"].items()}
        bounds = f"{number(metric['rmae']['low'])} to {number(metric['rmae']['high'])}"
        scores = [metric[name]["value"] for name in ("rrmse", "crps_skill", "pinball_bp")]
        counts = [entry[name] for name in ("n", "n_days", "n_void", "n_uncalibrated", "n_crossed")]
        lines.append(
            (
                entry["horizon_min"],
                metric["rmae"]["value"],
                bounds,
                *scores,
                *counts,
                probability(entry["dm"]["calibrated"]["p_better"]),
            )
        )
    return grid("All symbols together (relative errors: geometric means over symbols)", titles, lines)
