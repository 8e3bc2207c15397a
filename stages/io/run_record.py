"""The record of a run, read from the outputs of its stages, with content hashes as dvc.lock writes them.

Nothing is computed here. The hashes let a reader find each file in dvc.lock.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stages.io.content import content_hashes
from stages.io.files import PartitionedTables, read_csv, read_json, read_sheet, read_table
from stages.io.partitions import Rows
from stages.reporting.record import SHOWN_BY_SNAPSHOT, Record, exceptions_alone, shown_alone
from stages.tables.forecasts import Calibrated
from stages.tables.market import Bars
from stages.tables.scores import Cells
from stages.tables.trades import Benchmark, Daily, Signals, Trades
from stages.tables.worth import WorthDays

READERS: dict[str, Callable[[Path], Any]] = {
    "quality": partial(read_json, kept=exceptions_alone),
    "metrics": partial(read_json, kept=shown_alone),
    "trades": partial(read_csv, Trades),
    "bars": partial(PartitionedTables.of, Bars),
    "signals": partial(read_table, Signals),
    "daily": partial(read_table, Daily),
    "oos_daily": partial(read_table, Daily),
    "benchmark": partial(read_table, Benchmark),
    "ungated": partial(read_table, Daily),
    "coverage": read_sheet,
    "ranking": read_sheet,
    "walk_forward": read_sheet,
    "portfolio": read_sheet,
    "cost_curve": read_sheet,
    "delay": read_sheet,
    "worth_days": partial(read_table, WorthDays),
}


def read_record(files: Mapping[str, Path], config: Mapping[str, Any], root: Path = Path()) -> Record:
    """The files of a run below `root`, by their names in the record."""
    hashes = content_hashes(files.values(), root)
    return Record(config=config, hashes=hashes, **read_files(files, config, root))


def read_files(files: Mapping[str, Path], config: Mapping[str, Any], root: Path = Path()) -> dict[str, Any]:
    """The contents of these files by name, for the stated calibration method; files without a reader are JSON."""
    method, symbols = config["calibration"]["method"], sorted(config["universe"]["symbols"])
    readers = READERS | {
        "forecasts": lambda path: PartitionedTables({one: Rows(Calibrated, path, one, method) for one in symbols}),
        "cells": partial(read_table, Cells, method=[method], metric=list(SHOWN_BY_SNAPSHOT)),
    }
    return {name: readers.get(name, read_json)(root / path) for name, path in files.items()}
