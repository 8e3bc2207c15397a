"""What an engine does with a partition: read its tables, work on them, put the result away.

*Errors*: those of the work, with the symbol and the month with which the problem begins.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeGuard, TypeVar

import polars as pl

from stages.errors import at_work_on
from stages.outside.storing.partitions import Partition, Writer

R = TypeVar("R")
MONTH = pl.col("ts").dt.strftime("%Y-%m")


@dataclass(frozen=True)
class Pass(Generic[R]):
    """Work on a partition: read the given tables, hand them to a pure function, put its frame away, keep its record."""

    pure: Callable[..., tuple[pl.DataFrame, R]]
    writer: Writer

    def __call__(self, key: str, given: tuple[object, ...]) -> tuple[Partition, R]:
        """`pure(key, *given)`, each partition among the given replaced by its table."""
        tables = [one.load() if isinstance(one, Partition) else one for one in given]
        work = partial(self._work, key, given)
        try:
            frame, record = work(tables)
        except Exception as error:
            with at_work_on(f"{key} {_first_month(work, tables, type(error))}".strip()):
                raise
        return self.writer.write(key, frame), record

    def _work(self, key: str, given: tuple[object, ...], tables: Sequence[Any]) -> tuple[pl.DataFrame, R]:
        both = zip(given, tables, strict=True)
        return self.pure(key, *(one.checked(table) if isinstance(one, Partition) else table for one, table in both))


def _first_month(work: Callable[[Sequence[object]], object], tables: Sequence[object], problem: type[Exception]) -> str:
    """The month with which a problem begins: tables that end earlier do not have it. Empty where none has instants."""

    def begun(month: str) -> bool:
        try:
            work([one.filter(MONTH.le(month)) if _has_instants(one) else one for one in tables])
        except Exception as error:
            return isinstance(error, problem)
        return False

    months = sorted(
        {month for one in tables if _has_instants(one) for month in one.select(MONTH.drop_nulls()).to_series()}
    )
    return months[bisect_left(months, True, hi=len(months) - 1, key=begun)] if months else ""


def _has_instants(one: object) -> TypeGuard[pl.DataFrame]:
    return isinstance(one, pl.DataFrame) and "ts" in one.columns and one["ts"].dtype.is_temporal()
