"""Section "Reliability and coverage": levels, PIT, and coverage by time of day, raw and calibrated."""

from typing import Any

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import QUIET, SERIES, Figure, bounds_tips, level, listed, paired, sized, tip
from stages.reporting.elements import Section, number, probability
from stages.reporting.fans import strategy_forecasts
from stages.reporting.record import Document, Record
from stages.reporting.skill import CELLS, DATA, bounded
from stages.tables.forecasts import LEVELS

DATA_BY_TIME = ("score_forecasts/coverage_by_time.csv", *CELLS)
VERSIONS = {"raw": "as answered", "calibrated": "calibrated"}
VERSION = paired("version", list(VERSIONS.values()), (QUIET, SERIES[0]))
INTERVALS = (("q05", "q95"), ("q25", "q75"))
BELOW, ABOVE = ("q05", "q25"), ("q75", "q95")
ROUNDING_BP = 1e-5
IDENTITY = "identity"
AS_ANSWERED = "It leaves every forecast as answered, and all are judged."
LEARNED = (
    "It corrects each forecast by errors already known when it was asked, so the first sessions stay as answered and "
    "are not judged."
)
BINS = ("below q25", "q25 to q50", "q50 to q75", "above q75")


def coverage(record: Record) -> Section:
    """Pooled over symbols at the horizon that trades."""
    horizon, method = record.config["rules"]["horizon_min"], record.config["calibration"]["method"]
    pooled = next((one for one in record.scores("pooled") if one["horizon_min"] == horizon), None)
    done = AS_ANSWERED if method == IDENTITY else LEARNED
    sentences = (
        f"Calibration method {method}, {count(horizon, 'minute')} ahead. {done}",
        *_grid_end(record, horizon),
        *record.selection,
    )
    if pooled is None or not pooled["n"]:
        return Section("coverage", "Reliability and coverage", (*sentences, "No forecast of this kind was scored."))
    figures = (_reliability(pooled), _pit(pooled), _by_time(record, horizon))
    return Section("coverage", "Reliability and coverage", (*sentences, *_ties(pooled)), figures)


def _grid_end(record: Record, horizon: int) -> tuple[str, ...]:
    """With `widen`, a sentence on how many forecasts of this horizon reached the end of the grid."""
    params = record.config["calibration"]
    if params["method"] != "widen":
        return ()
    end = max(params["widen_grid"])
    at_end = [_grew_by(end, low, high) for low, high in INTERVALS]
    corrected = (
        strategy_forecasts(record, symbol).filter("calibrated", horizon_min=horizon) for symbol in record.forecasts
    )
    ended = pl.concat(rows.select(ended=pl.any_horizontal(at_end)) for rows in corrected)["ended"]
    return (
        f"On {ended.sum():,} of {count(len(ended), 'corrected forecast')} an "
        f"interval grew by {end:g}, the end of calibration.widen_grid: where it needed more, it stayed too narrow.",
    )


def _grew_by(share: float, low: str, high: str) -> pl.Expr:
    """Whether an interval with a width grew by this share; either level of a side may hold its end, after sorting."""
    wide = pl.col(f"raw_{high}") > pl.col(f"raw_{low}")
    return wide & _among(BELOW, share, low) & _among(ABOVE, share, high)


def _among(names: tuple[str, ...], share: float, level: str) -> pl.Expr:
    there = pl.col("raw_q50") + (1 + share) * (pl.col(f"raw_{level}") - pl.col("raw_q50"))
    return pl.any_horizontal((pl.col(name) - there).abs() < ROUNDING_BP for name in names)


def _reliability(pooled: Document) -> Figure:
    entries: list[dict[str, Any]] = [
        {"version": words, "level": quantile / 100} | bounded(pooled["metrics"][f"hit_{quantile:02d}"][version])
        for version, words in VERSIONS.items()
        for quantile in LEVELS
    ]
    unit = alt.Scale(domain=[0, 1])
    base = alt.Chart(listed(entries)).encode(
        alt.X(
            "level:Q",
            scale=unit,
            title="promised share at or below",
            axis=alt.Axis(format=".0%", values=[q / 100 for q in LEVELS]),
        ),
        color=VERSION,
        tooltip=[
            tip("version", "quantiles"),
            tip("level", "promised share at or below", ".1%"),
            *bounds_tips("share that came", ".1%"),
        ],
    )
    share = alt.Y("value:Q", scale=unit, title="share that came", axis=alt.Axis(format=".0%"))
    perfect = alt.Chart(listed([{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(
        color=QUIET, strokeDash=[4, 4], strokeWidth=1
    )
    bounded_at_all = any(one["low"] is not None for one in entries)
    bounds = [base.mark_rule().encode(alt.Y("low:Q"), alt.Y2("high:Q"))] if bounded_at_all else []
    line = base.mark_line(point={"filled": True, "size": 50}).encode(share)
    chart = alt.layer(perfect.encode(alt.X("x:Q"), alt.Y("y:Q")), *bounds, line)
    text = ", ".join(
        f"{one['level']:.0%} came {number(one['value'] * 100, 1)} %"
        for one in entries[len(LEVELS) :]
        if one["value"] is not None
    )
    return Figure(
        "reliability",
        "Reliability",
        f"Share of outcomes at or below each calibrated quantile: {text}.",
        "On the dashed line, quantiles are exactly right; bars are bounds from resampled days.",
        DATA,
        sized(chart),
    )


def _pit(pooled: Document) -> Figure:
    entries = [
        {"version": words, "bin": name, "share": many / max(sum(pooled["pit"][version]["counts"]), 1), "count": many}
        for version, words in VERSIONS.items()
        for name, many in zip(BINS, pooled["pit"][version]["counts"], strict=True)
    ]
    bars = (
        alt.Chart(listed(entries))
        .mark_bar()
        .encode(
            alt.X("bin:N", sort=list(BINS), title=None, axis=alt.Axis(labelAngle=0)),
            alt.Y("share:Q", axis=alt.Axis(format=".0%"), title="share of outcomes"),
            xOffset=alt.XOffset("version:N", sort=list(VERSIONS.values())),
            color=VERSION,
            tooltip=[
                tip("version", "quantiles"),
                tip("bin", "fell"),
                tip("share", "share of outcomes", ".1%"),
                tip("count", "outcomes", ",d"),
            ],
        )
    )
    text = ", ".join(f"{one['bin']} {one['share']:.0%}" for one in entries[len(BINS) :])
    return Figure(
        "pit",
        "Where outcomes fell (PIT)",
        f"Share of outcomes in each quarter of the calibrated forecasts: {text}; a quarter each is perfect.",
        _evenness(pooled["pit"]["calibrated"]["p_days"]),
        DATA,
        sized(bars + level(0.25, "promised")),
    )


def _evenness(p: float | None) -> str:
    perfect = "Evenly filled quarters are perfect"
    if p is None:
        return f"{perfect}; days are too few to say whether the unevenness is luck."
    text = probability(p)
    equal = "" if text.startswith(("<", ">")) else "= "
    return f"{perfect}: p {equal}{text} that the unevenness is luck of the days."


def _ties(pooled: Document) -> tuple[str, ...]:
    """A note where outcomes lie exactly on quantiles."""
    shares = pooled.get("ties", {})  # absent in older runs
    if not any(shares.values()):
        return ()
    raw, calibrated, unmoved = (100 * share for share in (shares["raw"], shares["calibrated"], pooled["unmoved"]))
    return (
        f"{raw:.1f} % of the outcomes lie exactly on a quantile as answered, {calibrated:.1f} % on a calibrated one; "
        f"for {unmoved:.1f} % the price did not move. Outcomes exactly on a quantile are split so that the share at "
        "or below it comes as near as possible to its level.",
    )


def _by_time(record: Record, horizon: int) -> Figure:
    each = [
        {"version": words, "snapshot": one["snapshot_et"], "value": one[version]}
        | {name: one[name] for name in ("symbol", "n")}
        for one in record.by_snapshot("coverage_50", horizon)
        for version, words in VERSIONS.items()
    ]
    together = record.coverage.filter(method=record.config["calibration"]["method"], horizon_min=horizon).sort(
        "snapshot_et"
    )
    pooled = [
        {"version": words, "snapshot": row["snapshot_et"], "symbol": "all", "n": row["n"], "value": row[version]}
        for row in together.iter_rows(named=True)
        for version, words in VERSIONS.items()
    ]
    hover = [
        tip("symbol", "symbol"),
        tip("version", "quantiles"),
        tip("n", "outcomes", ",d"),
        tip("value", "share inside the 50 % band", ".1%"),
    ]
    share = alt.Y(
        "value:Q", title="share inside the 50 % band", axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=False)
    )
    apart = alt.Scale(paddingInner=0.5, paddingOuter=0.3)
    place = alt.X("snapshot:N", title="asked at, exchange time", axis=alt.Axis(labelAngle=0), scale=apart)
    beside = alt.XOffset("version:N", sort=list(VERSIONS.values()))
    symbols = alt.Chart(listed(each)).mark_point(filled=True, size=35, opacity=0.6)
    whole = alt.Chart(listed(pooled)).mark_tick(thickness=4, size=24, opacity=1, orient="horizontal")
    marks = [symbols, whole] if len({one["symbol"] for one in each}) > 1 else [whole]
    text = ", ".join(
        f"{row['snapshot_et']} {row['raw']:.0%} then {row['calibrated']:.0%}" for row in together.iter_rows(named=True)
    )
    return Figure(
        "coverage-time",
        "Coverage by time of day, before and after calibration",
        f"Share of outcomes inside the 50 percent band by snapshot, as answered, then calibrated: {text}.",
        "Bars hold all symbols together, dots one symbol each." if len(marks) > 1 else "",
        DATA_BY_TIME,
        sized(
            alt.layer(
                level(0.5, "promised"),
                *(mark.encode(place, share, xOffset=beside, color=VERSION, tooltip=hover) for mark in marks),
            )
        ),
        wide=True,
    )
