"""From which source each forecast came, and who stands beside it as the benchmark."""

import polars as pl

from stages.reporting.content import Section, grid
from stages.reporting.record import Record
from stages.reporting.words import count
from stages.universe.names import few


def sources(record: Record) -> Section:
    """One row a source and the symbols it served alike; a bought forecast names its model and deployment."""
    answers = sorted(record.answers["by_source"].items())
    told = ", ".join(f"{count(many, 'answer')} from `{name}`" for name, many in answers)
    sentences = (
        f"{record.label}: {told}, over the whole record. An answer's source is part of its question, so a local answer "
        "can never stand where a bought one was asked for.",
        "What was spent, bought and opened is no part of this file: `make page` shows it beside the same evidence.",
    )
    asked = record.config["forecaster"]["model"]
    found = (
        record.forecasts.group_by("source", "model", "symbol")
        .agg(pl.struct("snapshot_utc", "history_days").n_unique().alias("asked"), pl.col("session").n_unique())
        .sort(pl.col("model") != asked, "source", pl.col("symbol").cast(pl.Enum(record.symbols)))
        .group_by("source", "model", "asked", "session", maintain_order=True)
        .agg("symbol")
    )
    lines = [
        (
            row["source"],
            "asked" if row["model"] == asked else "benchmark",
            few(row["symbol"]),
            *(row[field] for field in ("asked", "session")),
        )
        for row in found.iter_rows(named=True)
    ]
    titles = ("source", "stands as", "symbols", "forecasts a symbol", "sessions")
    return Section(
        "sources",
        "Where the forecasts came from",
        sentences,
        grids=(grid("Forecasts of the search span", titles, lines),),
    )
