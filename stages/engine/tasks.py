"""What an engine does with a partition: read its tables, work on them, put the result away.

*Errors*: those of the work. The engine adds the symbol; a table that breaks its contract names its first bad row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from stages.io.partitions import Partition, Writer

R = TypeVar("R")


@dataclass(frozen=True)
class OnTables(Generic[R]):
    """Work on a partition whose result is its record: small, or an engine should not carry it."""

    pure: Callable[..., R]

    def __call__(self, key: str, given: tuple[object, ...]) -> R:
        """`pure(key, *given)`, each partition among the given replaced by its table."""
        return self.pure(key, *(one.read() if isinstance(one, Partition) else one for one in given))


@dataclass(frozen=True)
class SymbolTask(Generic[R]):
    """Work on a partition that makes a table: the table is put where the stage keeps it, the record comes back."""

    pure: Callable[..., tuple[pl.DataFrame, R]]
    writer: Writer

    def __call__(self, key: str, given: tuple[object, ...]) -> tuple[Partition, R]:
        """Where the table lies now, and the record."""
        frame, record = OnTables(self.pure)(key, given)
        return self.writer.write(key, frame), record
