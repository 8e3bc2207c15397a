"""The data gate for one symbol: bars as delivered -> sound bars on the grid, and findings.

Symbols are checked one by one, so memory holds the work on one of them; `cross_symbol` checks them together.

*Tables*: `Checked.bars` is table `Bars`, including sessions that the gate drops (their verdict says so); `days` has one
row a session; `halts` is table `Halts` of the symbol.
*Errors*: none; a hard failure becomes part of the findings, and `report.require_sound` stops the run after the report
is written. For a symbol with a hard failure nothing else is known: its bars and days are meaningless.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from stages.params.quality import DialectParams, QualityParams
from stages.quality.clean import cut_to_body, filled, judge_wicks, outliers, placed
from stages.quality.copies import Prints, copied_sessions, sampled_prints
from stages.quality.halts import NO_HALTS, halts_of
from stages.quality.ingest import Ingested, ingest, read_rows
from stages.quality.label_evidence import LabelEvidence, label_evidence
from stages.quality.labels import LabelReading
from stages.quality.levels import judge_levels
from stages.quality.long_gaps import Silence, silence_of
from stages.quality.sessions import HALTED, judge_sessions
from stages.quality.shared_moves import NOBODY, Extremes, Others, extremes_of
from stages.quality.units import check_unit
from stages.quality.verdicts import HardFailure
from stages.tables.market import REAL, Bars


@dataclass(frozen=True)
class Known:
    """Inputs besides a symbol's bars: listed price factors by session, listed halts of all symbols, and the others."""

    actions: Mapping[date, float] = field(default_factory=dict)
    halts: pl.DataFrame = field(default_factory=lambda: NO_HALTS)
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
    halts: pl.DataFrame
    levels: list[dict[str, Any]]
    extremes: Extremes
    prints: Prints
    evidence: LabelEvidence | None = None
    labels: LabelReading | None = None  # of all symbols
    undecided: str = ""  # why the label is unknown, if that stops the run

    @property
    def expected(self) -> pl.DataFrame:
        """The sessions that were not halted throughout; all of them if every one was."""
        traded = self.days.filter(pl.col("reason").ne_missing(HALTED))
        return self.days if traded.is_empty() else traded


def check_one_symbol(  # noqa: PLR0913  # as check_symbol
    symbol: str,
    delivered: pl.DataFrame,
    known: Known = NOTHING,
    *,
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
) -> tuple[pl.DataFrame, Checked]:
    """The bars of one symbol, and the other findings, which are small enough to be kept for all symbols."""
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
    """One symbol through the gate, without the others."""
    quality, halts = quality.of(symbol), halts_of(symbol, known.halts, calendar)
    failure = evidence = None
    try:
        named, stamped = read_rows(symbol, delivered, dialect, calendar)
        evidence = label_evidence(stamped, calendar)
        ingested = ingest(named, stamped, dialect, calendar)
        check_unit(ingested.rows, quality)
    except HardFailure as error:
        failure, ingested = error, Ingested.nothing()
    grid = placed(ingested.rows, calendar, quality, halts)
    levels = judge_levels(grid, known.actions, quality, known.others)
    unsound = pl.Series("PX7", levels.unsound)
    level = grid.with_columns(unsound, sound=pl.col("sound") & ~unsound)
    cut, suspect_wicks = judge_wicks(level, quality, known.others)
    rows = filled(cut_to_body(level, cut), quality)
    marks = levels.by_session(calendar).join(copied_sessions(grid, quality), on="session", how="left")
    days = judge_sessions(rows, ingested, marks, calendar, quality, halts)
    found = outliers(rows, (days["verdict"] != "fail").to_numpy(), quality)
    bars = Bars.of(rows.with_columns(is_outlier=found["is_outlier"] | rows["PX8"]))
    traded = bars.select(REAL).to_series().to_numpy() | levels.unsound
    spikes = (
        found.with_columns(rows["session"])
        .group_by("session")
        .agg(PX3=pl.col("is_outlier").sum(), PX3_reverted=pl.col("reverted").sum())
    )
    extremes = extremes_of(grid, traded, (levels.suspects, suspect_wicks), known.actions, quality)
    return Checked(
        bars=bars,
        days=days.join(spikes, on="session", how="left").sort("session"),
        counts=ingested.counts,
        rows_delivered=delivered.height,
        failure=failure,
        silence=silence_of(bars, quality, halts),
        halts=halts,
        levels=levels.found,
        extremes=extremes.without(levels.listed),
        prints=sampled_prints(grid),
        evidence=evidence,
    )
