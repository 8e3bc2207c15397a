"""Tables that are not held: looking at one symbol after the other, or at some together, takes room for no more."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from stages.outside.files import read_table
from stages.outside.storing.parquet import read_distinct
from stages.outside.storing.partitions import Partition, partitions_of
from stages.tables.contract import Table


@dataclass(frozen=True)
class TablesIn(Mapping[str, pl.DataFrame]):
    """Every table of a folder, by symbol, sorted; each read and checked when it is asked for, by whoever asks."""

    partitions: Mapping[str, Partition]
    only: frozenset[str] | None = None

    @classmethod
    def of(cls, table: type[Table], folder: Path) -> Self:
        """The tables that lie there now."""
        return cls(partitions_of(folder, table))

    @classmethod
    def some(cls, columns: Iterable[str], folder: Path) -> Self:
        """The same of tables without a contract, and of each no column but these."""
        return cls(partitions_of(folder), frozenset(columns))

    def __getitem__(self, symbol: str) -> pl.DataFrame:
        return self.partitions[symbol].read(self.only)

    def __iter__(self) -> Iterator[str]:
        return iter(self.partitions)

    def __len__(self) -> int:
        return len(self.partitions)


@dataclass(frozen=True)
class PartsOf(Iterable[pl.DataFrame]):
    """One table of many symbols, some at a time, by name; read and checked anew whenever one goes through it."""

    table: type[Table]
    path: Path
    at_once: int = 16

    def __iter__(self) -> Iterator[pl.DataFrame]:
        symbols = read_distinct(self.path, ["symbol"])["symbol"].sort().to_list()
        for first in range(0, len(symbols), self.at_once):
            yield read_table(self.table, self.path, symbol=symbols[first : first + self.at_once])
