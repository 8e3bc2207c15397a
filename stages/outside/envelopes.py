"""The envelopes that `seal` wrote: everything needed to trade and score one span."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from stages.calibration.outcomes import with_outcomes
from stages.outside.files import read_table
from stages.outside.runs.trials import log_opening
from stages.outside.tables_in import TablesIn
from stages.portfolio.book import Envelope
from stages.tables.bars import Bars, Prices
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated, Scored


def read_envelope(folder: Path, method: str) -> Envelope:
    """Of the search span: bars, forecasts by one calibration beside their outcomes, calendar, each checked.

    Bars of a symbol are read when they are asked for.
    """
    return Envelope(
        bars=TablesIn.of(Prices, folder / "bars"),
        forecasts=read_table(Scored, folder / "calibrated.parquet", method=[method]),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def open_envelope(folder: Path, name: str, method: str, usable: Mapping[str, tuple[date, ...]]) -> Envelope:
    """The same of a part of the holdout, for strategy `name`; that it is opened is on record before it is read.

    Its outcomes lie nowhere: they are joined here, from its bars.
    """
    log_opening(name, folder.name)
    forecasts = read_table(Calibrated, folder / "calibrated.parquet", method=[method])
    return Envelope(
        bars=TablesIn.of(Prices, folder / "bars"),
        forecasts=Scored.of(with_outcomes(forecasts, TablesIn.of(Bars, folder / "bars"), usable)),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def hold_envelope(folder: Path, method: str) -> Envelope:
    """The same with all bars read now, for whoever looks at them again and again or after the folder is gone."""
    envelope = read_envelope(folder, method)
    return replace(envelope, bars=dict(envelope.bars))
