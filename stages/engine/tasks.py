"""Tasks that an engine runs on a partition: read its tables, compute, write the result.

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
    """A task on a partition whose result is small and returned directly."""

    pure: Callable[..., R]

    def __call__(self, key: str, given: tuple[object, ...]) -> R:
        """`pure(key, *given)`, with each partition among `given` replaced by its table."""
        return self.pure(key, *(one.read() if isinstance(one, Partition) else one for one in given))


@dataclass(frozen=True)
class SymbolTask(Generic[R]):
    """A task that makes a table of a partition: the table is written where the stage keeps it."""

    pure: Callable[..., tuple[pl.DataFrame, R]]
    writer: Writer

    def __call__(self, key: str, given: tuple[object, ...]) -> tuple[Partition, R]:
        """The partition that holds the table, and the record of the work."""
        frame, record = OnTables(self.pure)(key, given)
        return self.writer.write(key, frame), record
