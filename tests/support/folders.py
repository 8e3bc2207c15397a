"""Folders of one table a symbol, read or written whole: small ones, as tests and benchmarks make them."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from stages.io.files import write_table
from stages.io.partitions import partitions_of
from stages.tables.contract import Table


def read_frames(folder: Path) -> dict[str, pl.DataFrame]:
    """The frame of every symbol as it stands, by symbol, sorted."""
    return {symbol: partition.read() for symbol, partition in partitions_of(folder).items()}


def write_tables(table: type[Table], frames: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Bring each frame under the contract and write one `SYMBOL.parquet` each."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, frame in frames.items():
        write_table(table, frame, folder / f"{symbol}.parquet")
