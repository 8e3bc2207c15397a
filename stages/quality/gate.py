"""The data gate: each symbol's bars as delivered -> sound bars on the grid, and what was found.

Symbols are checked one by one, so that memory holds the work on one of them.

*Tables*: `Checked.bars` is table `Bars`, sessions that the gate drops included (their verdict says so); `days` is one
row a session.
*Errors*: none; a hard failure becomes part of what was found, and `demand_sound` stops the run after the report is
written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.fill import on_grid
from stages.quality.gaps import Silence, silence_of
from stages.quality.ingest import Ingested, ingest
from stages.quality.outliers import outliers
from stages.quality.params import DialectParams, QualityParams
from stages.quality.sessions import judge_sessions
from stages.tables.bars import Bars


@dataclass(frozen=True)
class Checked:
    """One symbol after the gate."""

    bars: pl.DataFrame
    days: pl.DataFrame
    counts: dict[str, int]
    rows_delivered: int
    failure: HardFailure | None
    silence: Silence


def check_symbols(
    delivered: Mapping[str, pl.DataFrame], dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Checked]:
    """Every symbol through the gate, by symbol, sorted."""
    return {symbol: check_symbol(symbol, delivered[symbol], dialect, calendar, quality) for symbol in sorted(delivered)}


def check_apart(
    symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> tuple[pl.DataFrame, Checked]:
    """The bars of one symbol, and what else was found: small enough to be held for all symbols at once."""
    checked = check_symbol(symbol, delivered, dialect, calendar, quality)
    return checked.bars, replace(checked, bars=Bars.create_empty())


def check_symbol(
    symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> Checked:
    """One symbol through the gate; nothing of the others is needed."""
    failure = None
    try:
        ingested = ingest(symbol, delivered, dialect, calendar, quality)
    except HardFailure as error:
        failure, ingested = error, Ingested.nothing()
    placed = on_grid(ingested.rows, calendar, quality)
    days = judge_sessions(placed, ingested, calendar, quality)
    found = outliers(placed, (days["verdict"] != "fail").to_numpy(), quality)
    bars = Bars.of(placed.with_columns(found["is_outlier"]))
    spikes = (
        found.with_columns(placed["session"])
        .group_by("session")
        .agg(PX3=pl.col("is_outlier").sum(), PX3_reverted=pl.col("reverted").sum())
    )
    days = days.join(spikes, on="session", how="left").sort("session")
    return Checked(bars, days, ingested.counts, delivered.height, failure, silence_of(bars, quality))
