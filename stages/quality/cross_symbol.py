"""Checks across symbols: the bar label of the source, moves that symbols share, and unlisted halts.

A vendor has one convention, so the label is read from all symbols at once. A jump or wick that other symbols share is a
market move, so suspect bars are checked again with the others' bars. A pause while the others trade may be an unlisted
halt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from math import log

import polars as pl

from stages.params.quality import DialectParams, QualityParams
from stages.quality.gate import Checked, Known, check_symbol
from stages.quality.halts import NO_HALTS
from stages.quality.label_messages import contradiction, undecided
from stages.quality.labels import LabelReading, judge_labels
from stages.quality.long_gaps import unlisted_halts
from stages.quality.sessions import with_further_halts
from stages.quality.shared_moves import NOBODY, Others, others_of


def check_symbols(  # noqa: PLR0913, PLR0917  # deliveries, and all that they are held against
    delivered: Mapping[str, pl.DataFrame],
    dialect: DialectParams,
    calendar: pl.DataFrame,
    quality: QualityParams,
    actions: Mapping[str, Mapping[date, float]] | None = None,
    halts: pl.DataFrame = NO_HALTS,
) -> dict[str, Checked]:
    """Every symbol through the gate, by symbol, sorted."""

    def checked(symbol: str, others: Others) -> Checked:
        known = Known((actions or {}).get(symbol, {}), halts, others)
        return check_symbol(symbol, delivered[symbol], dialect, calendar, quality, known)

    found = {symbol: checked(symbol, NOBODY) for symbol in sorted(delivered)}
    found |= {symbol: checked(symbol, others) for symbol, others in excuses(found, quality).items()}
    return among_others(check_labels(found, dialect, calendar, quality), quality)


def excuses(found: Mapping[str, Checked], quality: QualityParams) -> dict[str, Others]:
    """The others' moves, for each symbol whose suspect bars must be checked again."""
    extremes = {symbol: one.extremes for symbol, one in found.items()}
    if len(found) < 2 or not any(one.suspects or one.suspect_wicks for one in extremes.values()):
        return {}
    return others_of(extremes, quality)


def check_labels(
    checked: Mapping[str, Checked], dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> dict[str, Checked]:
    """The symbols after check TS5, which fails those whose stamps contradict params, jointly or one by one."""

    def read(symbols: Iterable[str]) -> LabelReading:
        evidence = [found for symbol in symbols if (found := checked[symbol].evidence) is not None]
        return judge_labels(evidence, calendar, quality.label_min_confidence)

    source = read(checked)
    unknown = undecided(source, dialect, quality)
    result = {}
    for symbol, check in checked.items():
        result[symbol] = check
        if check.evidence is None:
            continue
        wrong = contradiction(source, dialect, quality)
        if not wrong and len(checked) > 1:  # log(n) more nats alone: among n symbols one contradicts by chance
            wrong = contradiction(read([symbol]), dialect, quality, log(len(checked)))
        result[symbol] = replace(
            check,
            counts=check.counts | {"TS5_undecided": int(bool(unknown))},
            failure=wrong or check.failure,
            labels=source,
            undecided="" if wrong or dialect.bar_label_trusted else unknown,
        )
    return result


def among_others(checked: Mapping[str, Checked], quality: QualityParams) -> dict[str, Checked]:
    """The findings of each symbol with its unlisted halts, which only the other symbols show."""
    silences = {symbol: check.silence for symbol, check in checked.items() if check.failure is None}
    result = dict(checked)
    for symbol, halts in unlisted_halts(silences, quality).items():
        if halts.height:
            check = checked[symbol]
            gaps = check.silence.gaps.filter(~pl.col("whole"))  # a session without any bar lacks all of them
            days = with_further_halts(check.days, gaps, halts, quality.of(symbol))
            result[symbol] = replace(check, halts=pl.concat([check.halts, halts]), days=days)
    return result
