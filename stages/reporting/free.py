"""Section "Against free forecasts": asked and free forecasts on the same questions, also by the model's training."""

from collections.abc import Iterable, Iterator

import altair as alt
import polars as pl

from stages.errors import count
from stages.reporting.charts import Figure, level, sized
from stages.reporting.elements import MISSING, Grid, Section, grid, number, span
from stages.reporting.record import Document, Record
from stages.reporting.skill import DATA, bounded, by_horizon
from stages.tables.forecasts import BENCHMARK, FREE, FREE_MIX, NEVER
from stages.tables.trades import PORTFOLIO

ROW_HEIGHT = 18
SIDES = {"before": "up to", "after": "after"}
TITLE = "Against free forecasts"


def free(record: Record) -> Section:
    """The asked forecast compared with free ones."""
    entries, method = record.metrics["free"], record.config["calibration"]["method"]
    sentences = (
        f"All forecasts here answered the same questions and are calibrated by the same method ({method}). “Best free "
        "forecast” averages the free ones, each by how well it did on earlier days: `free_mix`, a benchmark that never "
        "trades. “Better by” is how much less CRPS a forecast has than the other one, in percent, with one-sided "
        "confidence bounds from resampled days.",
        *_left_out(entries, record.config["forecaster"]["name"]),
        _seen(record.metrics["trained"]),
        *record.selection,
    )
    if not entries:
        return Section("free", TITLE, (*sentences, "No question was answered and calibrated by all of them yet."))
    grids = (_pooled(record), _by_symbol(record), *_by_training(record))
    return Section("free", TITLE, sentences, _drawn(record), grids)


def _left_out(entries: Iterable[Document], asked: str) -> Iterator[str]:
    """A note if the asked forecaster is itself a free one; a program's model has another name."""
    if any(entry["model"] == f"{FREE}{asked}" for entry in entries):
        yield f"The asked forecaster is itself free, so the best free forecast leaves {asked} out."


def _seen(trained: Document) -> str:
    """A sentence on whether the asked model may have been trained on these days."""
    until = trained["until"]
    if until is None:
        return "Last day of the model's training: unknown, the model may have seen these days."
    if until == NEVER:
        return "Last day of the model's training: none, this forecaster is never trained."
    if not trained["before"]["free"]:
        return f"Last day of the model's training: {until}; every day that is judged here is after it."
    return f"Last day of the model's training: {until}; days up to it, which it may remember, are shown apart below."


def horizon_of(record: Record) -> int:
    """The horizon at which forecasts are compared first."""
    return int(record.config["worth"]["horizon_min"] or record.config["rules"]["horizon_min"])


def _named(model: str) -> str:
    """A model in words."""
    if not model.startswith(FREE):
        return f"{model} (asked)"
    return "best free forecast" if model == FREE_MIX else f"{model.removeprefix(FREE)} (free)"


def _pooled(record: Record) -> Grid:
    titles = (
        "horizon, min", "forecast", "CRPS (bp)", "better than persistence by, %", "bounds, %",
        "better than the best free by, %", "bounds, %", "rMAE", "inside 50 %", "inside 90 %", "outcomes", "days",
    )  # fmt: skip
    entries = [entry for entry in record.metrics["free"] if entry["symbol"] is None]
    lines = [
        (
            *(entry["horizon_min"], _named(entry["model"]), entry["crps_bp"]),
            *_skill(entry if entry["model"] != f"{FREE}{BENCHMARK}" else None, "over_persistence_pct"),
            *_skill(entry if entry["model"] != FREE_MIX else None, "over_free_mix_pct"),
            *(entry[name] for name in ("rmae", "coverage_50", "coverage_90", "n", "n_days")),
        )
        for entry in entries
    ]
    asked = [place for place, entry in enumerate(entries) if not entry["model"].startswith(FREE)]
    return grid("All symbols together", titles, lines, asked)


def _skill(entry: Document | None, name: str) -> tuple[str, str]:
    """A skill in percent, and its bounds; dashes for a model compared with itself."""
    if entry is None:
        return MISSING, MISSING
    known = bounded(entry[name])
    return number(known["value"], 2), span(known["low"], known["high"], 2)


def _by_symbol(record: Record) -> Grid:
    """One row a shown symbol: both forecasts over persistence, then the asked one over the best free one."""
    horizon = horizon_of(record)
    titles = (
        "symbol", "asked better than persistence by, %", "bounds, %", "best free better than persistence by, %",
        "bounds, %", "asked better than the best free by, %", "bounds, %", "outcomes", "days",
    )  # fmt: skip
    lines = []
    for symbol in record.shown:
        asked, mix = _pair(record.metrics["free"], symbol, horizon)
        if asked:
            skills = [_skill(one, "over_persistence_pct") for one in (asked, mix)]
            beyond = _skill(asked, "over_free_mix_pct")
            lines.append((symbol, *skills[0], *skills[1], *beyond, asked["n"], asked["n_days"]))
    return grid(f"By symbol, {count(horizon, 'minute')} ahead", titles, lines)


def _pair(entries: list[Document], symbol: str | None, horizon: int) -> tuple[Document | None, Document | None]:
    """The asked model's entry and the mix's."""
    found = [one for one in entries if (one["symbol"], one["horizon_min"]) == (symbol, horizon)]
    asked = next((one for one in found if not one["model"].startswith(FREE)), None)
    return asked, next((one for one in found if one["model"] == FREE_MIX), None)


def _by_training(record: Record) -> Iterator[Grid]:
    """The same model on days that it may have been trained on, and on days after them."""
    trained, horizon = record.metrics["trained"], horizon_of(record)
    if not (trained["before"] and trained["before"]["free"]):
        return
    titles = (
        "symbol", "days", "rMAE", "inside 50 %", "better than persistence by, %", "bounds, %",
        "better than the best free by, %", "bounds, %", "outcomes", "scored days", "net of the rule, bp",
    )  # fmt: skip
    earned = dict(record.portfolio.select(pl.concat_str("span", "symbol", separator=" "), "net_bp").iter_rows())
    lines = []
    for symbol in (None, *record.shown):
        for side, words in SIDES.items():
            asked, _ = _pair(trained[side]["free"], symbol, horizon)
            if asked:
                net = earned.get(f"search_{side}_training {symbol or PORTFOLIO}")
                skills = _skill(asked, "over_persistence_pct"), _skill(asked, "over_free_mix_pct")
                scores = (asked["rmae"], asked["coverage_50"], *skills[0], *skills[1], asked["n"], asked["n_days"])
                lines.append((symbol or "all", f"{words} {trained['until']}", *scores, net))
    caption = f"Days the model may have been trained on, and days after, {count(horizon, 'minute')} ahead"
    yield grid(caption, titles, lines)


def _drawn(record: Record) -> tuple[Figure, ...]:
    """Skill of every other forecast over persistence, by horizon; no figure if persistence is not a candidate."""
    entries = [
        {"forecast": _named(entry["model"]), "horizon": f"{entry['horizon_min']} min", "n": entry["n"]}
        | bounded(entry["over_persistence_pct"])
        for entry in record.metrics["free"]
        if entry["symbol"] is None and entry["model"] != f"{FREE}{BENCHMARK}"
    ]
    entries = [entry for entry in entries if entry["value"] is not None]  # a missing value would be drawn as 0
    if not entries:
        return ()
    names = list(dict.fromkeys(entry["forecast"] for entry in entries))
    marks = by_horizon(record, entries, "forecast", names, ".2f", title="less CRPS than persistence, %")
    first = f"{horizon_of(record)} min"
    text = ", ".join(f"{one['forecast']} {number(one['value'], 2)} %" for one in entries if one["horizon"] == first)
    figure = Figure(
        "free-skill",
        "Better than persistence by",
        f"Percent less CRPS than persistence at {first}, all symbols together: {text}.",
        "Right of the line is better than persistence; bars are bounds from resampled days.",
        DATA,
        sized(alt.layer(level(0.0, "persistence", axis="x"), *marks), ROW_HEIGHT * len(entries)),
        wide=True,
    )
    return (figure,)
