"""A folder of tables as a mapping that holds none of them: looking at one after the other takes room for one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stages.outside.storing.partitions import partitions_of
from stages.tables.contract import Table


@dataclass(frozen=True)
class TablesIn(Mapping[str, pl.DataFrame]):
    """Every table of a folder, by symbol, sorted; each read and checked when it is asked for."""

    table: type[Table]
    folder: Path

    def __getitem__(self, symbol: str) -> pl.DataFrame:
        return partitions_of(self.folder, self.table)[symbol].read()

    def __iter__(self) -> Iterator[str]:
        return iter(partitions_of(self.folder))

    def __len__(self) -> int:
        return len(partitions_of(self.folder))
