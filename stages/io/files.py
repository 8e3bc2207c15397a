"""Reading and writing tables and documents of the workspace, complete or one part at a time.

Reads check the table's contract; writes are atomic. The same content gives the same bytes on every machine. Large
tables are read one or some symbols at a time.

*Tables*: parquet with fixed settings, rows as `Table.of` returns them; CSV and JSON with line feeds; JSON with sorted
keys and one final newline.
*Errors*: `DataContractError` (exit 2) when a file is missing, unreadable or breaks its table's contract.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import dataframely as dy
import polars as pl

from stages.errors import DataContractError
from stages.io.atomic import atomic_write
from stages.io.atomic import replaced_directory as replaced_directory
from stages.io.parquet import read_frame as read_frame
from stages.io.parquet import read_parts, read_rows, write_in_parts
from stages.io.parquet import write_frame as write_frame
from stages.io.partitions import Partition, Rows, partitions_of
from stages.tables.contract import Table

T = TypeVar("T", bound=Table)


def read_table(table: type[T], path: Path, **among: list[Any] | set[Any]) -> dy.DataFrame[T]:
    """A parquet file checked against `table`: only columns of the contract, and rows whose values are `among` these."""
    return table.check(read_rows(path, table.columns(), **among))


def read_table_parts(table: type[T], path: Path, **among: list[Any] | set[Any]) -> Iterator[dy.DataFrame[T]]:
    """`read_table` one part at a time, each checked separately."""
    return (table.check(part) for part in read_parts(path, table.columns(), **among))


def write_table(table: type[T], frame: pl.DataFrame, path: Path) -> None:
    """Check a frame against the contract of `table` and write it."""
    write_frame(table.of(frame), path)


def write_table_parts(table: type[T], parts: Iterable[pl.DataFrame], path: Path) -> None:
    """Write a table from parts in key order, each checked, with one part in memory at a time."""
    schema = {name: column.dtype for name, column in table.columns().items()}
    write_in_parts((table.of(part) for part in parts), schema, path)


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """A frame as CSV, atomically; instants in ISO 8601 UTC."""
    write_csv_parts([frame], path)


def write_csv_parts(parts: Iterable[pl.DataFrame], path: Path) -> None:
    """Frames with the same columns, one after the other, as one CSV, atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for number, part in enumerate(parts):
            part.write_csv(file, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%SZ")


def write_csv_folder(files: Iterable[tuple[str, Iterable[pl.DataFrame]]], folder: Path) -> None:
    """Make these CSV files, by path and in parts, the only content of a folder."""
    with replaced_directory(folder) as new:
        for path, parts in files:
            write_csv_parts(parts, new / path)


def read_csv(table: type[T], path: Path) -> dy.DataFrame[T]:
    """A CSV file checked against `table`."""
    types = {name: column.dtype for name, column in table.columns().items()}
    return table.check(_read_csv(path, schema_overrides=types))


def read_sheet(path: Path) -> pl.DataFrame:
    """A CSV file without a contract; dates stay text, and so does a `combo` that looks like a number."""
    return _read_csv(path, infer_schema_length=None, schema_overrides={"combo": pl.String})


def _read_csv(path: Path, **options: Any) -> pl.DataFrame:
    try:
        return pl.read_csv(path, glob=False, **options)
    except FileNotFoundError:
        raise DataContractError(f"{path} is missing: `dvc repro` makes it.") from None
    except pl.exceptions.PolarsError as error:
        raise DataContractError(
            f"{path} is not readable as CSV ({error}): correct the file, or make it again with `dvc repro`."
        ) from error


class Document(dict[str, Any]):
    """A JSON object from a file. *Errors*: `DataContractError` for a missing key."""

    __slots__ = ("path",)  # a file may hold a million objects

    def __init__(self, path: Path, items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise DataContractError(
            f"{self.path} has no {key!r} where it should: correct the file, or make it again with `dvc repro`."
        )


def read_json(path: Path, kept: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Any:
    """The JSON object in a file.

    `kept` may replace each object in it by something smaller as soon as it is read.
    """

    def made(items: dict[str, Any]) -> dict[str, Any]:
        small = items if kept is None else kept(items)
        return Document(path, items) if small is items else small

    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text, object_hook=made, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise DataContractError(f"{path} is missing: `dvc repro` makes it.") from None
    except (ValueError, RecursionError) as error:
        raise DataContractError(
            f"{path} is not valid JSON ({error}): correct the file, or make it again with `dvc repro`."
        ) from error
    if not isinstance(document, Document):
        raise DataContractError(f"{path} holds no JSON object: correct the file, or make it again with `dvc repro`.")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON knows no {name}")


def write_json(document: Any, path: Path) -> None:
    """Write a JSON document with sorted keys, atomically and in pieces. NaN and infinity are refused.

    A lazy sequence is written as a list.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(document, file, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False, default=_as_list)
        file.write("\n")


def _as_list(items: object) -> list[Any]:
    if isinstance(items, Sequence):
        return list(items)
    raise TypeError(f"{type(items).__name__} is not JSON")


def write_text(text: str, path: Path) -> None:
    """A text file in UTF-8 with line feeds, atomically."""
    write_bytes(text.encode("utf-8"), path)


def write_bytes(content: bytes, path: Path) -> None:
    """A file with this content, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


@dataclass(frozen=True)
class PartitionedTables(Mapping[str, pl.DataFrame]):
    """Every table of a folder, or of a file, by symbol, sorted; read and checked at every access."""

    partitions: Mapping[str, Partition | Rows]

    @classmethod
    def of(cls, table: type[Table], folder: Path) -> Self:
        """The tables that the folder holds now."""
        return cls(partitions_of(folder, table))

    @classmethod
    def some(cls, columns: Iterable[str], folder: Path) -> Self:
        """The tables of a folder without a contract, of which only these columns are read."""
        return cls(partitions_of(folder, only=tuple(columns)))

    def __getitem__(self, symbol: str) -> pl.DataFrame:
        if symbol not in self.partitions:
            raise KeyError(symbol)  # so that `get` returns None
        return self.partitions[symbol].read()

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.partitions

    def __iter__(self) -> Iterator[str]:
        return iter(self.partitions)

    def __len__(self) -> int:
        return len(self.partitions)
