"""The envelopes that `seal` wrote: everything needed to trade one span."""

from pathlib import Path

from stages.outside.files import read_table, read_tables
from stages.portfolio.book import Envelope
from stages.tables.bars import Bars
from stages.tables.calendar import Calendar
from stages.tables.calibrated import Calibrated


def read_envelope(folder: Path) -> Envelope:
    """Bars, calibrated forecasts and calendar of one span, each checked."""
    return Envelope(
        bars=read_tables(Bars, folder / "bars"),
        forecasts=read_table(Calibrated, folder / "calibrated.parquet"),
        calendar=read_table(Calendar, folder / "calendar.parquet"),
    )
