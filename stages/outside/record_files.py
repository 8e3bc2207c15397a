"""The record of a run, read from the outputs of its stages; nothing is computed here."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stages.outside.content import content_hashes
from stages.outside.files import read_csv, read_json, read_sheet, read_table
from stages.outside.tables_in import TablesIn
from stages.reporting.record import Record
from stages.tables.bars import Bars
from stages.tables.calibrated import Calibrated
from stages.tables.signals import Signals
from stages.tables.trades import Daily, Trades

READERS: dict[str, Callable[[Path], Any]] = {
    "trades": partial(read_csv, Trades),
    "bars": partial(TablesIn.of, Bars),
    "signals": partial(read_table, Signals),
    "daily": partial(read_table, Daily),
    "oos_daily": partial(read_table, Daily),
    "coverage": read_sheet,
    "ranking": read_sheet,
    "walk_forward": read_sheet,
    "portfolio": read_sheet,
    "cost_curve": read_sheet,
    "delay": read_sheet,
}


def read_record(files: Mapping[str, Path], config: Mapping[str, Any], root: Path = Path()) -> Record:
    """The files of a run below `root`, by their names in the record; what has no reader of its own is JSON."""
    of_method = partial(read_table, Calibrated, method=[config["calibration"]["method"]])
    readers = READERS | {"forecasts": of_method}
    read = {name: readers.get(name, read_json)(root / path) for name, path in files.items()}
    return Record(config=config, hashes=content_hashes(files.values(), root), **read)
