"""Folders as tests make them: one small table a symbol, read or written whole; params and the study they state."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import yaml

from stages.io.files import write_table, write_text
from stages.io.partitions import partitions_of
from stages.params.study import StageStudy
from stages.tables.contract import Table


def read_frames(folder: Path) -> dict[str, pl.DataFrame]:
    """The frame of every symbol as it stands, by symbol, sorted."""
    return {symbol: partition.read() for symbol, partition in partitions_of(folder).items()}


def write_tables(table: type[Table], frames: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Bring each frame under the contract and write one `SYMBOL.parquet` each."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, frame in frames.items():
        write_table(table, frame, folder / f"{symbol}.parquet")


def state_study(folder: Path, params: str) -> None:
    """These params, and the study that `list_source` makes of them."""
    (folder / "params.yaml").write_text(params)
    write_text(StageStudy.parse(yaml.safe_load(params)).written(), folder / "artifacts/list_source/study.json")
