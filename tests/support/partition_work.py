"""Work on partitions that an engine can import: what a partition does in the tests of the engines.

Each process of a pool imports this anew, so that what only some of the work needs is imported by it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import ConfigurationError, DataContractError

if TYPE_CHECKING:
    import polars as pl

    from stages.io.partitions import Rows
    from stages.params.forecaster import ForecasterParams
    from stages.params.source import SourceParams


def squared_where(key: str, number: int) -> tuple[int, int]:
    """The square, and the process that found it."""
    return number**2, os.getpid()


def told(key: str, number: int) -> int:
    """Fails at 3 as a stage does, and at 4 as a bug does."""
    if number == 3:
        raise DataContractError("the file of 2024-03 is empty.")
    if number == 4:
        raise ZeroDivisionError("division by zero")
    return number


def patient(key: str, notes: Path) -> str:
    """Notes that it began, with its process, and waits until it is let go."""
    (notes / f"{key}-{os.getpid()}").touch()
    while not (notes / "go").exists():
        time.sleep(0.02)
    return key


def buying_both_ways(key: str, forecaster: ForecasterParams) -> list[str]:
    """Opens the backend, as `forecast` does, and goes round it, straight to the client; what it is told."""
    from stages.paid.opening import open_backend
    from stages.paid.timegpt import TimeGPT
    from tests.questions.markets import requests_params

    said = []
    for attempt in (partial(open_backend, requests=requests_params()), partial(TimeGPT, timeout_sec=10)):
        try:
            attempt(forecaster)
        except ConfigurationError as error:
            said.append(str(error))
    return said


def frame(numbers: Iterable[int]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"n": numbers})


def counted(key: str, notes: Path, number: int) -> tuple[pl.DataFrame, int]:
    """A frame of its own, after it was let go; each execution leaves a note."""
    handle, _ = tempfile.mkstemp(prefix=f"{key}-{os.getpid()}-", dir=notes)
    os.close(handle)
    while not (notes / "go").exists():
        time.sleep(0.02)
    return frame(range(number)), number


def fragile(key: str, number: int) -> tuple[pl.DataFrame, int]:
    return frame([told(key, number)]), number


def heights(key: str, *tables: pl.DataFrame) -> list[int]:
    return [table.height for table in tables]


def unsent(key: str, rows: Iterable[Rows]) -> list[int]:
    """Reads rows of a file that did not travel along."""
    return heights(key, *(one.read() for one in rows))


def made_and_checked(
    key: str, source: SourceParams, calendar: pl.DataFrame, check: Callable[..., tuple[pl.DataFrame, Any]]
) -> tuple[pl.DataFrame, int]:
    """Bars of the artificial market, through the data gate."""
    from stages.fetching.bars import fetch_bars

    delivered, rows = fetch_bars(key, [], source, calendar)
    return check(key, delivered)[0], rows
