"""Frames as parquet with fixed settings: the same frame gives the same bytes on every machine.

*Errors*: `DataContractError` (exit 2) when a file is missing or unreadable.
"""

import io
from pathlib import Path
from typing import Any

import polars as pl

from stages.errors import DataContractError
from stages.outside.storing.whole import whole

SETTINGS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "statistics": True}


def read_frame(path: Path) -> pl.DataFrame:
    """A parquet file as it stands, without a contract."""
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise DataContractError(f"{path} is missing: `dvc repro` makes it.") from None
    except pl.exceptions.PolarsError as error:
        raise DataContractError(f"{path} is not readable as parquet ({error}).") from error


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """A frame as parquet, atomically."""
    with whole(path) as temporary:
        frame.write_parquet(temporary, **SETTINGS)


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """The bytes of that file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **SETTINGS)
    return buffer.getvalue()
