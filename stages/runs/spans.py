"""The spans that `seal` wrote, each with everything needed to trade and score it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from stages.calibration.past import with_outcomes
from stages.io.files import PartitionedTables, read_table
from stages.runs.trial_log import log_opening
from stages.tables.forecasts import Calibrated, Scored
from stages.tables.market import Bars, Calendar, Prices
from stages.trading.book import SpanInputs


def read_span(folder: Path, method: str) -> SpanInputs:
    """The search span: bars, forecasts by one calibration with their outcomes, and calendar, each checked.

    Bars of a symbol are read when they are asked for.
    """
    return SpanInputs(
        bars=PartitionedTables.of(Prices, folder / "bars"),
        forecasts=read_table(Scored, folder / "calibrated.parquet", method=[method]),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def open_span(folder: Path, name: str, method: str, usable: Mapping[str, tuple[date, ...]]) -> SpanInputs:
    """The same for a part of the holdout and strategy `name`. The opening is logged before anything is read.

    Its outcomes are stored nowhere; they are computed here from its bars.
    """
    log_opening(name, folder.name)
    forecasts = read_table(Calibrated, folder / "calibrated.parquet", method=[method])
    return SpanInputs(
        bars=PartitionedTables.of(Prices, folder / "bars"),
        forecasts=Scored.of(with_outcomes(forecasts, PartitionedTables.of(Bars, folder / "bars"), usable)),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def keep_span(folder: Path, method: str) -> SpanInputs:
    """The same with all bars read now, for repeated use or after the folder is gone."""
    inputs = read_span(folder, method)
    return replace(inputs, bars=dict(inputs.bars))
