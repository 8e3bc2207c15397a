"""Sections on inputs: what the data gate did, where the forecasts came from, params, and the hash of every file."""

from typing import Any

import polars as pl
import yaml

from stages.errors import count, shorten
from stages.reporting.elements import Section, grid
from stages.reporting.record import Document, Record

SHOWN_DAYS = 20


def data(record: Record) -> Section:
    """Exceptions by symbol, and each day whose verdict is not pass."""
    quality = record.quality
    symbols = quality["symbols"]
    odd = [(symbol, day) for symbol, one in sorted(symbols.items()) for day in one["days"] if day["verdict"] != "pass"]
    dropped = sum(one["sessions_dropped"] for one in symbols.values())
    calendar = quality["calendar"]
    sentences = (
        f"The data gate says {quality['verdict']}: {count(calendar['sessions'], 'session')} from {calendar['start']} "
        f"to {calendar['end']}, {count(len(symbols), 'symbol')}, {count(dropped, 'symbol-session')} dropped, "
        f"{count(len(odd), 'exception')} in all.",
        _policy(record.features),
    )
    grids = (
        _by_symbol(symbols, record.config["report"]["shown_symbols"]),
        *_exceptions(odd),
        *_unknown(record.features),
    )
    return Section("data", "Data quality", sentences, grids=grids)


def _policy(features: Document) -> str:
    """The limit on unknown feature values, and the largest share found."""
    required, symbols = features["required"], features["symbols"].values()
    if not required:
        return "No feature is required (features.required): unknown values are counted and never stop the run."
    worst = max(_share(one["features"][name]) for one in symbols for name in required)
    incomplete = sum(one["rows_incomplete"] for one in symbols)
    return (
        f"Required features: {', '.join(required)}. They are unknown on at most {worst:.2%} of a symbol's minutes "
        f"(features.max_null_share allows {features['max_null_share']:.2%}) and on {count(incomplete, 'minute')} in "
        "all, including look-back and dropped sessions."
    )


def _share(counted: Document) -> float:
    return float(counted["nulls_due"] / max(1, counted["due"]))


def _unknown(features: Document) -> list[Any]:
    """Features that are unknown where they should be known, over all symbols."""
    by_symbol = [one["features"] for one in features["symbols"].values()]
    sums = {
        name: {kind: sum(one[name][kind] for one in by_symbol) for kind in ("nulls", "due", "nulls_due")}
        for name in by_symbol[0]
    }
    lines = [
        (name, counted["nulls"], counted["nulls_due"], counted["due"], f"{_share(counted):.2%}")
        for name, counted in sums.items()
        if counted["nulls_due"]
    ]
    titles = ("feature", "unknown minutes", "of these after its look-back", "minutes after its look-back", "share")
    return [grid("Features that are unknown where they should be known", titles, lines)] if lines else []


def _by_symbol(symbols: dict[str, Any], most: int) -> Any:
    """One line per symbol; of many symbols, those that lost the most sessions."""
    lost = {symbol: (-one["sessions_dropped"], one["completeness"]) for symbol, one in symbols.items()}
    shown = sorted(sorted(symbols, key=lambda symbol: (*lost[symbol], symbol))[:most])
    more = f" (the {most} of {len(symbols)} with the most dropped)" if len(symbols) > most else ""
    titles = ("symbol", "sessions expected", "present", "usable", "dropped", "completeness", "checks that fired")
    fields = ("sessions_expected", "sessions_present", "sessions_usable", "sessions_dropped", "completeness")
    lines = [
        (symbol, *(symbols[symbol][field] for field in fields), _counts(symbols[symbol]["checks"])) for symbol in shown
    ]
    return grid(f"The data gate by symbol{more}", titles, lines)


def _exceptions(odd: list[tuple[str, Any]]) -> list[Any]:
    if not odd:
        return []
    titles = ("symbol", "session", "verdict", "why", "bars missing", "longest gap, min", "checks that fired")
    lines = [
        (
            symbol,
            day["session"],
            day["verdict"],
            day["reason"] or "",
            day["n_missing"],
            day["longest_gap"],
            _counts(day["flags"]),
        )
        for symbol, day in odd[:SHOWN_DAYS]
    ]
    more = f" (the first {SHOWN_DAYS} of {len(odd)})" if len(odd) > SHOWN_DAYS else ""
    return [grid(f"Days whose verdict is not pass{more}", titles, lines)]


def _counts(checks: dict[str, int]) -> str:
    return ", ".join(f"{name} {many}" for name, many in sorted(checks.items()) if many) or "none"


def sources(record: Record) -> Section:
    """One row per source and group of symbols; a bought forecast names its model and deployment."""
    answers = sorted(record.answers["by_source"].items())
    listed = ", ".join(f"{count(many, 'answer')} from `{name}`" for name, many in answers)
    sentences = (
        f"{record.label}: {listed}, over the whole record. An answer's source is part of its question, so a "
        "local answer can never replace a bought one.",
    )
    asked = record.config["forecaster"]["model"]
    found = (
        record.answered.sort(pl.col("model") != asked, "source", pl.col("symbol").cast(pl.Enum(record.symbols)))
        .group_by("source", "model", "asked", "session", maintain_order=True)
        .agg("symbol")
    )
    lines = [
        (source, "asked" if model == asked else "benchmark", shorten(symbols), *counts)
        for source, model, *counts, symbols in found.iter_rows()
    ]
    titles = ("source", "role", "symbols", "forecasts a symbol", "sessions")
    return Section(
        "sources",
        "Where the forecasts came from",
        sentences,
        grids=(grid("Forecasts of the search span", titles, lines),),
    )


def inputs(record: Record) -> Section:
    """The inputs and versions of a run, to compare when two pages differ."""
    by_source = sorted(record.answers["by_source"].items())
    answers = ", ".join(f"{count(many, 'answer')} from {name}" for name, many in by_source)
    files = count(len(record.manifest["files"]), "listed file")
    bars = "are artificial, from params section source" if record.is_synthetic else f"come from {files}"
    sentences = (
        f"The bars {bars}; the forecasts are {answers}.",
        "Each figure names the files it was drawn from; these are their hashes, as in dvc.lock. The same hashes mean "
        "the same run. How answers were bought (params section api) is not included.",
    )
    table = grid(
        "Content of the files behind this page", ("file under artifacts/", "md5"), sorted(record.hashes.items())
    )
    return Section("inputs", "Inputs", sentences, grids=(table,), dump=as_yaml(record.config))


def as_yaml(config: Any) -> str:
    """Params as in params.yaml, sections in their order."""
    text: str = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return text
