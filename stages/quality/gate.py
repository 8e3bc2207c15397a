"""The data gate: each symbol's bars as delivered -> sound bars on the grid, and what was found.

Symbols are checked one by one, so that memory holds the work on one of them.

*Tables*: `Checked.bars` is table `Bars`, sessions that the gate drops included (their verdict says so); `days` is one
row a session; `halts` is table `Halts` of that symbol.
*Errors*: none; a hard failure becomes part of what was found, and `demand_sound` stops the run after the report is
written. Of a symbol with a failure nothing else was found: its bars and days stand for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.fill import on_grid
from stages.quality.gaps import Silence, silence_of, unlisted_halts
from stages.quality.halts import NO_HALTS, halts_of
from stages.quality.ingest import Ingested, ingest
from stages.quality.outliers import outliers
from stages.quality.params import DialectParams, QualityParams
from stages.quality.sessions import judge_sessions, with_further_halts
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
    halts: pl.DataFrame


def check_symbols(
    delivered: Mapping[str, pl.DataFrame],
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    halts: pl.DataFrame = NO_HALTS,
) -> dict[str, Checked]:
    """Every symbol through the gate, by symbol, sorted."""
    alone = {
        one: check_symbol(one, delivered[one], dialect, calendar, quality, halts=halts) for one in sorted(delivered)
    }
    return among_others(alone, quality)


def check_apart(  # noqa: PLR0913  # a delivery, and all that it is held against
    symbol: str,
    delivered: pl.DataFrame,
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    *,
    halts: pl.DataFrame = NO_HALTS,
) -> tuple[pl.DataFrame, Checked]:
    """The bars of one symbol, and what else was found: small enough to be held for all symbols at once."""
    checked = check_symbol(symbol, delivered, dialect, calendar, quality, halts=halts)
    return checked.bars, replace(checked, bars=Bars.create_empty())


def among_others(checked: Mapping[str, Checked], quality: QualityParams) -> dict[str, Checked]:
    """What was found of each symbol, given what was found of the others: halts that no list names."""
    read = {symbol: one.silence for symbol, one in checked.items() if one.failure is None}
    unlisted = unlisted_halts(read, quality)
    return {
        symbol: replace(
            one,
            halts=pl.concat([one.halts, unlisted[symbol]]),
            days=with_further_halts(one.days, one.silence.gaps, unlisted[symbol], quality.of(symbol)),
        )
        if symbol in read and unlisted[symbol].height
        else one
        for symbol, one in checked.items()
    }


def check_symbol(  # noqa: PLR0913  # a delivery, and all that it is held against
    symbol: str,
    delivered: pl.DataFrame,
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    *,
    halts: pl.DataFrame = NO_HALTS,
) -> Checked:
    """One symbol through the gate; nothing of the others is needed."""
    quality, halts = quality.of(symbol), halts_of(symbol, halts, calendar)
    failure = None
    try:
        ingested = ingest(symbol, delivered, dialect, calendar, quality)
    except HardFailure as error:
        failure, ingested = error, Ingested.nothing()
    placed = on_grid(ingested.rows, calendar, quality, halts)
    days = judge_sessions(placed, ingested, calendar, quality, halts)
    found = outliers(placed, (days["verdict"] != "fail").to_numpy(), quality)
    bars = Bars.of(placed.with_columns(found["is_outlier"]))
    spikes = (
        found.with_columns(placed["session"])
        .group_by("session")
        .agg(PX3=pl.col("is_outlier").sum(), PX3_reverted=pl.col("reverted").sum())
    )
    days = days.join(spikes, on="session", how="left").sort("session")
    silence = silence_of(bars, quality, halts)
    return Checked(bars, days, ingested.counts, delivered.height, failure, silence, halts)
