"""The data gate: each symbol's bars as delivered -> sound bars on the grid, and what was found.

Symbols are checked one by one, so that memory holds the work on one of them. What their stamps mean is then asked of
all together: one vendor has one convention.

*Tables*: `Checked.bars` is table `Bars`, sessions that the gate drops included (their verdict says so); `days` is one
row a session.
*Errors*: none; a hard failure becomes part of what was found, and `demand_sound` stops the run after the report is
written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.fill import on_grid
from stages.quality.gaps import Silence, silence_of
from stages.quality.ingest import Ingested, ingest, read_rows
from stages.quality.label_evidence import LabelEvidence, label_evidence
from stages.quality.label_messages import contradiction, undecided
from stages.quality.labels import LabelReading, judge_labels
from stages.quality.outliers import outliers
from stages.quality.params import DialectParams, QualityParams
from stages.quality.sessions import judge_sessions
from stages.tables.bars import Bars

OTHER_CONVENTION_NATS = 7.0  # odds of a thousand to one against a symbol with a convention of its own


@dataclass(frozen=True)
class Checked:
    """One symbol after the gate."""

    bars: pl.DataFrame
    days: pl.DataFrame
    counts: dict[str, int]
    rows_delivered: int
    failure: HardFailure | None
    silence: Silence
    evidence: LabelEvidence | None = None
    labels: LabelReading | None = None  # of all symbols
    undecided: str = ""  # why the label is not known, if that stops the run


def check_symbols(
    delivered: Mapping[str, pl.DataFrame], dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Checked]:
    """Every symbol through the gate, by symbol, sorted."""
    alone = {
        symbol: check_symbol(symbol, delivered[symbol], dialect, calendar, quality) for symbol in sorted(delivered)
    }
    return check_labels(alone, dialect, calendar, quality)


def check_labels(
    checked: Mapping[str, Checked], dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Checked]:
    """The same symbols after TS5: fails those whose stamps contradict the params, by all symbols or by their own."""

    def read(symbols: Iterable[str]) -> LabelReading:
        evidence = [found for symbol in symbols if (found := checked[symbol].evidence) is not None]
        return judge_labels(evidence, calendar, quality.label_min_confidence)

    source = read(checked)
    unknown = undecided(source, dialect, quality)
    result = {}
    for symbol, one in checked.items():
        result[symbol] = one
        if one.evidence is None:
            continue
        wrong = contradiction(source, dialect, quality)
        if not wrong and len(checked) > 1:
            wrong = contradiction(read([symbol]), dialect, quality, OTHER_CONVENTION_NATS)
        result[symbol] = replace(
            one,
            days=_all_failed(one.days) if wrong else one.days,
            counts=one.counts | {"TS5_undecided": int(bool(unknown))},
            failure=wrong or one.failure,
            labels=source,
            undecided="" if wrong or dialect.bar_label_trusted else unknown,
        )
    return result


def _all_failed(days: pl.DataFrame) -> pl.DataFrame:
    """Each session lies elsewhere than the params say, so that nothing was judged by its own minutes."""
    return days.with_columns(verdict=pl.lit("fail"), reason=pl.lit("wrong_labels"))


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
    failure = evidence = None
    try:
        named, stamped = read_rows(symbol, delivered, dialect, calendar)
        evidence = label_evidence(stamped, calendar)
        ingested = ingest(named, stamped, dialect, calendar)
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
    return Checked(bars, days, ingested.counts, delivered.height, failure, silence_of(bars, quality), evidence)
