"""Minute bars as the vendor delivers them, columns and values unaltered.

*Tables*: one frame a symbol, its months in order; dialect and faults are the data gate's business.
*Errors*: `DataContractError` naming the file that is missing, empty, revised or unreadable.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any, cast

import polars as pl

from stages.errors import DataContractError, at_work_on
from stages.outside.source.source_files import place_of, read_files
from stages.sources.agreement import disagreement
from stages.sources.params import SourceParams, SyntheticParams
from stages.sources.synthetic import synthetic_bars

Files = list[dict[str, Any]]
Fetch = Callable[[str, Files, SourceParams, pl.DataFrame], pl.DataFrame]


def files_of(manifest: dict[str, Any]) -> dict[str, Files]:
    """The listed files of each symbol, in the manifest's order."""
    files: dict[str, Files] = {symbol: [] for symbol in manifest["symbols"]}
    for file in manifest["files"]:
        files[file["symbol"]].append(file)
    return files


def fetch_bars(symbol: str, files: Files, source: SourceParams, calendar: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The bars of one symbol, and how many."""
    bars = SOURCES[source.kind](symbol, files, source, calendar)
    return bars, bars.height


def read_frames(files: Files) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Each listed file with its rows, in order."""
    for file, content in read_files(files):
        with at_work_on(place_of(file)):
            frame = _frame(file["uri"], content)
        yield file, frame


def _make(symbol: str, _: Files, source: SourceParams, calendar: pl.DataFrame) -> pl.DataFrame:
    return synthetic_bars(symbol, cast(SyntheticParams, source.synthetic), calendar)  # SourceParams demands it


def _read(_: str, files: Files, __: SourceParams, ___: pl.DataFrame) -> pl.DataFrame:
    frames = read_frames(files)
    first, joined = next(frames)
    for file, frame in frames:
        joined = _joined(first, joined, file, frame)
    return joined


def _frame(uri: str, content: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:  # of torn bytes
        reason = " ".join(str(error).split())[:200]
        raise DataContractError(f"{uri} is not readable as parquet ({reason}): get it again from the vendor.") from None


def _joined(first: dict[str, Any], earlier: pl.DataFrame, file: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    in_order = frame.select(earlier.columns) if set(frame.columns) == set(earlier.columns) else frame
    try:
        return pl.concat([earlier, in_order], how="vertical_relaxed")
    except pl.exceptions.PolarsError:
        raise DataContractError(
            f"{file['symbol']}: {disagreement(first['uri'], earlier, file['uri'], frame)}"
        ) from None


SOURCES: dict[str, Fetch] = {"synthetic": _make, "parquet": _read, "gcs": _read}
