"""The data gate: each symbol's bars as delivered -> sound bars on the grid, and what was found.

Symbols are checked one by one, so that memory holds the work on one of them. Those whose suspect bars other symbols
excuse are checked once more, with what the others did.

*Tables*: `Checked.bars` is table `Bars`, sessions that the gate drops included (their verdict says so); `days` is one
row a session.
*Errors*: none; a hard failure becomes part of what was found, and `demand_sound` stops the run after the report is
written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from stages.quality.copies import Prints, copied_sessions, sampled_prints
from stages.quality.failure import HardFailure
from stages.quality.fill import filled, placed
from stages.quality.gaps import Silence, silence_of, trading_symbols
from stages.quality.ingest import Ingested, ingest
from stages.quality.levels import judge_levels
from stages.quality.others import NOBODY, Extremes, Others, extremes_of, others_of
from stages.quality.outliers import outliers
from stages.quality.params import DialectParams, QualityParams
from stages.quality.sessions import judge_sessions
from stages.quality.units import check_unit
from stages.quality.wicks import cut_to_body, judge_wicks
from stages.tables.bars import Bars


@dataclass(frozen=True)
class Known:
    """What is known of a symbol beside its bars: the listed factor of its price by session, and the other symbols."""

    actions: Mapping[date, float] = field(default_factory=dict)
    others: Others = NOBODY


NOTHING = Known()


@dataclass(frozen=True)
class Checked:
    """One symbol after the gate."""

    bars: pl.DataFrame
    days: pl.DataFrame
    counts: dict[str, int]
    rows_delivered: int
    failure: HardFailure | None
    silence: Silence
    levels: list[dict[str, Any]]
    extremes: Extremes
    prints: Prints


def check_symbols(
    delivered: Mapping[str, pl.DataFrame],
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    actions: Mapping[str, Mapping[date, float]] | None = None,
) -> dict[str, Checked]:
    """Every symbol through the gate, by symbol, sorted."""

    def checked(symbol: str, others: Others) -> Checked:
        known = Known((actions or {}).get(symbol, {}), others)
        return check_symbol(symbol, delivered[symbol], dialect, calendar, quality, known)

    found = {symbol: checked(symbol, NOBODY) for symbol in sorted(delivered)}
    return found | {symbol: checked(symbol, others) for symbol, others in excuses(found, quality).items()}


def excuses(found: Mapping[str, Checked], quality: QualityParams) -> dict[str, Others]:
    """What the others did, by each symbol that has suspect bars and is to be checked again."""
    extremes = {symbol: one.extremes for symbol, one in found.items()}
    if len(found) < 2 or not any(one.suspects or one.suspect_wicks for one in extremes.values()):
        return {}
    return others_of(extremes, trading_symbols([one.silence for one in found.values()]), quality)


def check_apart(  # noqa: PLR0913  # as check_symbol
    symbol: str,
    delivered: pl.DataFrame,
    known: Known = NOTHING,
    *,
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
) -> tuple[pl.DataFrame, Checked]:
    """The bars of one symbol, and what else was found: small enough to be held for all symbols at once."""
    checked = check_symbol(symbol, delivered, dialect, calendar, quality, known)
    return checked.bars, replace(checked, bars=Bars.create_empty())


def check_symbol(  # noqa: PLR0913, PLR0917  # a symbol's bars and all that is known of them
    symbol: str,
    delivered: pl.DataFrame,
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    known: Known = NOTHING,
) -> Checked:
    """One symbol through the gate; nothing of the others is needed."""
    failure = None
    try:
        ingested = ingest(symbol, delivered, dialect, calendar, quality)
        check_unit(ingested.rows, quality)
    except HardFailure as error:
        failure, ingested = error, Ingested.nothing()
    grid = placed(ingested.rows, calendar, quality)
    levels = judge_levels(grid, known.actions, quality, known.others)
    unsound = pl.Series("PX7", levels.unsound)
    level = grid.with_columns(unsound, sound=pl.col("sound") & ~unsound)
    cut, suspect_wicks = judge_wicks(level, quality, known.others)
    rows = filled(cut_to_body(level, cut), quality)
    marks = levels.by_session(calendar).join(copied_sessions(grid, quality), on="session", how="left")
    days = judge_sessions(rows, ingested, marks, calendar, quality)
    found = outliers(rows, (days["verdict"] != "fail").to_numpy(), quality)
    bars = Bars.of(rows.with_columns(is_outlier=found["is_outlier"] | rows["PX8"]))
    spikes = (
        found.with_columns(rows["session"])
        .group_by("session")
        .agg(PX3=pl.col("is_outlier").sum(), PX3_reverted=pl.col("reverted").sum())
    )
    return Checked(
        bars=bars,
        days=days.join(spikes, on="session", how="left").sort("session"),
        counts=ingested.counts,
        rows_delivered=delivered.height,
        failure=failure,
        silence=silence_of(bars, quality),
        levels=levels.found,
        extremes=extremes_of(grid, levels.suspects, suspect_wicks, quality),
        prints=sampled_prints(grid),
    )
