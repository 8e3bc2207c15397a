"""Minute bars as the vendor delivers them, columns and values unaltered.

*Tables*: one frame a symbol, its months in order; dialect and faults are the data gate's business.
*Errors*: `DataContractError` naming the file that is missing, empty, revised or unreadable.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any, cast

import polars as pl

from stages.errors import DataContractError
from stages.outside.source.source_files import read_files
from stages.sources.params import SourceParams, SyntheticParams
from stages.sources.synthetic import synthetic_bars

Fetch = Callable[[dict[str, Any], SourceParams, pl.DataFrame], dict[str, pl.DataFrame]]


def fetch_bars(manifest: dict[str, Any], source: SourceParams, calendar: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The bars of every symbol of the manifest."""
    return SOURCES[source.kind](manifest, source, calendar)


def read_frames(files: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Each listed file with its rows, in order."""
    for file, content in read_files(files):
        yield file, _frame(file["uri"], content)


def _make(manifest: dict[str, Any], source: SourceParams, calendar: pl.DataFrame) -> dict[str, pl.DataFrame]:
    market = cast(SyntheticParams, source.synthetic)  # SourceParams demands it of this kind
    return {symbol: synthetic_bars(symbol, market, calendar) for symbol in manifest["symbols"]}


def _read(manifest: dict[str, Any], source: SourceParams, calendar: pl.DataFrame) -> dict[str, pl.DataFrame]:
    parts: dict[str, list[pl.DataFrame]] = {symbol: [] for symbol in manifest["symbols"]}
    for file, frame in read_frames(manifest["files"]):
        parts[file["symbol"]].append(frame)
    return {symbol: _joined(symbol, frames) for symbol, frames in parts.items()}


def _frame(uri: str, content: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise DataContractError(f"{uri} is not readable as parquet ({error}): get it again from the vendor.") from None


def _joined(symbol: str, frames: list[pl.DataFrame]) -> pl.DataFrame:
    try:
        return pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataContractError(f"the files of {symbol} do not agree in their columns: {error}.") from None


SOURCES: dict[str, Fetch] = {"synthetic": _make, "parquet": _read, "gcs": _read}
