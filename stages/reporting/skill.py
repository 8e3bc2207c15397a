"""Sections "Controls" and "Forecast skill": by symbol, time of day and horizon, relative to persistence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from stages.errors import count, shorten
from stages.reporting.charts import (
    HEIGHT,
    INK,
    SERIES,
    Chart,
    Figure,
    bounds_tips,
    judged,
    level,
    listed,
    series,
    sized,
    tip,
)
from stages.reporting.elements import Grid, Section, grid, in_order, number, probability, span
from stages.reporting.record import Record

CONTROLS = {
    "echo": "repeats the last value sent: must equal persistence",
    "oracle": "knows the answer: must make no error",
    "shifted_oracle": "reads the price one minute too early: must be visibly worse",
    "oracle_bound": "knows what was planted in an artificial market: must not be beaten",
}


def controls(record: Record) -> Section:
    """The control forecasters, whose scores are known in advance."""
    proofs = record.metrics["controls"]
    figures = ("verdict", "rule", "rmae_min", "rmae_max", "n")
    lines = [
        (name, CONTROLS[name], *(proofs[name][field] for field in figures))
        for name in in_order(proofs.keys() - {"verdict"}, CONTROLS)
    ]
    sentences = (
        f"{count(len(lines), 'forecaster')} with known scores test this pipeline on the run's own questions. If the "
        "history held the answer, or the score read the wrong step, at least one would miss its known score, and no "
        "cell could trade.",
    )
    titles = ("control", "what it does", "verdict", "rule", "lowest rMAE", "highest rMAE", "forecasts")
    return Section("controls", "Controls", sentences, grids=(grid("Controls", titles, lines),))


DATA = ("score_forecasts/metrics.json",)
CELLS = ("score_forecasts/cells.parquet",)
ROW_HEIGHT = 14
TILE_HEIGHT, LEAST_HEIGHT = 56, 96


def skill(record: Record) -> Section:
    """Relative errors of the method that trades; below 1 is better than persistence."""
    sentences = (
        "Relative errors divide the forecast's error by that of persistence (“the price stays”): 1 is no skill, lower "
        "is better. Bars are one-sided confidence bounds from resampled days; where days are too few, or nothing moved "
        "in some resample, there is no bar.",
        *_unmoved(record),
        *record.selection,
    )
    if not any(entry["n"] for entry in record.scores("pooled")):
        return Section("skill", "Forecast skill", (*sentences, "Nothing was scored."), grids=(_pooled(record),))
    figures = (*_ranked(record), *_by_horizon(record), *_by_snapshot(record))
    return Section("skill", "Forecast skill", sentences, figures, (_pooled(record),))


def _unmoved(record: Record) -> Iterator[str]:
    """Symbols that no relative error includes."""
    found = {entry["horizon_min"]: entry for entry in record.scores("pooled") if entry.get("n_symbols_unmoved")}
    if found:
        left = ", ".join(
            f"{entry['n_symbols_unmoved']} of {entry['n_symbols']} at {horizon} min" for horizon, entry in found.items()
        )
        yield f"The outcomes of some symbols never moved, so no relative error includes them: {left}."


def bounded(metric: Mapping[str, Any]) -> dict[str, float | None]:
    """A metric's value and its two bounds; either both or neither is null."""
    low, high = metric["ci"] or (None, None)
    return {"value": metric["value"], "low": low, "high": high}


def _ranked(record: Record) -> tuple[Figure, ...]:
    """Every symbol of a universe too large to show individually, from the lowest rMAE to the highest."""
    if not record.selection:
        return ()
    horizon, threshold = record.config["rules"]["horizon_min"], record.config["gates"]["rmae_lt"]
    known = [
        {"symbol": entry["symbol"], "n": entry["n"]} | bounded(entry["metrics"]["rmae"]["calibrated"])
        for entry in record.scores("cells")
        if entry["horizon_min"] == horizon and entry["metrics"]["rmae"]["calibrated"]["value"] is not None
    ]
    entries = [{"rank": rank} | one for rank, one in enumerate(sorted(known, key=lambda one: one["value"]), start=1)]
    if not entries:
        return ()
    below, middle = sum(one["value"] < 1 for one in entries), entries[(len(entries) - 1) // 2]["value"]
    text = f"{below} of {count(len(entries), 'symbol')} below 1, the middle one at {number(middle)}"
    place = alt.X("rank:Q", title="symbols in order of their rMAE", scale=alt.Scale(nice=False))
    hover = [tip("symbol", "symbol"), tip("n", "outcomes", ",d"), *bounds_tips("rMAE", ".3f")]
    base = alt.Chart(listed(entries)).encode(place, tooltip=hover)
    scaled: dict[str, Any] = {"scale": alt.Scale(zero=False), "title": "rMAE"}
    bars = base.mark_rule(color=SERIES[0], opacity=0.5).encode(alt.Y("low:Q", **scaled), alt.Y2("high:Q"))
    dots = base.mark_point(filled=True, size=18, opacity=1, color=SERIES[0]).encode(alt.Y("value:Q", **scaled))
    lines = level(1.0, "persistence") + level(threshold, f"gate {threshold:g}")
    bounds = any(one["low"] is not None for one in entries)
    return (
        Figure(
            "skill-ranked",
            f"rMAE of every symbol, {count(horizon, 'minute')} ahead",
            f"Relative mean absolute error of every symbol in ascending order with bounds: {text}.",
            f"{text.capitalize()}.",
            DATA,
            sized(alt.layer(lines, *([bars] if bounds else []), dots)),
            wide=True,
        ),
    )


def _by_horizon(record: Record) -> Iterator[Figure]:
    entries = [
        {"symbol": entry["symbol"], "horizon": f"{entry['horizon_min']} min", "n": entry["n"]}
        | bounded(entry["metrics"]["rmae"]["calibrated"])
        for entry in record.scores("cells")
        if entry["symbol"] in record.shown
    ]
    best = min((one for one in entries if one["value"] is not None), key=lambda one: one["value"], default=None)
    if best is None:
        return
    threshold = record.config["gates"]["rmae_lt"]
    marks = by_horizon(record, entries, "symbol", record.symbols, ".3f", title="rMAE", scale=alt.Scale(zero=False))
    lines = level(1.0, "persistence", axis="x") + level(threshold, f"gate {threshold:g}", axis="x", row=1)
    height = max(HEIGHT, ROW_HEIGHT * len(entries))
    found = f"Lowest: {best['symbol']} at {best['horizon']}, {number(best['value'])}."
    yield Figure(
        "skill-horizon",
        "rMAE by symbol and horizon",
        f"Relative mean absolute error of each symbol and horizon with bounds, against persistence at 1. {found}",
        found,
        DATA,
        sized(alt.layer(lines, *marks), height),
    )


def by_horizon(
    record: Record, entries: Sequence[Mapping[str, Any]], field: str, rows: Sequence[str], form: str, **axis: Any
) -> list[Chart]:
    """Dots at `value` of entries: a row for each of `rows`, a colour for each horizon, and bounds if there are any."""
    horizons = [f"{one} min" for one in record.config["requests"]["horizons_min"]]
    place, offset = alt.Y(f"{field}:N", title=None, sort=rows), alt.YOffset("horizon:N", sort=horizons)
    hover = [tip(field, field), tip("horizon", "horizon"), tip("n", "outcomes", ",d")]
    hover += bounds_tips(axis["title"], form)
    base = alt.Chart(listed(entries)).encode(place, offset, series("horizon", horizons), tooltip=hover)
    bars = base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", **axis), alt.X2("high:Q"))
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(alt.X("value:Q", **axis))
    return [bars, dots] if any(one["low"] is not None for one in entries) else [dots]


def _by_snapshot(record: Record) -> Iterator[Figure]:
    horizon = record.config["rules"]["horizon_min"]
    entries = [
        {"symbol": one["symbol"], "snapshot": one["snapshot_et"], "n": one["n"], "value": one["calibrated"]}
        for one in record.by_snapshot("rmae", horizon)
        if one["calibrated"] is not None  # a missing value would be drawn as 0
    ]
    if not entries:
        return
    base = alt.Chart(listed(entries)).encode(
        alt.X("snapshot:N", title="asked at, exchange time", axis=alt.Axis(labelAngle=0)),
        alt.Y("symbol:N", title=None, sort=record.symbols),
        tooltip=[
            tip("symbol", "symbol"),
            tip("snapshot", "asked at, exchange time"),
            tip("n", "outcomes", ",d"),
            tip("value", "rMAE", ".3f"),
        ],
    )
    tone = judged("datum.value < 1")
    depth = alt.Opacity("depth:Q", legend=None, scale=alt.Scale(domain=[0, 0.5], range=[0.05, 0.6], clamp=True))
    cells = base.transform_calculate(depth="abs(1 - datum.value)").mark_rect().encode(color=tone, opacity=depth)
    words = base.mark_text(color=INK).encode(alt.Text("value:Q", format=".2f"))
    yield Figure(
        "skill-snapshot",
        f"rMAE by time of day, {count(horizon, 'minute')} ahead",
        f"Relative mean absolute error at {count(horizon, 'minute')} by symbol and snapshot: "
        f"{in_words(entries, 'snapshot')}.",
        "Green is better than persistence, red is worse; the deeper the colour, the larger the difference.",
        CELLS,
        sized(cells + words, max(LEAST_HEIGHT, TILE_HEIGHT * len({entry["symbol"] for entry in entries}))),
    )


def in_words(entries: Iterable[dict[str, Any]], second: str) -> str:
    """The first values of a small picture as text, for screen readers."""
    return shorten([f"{one['symbol']} {one[second]} {number(one['value'], 2)}" for one in entries])


def _pooled(record: Record) -> Grid:
    titles = (
        "horizon, min", "rMAE", "bounds", "rRMSE", "CRPS skill", "pinball, bp", "outcomes", "days", "void",
        "uncalibrated", "crossed", "p (Diebold-Mariano)",
    )  # fmt: skip
    lines = []
    for entry in record.scores("pooled"):
        metric = {name: bounded(versions["calibrated"]) for name, versions in entry["metrics"].items()}
        rmae, p = metric["rmae"], probability(entry["dm"]["calibrated"]["p_better"])
        scores = [metric[name]["value"] for name in ("rrmse", "crps_skill", "pinball_bp")]
        counts = [entry[name] for name in ("n", "n_days", "n_void", "n_uncalibrated", "n_crossed")]
        lines.append((entry["horizon_min"], rmae["value"], span(rmae["low"], rmae["high"]), *scores, *counts, p))
    return grid("All symbols together (relative errors: geometric means over symbols)", titles, lines)
