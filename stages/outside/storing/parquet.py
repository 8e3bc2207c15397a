"""Frames as parquet with fixed settings: the same frame gives the same bytes on every machine.

In memory a frame lies in as many pieces as there were threads at work on it; it is written as one.

*Errors*: `DataContractError` (exit 2) when a file is missing or unreadable.
"""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from stages.errors import DataContractError
from stages.outside.storing.whole import whole

SETTINGS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "statistics": True}
ROWS_OF_A_GROUP = 100_000  # stated, or the bytes would show the size of the parts


def read_frame(path: Path, only: Collection[str] | None = None) -> pl.DataFrame:
    """A parquet file as it stands, without a contract; of its columns `only` those, if told."""
    try:
        return pl.read_parquet(path, columns=None if only is None else columns_of(path, only))
    except FileNotFoundError:
        raise DataContractError(f"{path} is missing: `dvc repro` makes it.") from None
    except pl.exceptions.PolarsError as error:
        raise DataContractError(f"{path} is not readable as parquet ({error}).") from error


def columns_of(source: Path | io.BytesIO, only: Collection[str]) -> list[str]:
    """Which of these columns a parquet file has, in its order."""
    return [name for name in pl.read_parquet_schema(source) if name in only]


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """A frame as parquet, atomically."""
    with whole(path) as temporary:
        frame.rechunk().write_parquet(temporary, **SETTINGS)


def write_in_parts(parts: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType], path: Path) -> None:
    """Frames one after the other as one parquet file, atomically; no byte shows where one ended."""

    def made(*_: object) -> Iterator[pl.DataFrame]:
        yield from parts

    with whole(path) as temporary:
        register_io_source(made, schema=schema).sink_parquet(temporary, row_group_size=ROWS_OF_A_GROUP, **SETTINGS)


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """The bytes of that file."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, **SETTINGS)
    return buffer.getvalue()
