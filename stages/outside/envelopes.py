"""The envelopes that `seal` wrote: everything needed to trade one span."""

from dataclasses import replace
from pathlib import Path

from stages.outside.files import read_table
from stages.outside.tables_in import TablesIn
from stages.portfolio.book import Envelope
from stages.tables.bars import Prices
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated


def read_envelope(folder: Path, method: str) -> Envelope:
    """Bars, forecasts by one calibration and calendar of a span, each checked; bars of a symbol when asked for."""
    return Envelope(
        bars=TablesIn.of(Prices, folder / "bars"),
        forecasts=read_table(Calibrated, folder / "calibrated.parquet", method=[method]),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )


def hold_envelope(folder: Path, method: str) -> Envelope:
    """The same with all bars read now, for whoever looks at them again and again or after the folder is gone."""
    envelope = read_envelope(folder, method)
    return replace(envelope, bars=dict(envelope.bars))
