"""The spans that `seal` wrote, each with everything needed to trade and score it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import polars as pl

from stages.io.files import PartitionedTables, read_table
from stages.io.parquet import read_distinct
from stages.io.partitions import Partition, Rows, partitions_of
from stages.runs.trial_log import log_opening
from stages.tables.contract import Table
from stages.tables.forecasts import Calibrated, Scored, Traded
from stages.tables.market import Bars, Calendar, Prices
from stages.trading.book import SpanInputs
from stages.trading.strategy import TRADABLE

FORECASTS = "calibrated.parquet"


def read_span(folder: Path, method: str) -> SpanInputs:
    """The search span: bars, forecasts by one calibration with their outcomes, and calendar, each checked.

    A symbol's bars are read on access.
    """
    return SpanInputs(
        bars=PartitionedTables.of(Prices, folder / "bars"),
        forecasts=read_table(Scored, folder / FORECASTS, method=[method]),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def keep_span(folder: Path, method: str) -> SpanInputs:
    """`read_span` with all bars read at once, for repeated use or after the folder is gone."""
    inputs = read_span(folder, method)
    return replace(inputs, bars=dict(inputs.bars))


@dataclass(frozen=True)
class SpanFiles:
    """The files of a span, from which workers read a symbol's bars and forecasts (in the form of `table`)."""

    folder: Path
    table: type[Table]
    bars: Mapping[str, Partition]
    calendar: pl.DataFrame

    @classmethod
    def searched(cls, folder: Path, forecasts: type[Table] = Traded) -> Self:
        """The search span, to be traded, or with forecasts in the form of `Scored` also to be scored."""
        return cls._of(folder, forecasts, Prices)

    @classmethod
    def opened(cls, folder: Path, name: str) -> Self:
        """A part of the holdout for strategy `name`; the opening is logged before anything is read.

        Its outcomes are stored nowhere: they are computed from its bars.
        """
        log_opening(name, folder.name)
        return cls._of(folder, Calibrated, Bars)

    @classmethod
    def _of(cls, folder: Path, forecasts: type[Table], bars: type[Table]) -> Self:
        calendar = read_table(Calendar, folder / "calendar.parquet")
        return cls(folder, forecasts, partitions_of(folder / "bars", bars), calendar)

    def kinds(self) -> pl.DataFrame:
        """The kinds of forecasts of every symbol: what `require_tradable` asks."""
        return read_distinct(self.folder / FORECASTS, TRADABLE)


def tables_of(spans: Iterable[SpanFiles], symbol: str, method: str) -> Iterator[Rows | Partition]:
    """A symbol's forecasts by one calibration, and its bars, of each span."""
    for span in spans:
        yield Rows(span.table, span.folder / FORECASTS, symbol, method)
        yield span.bars[symbol]
