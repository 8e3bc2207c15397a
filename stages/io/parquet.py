"""Parquet files with fixed settings: the same frame gives the same bytes on every machine.

A frame in memory consists of as many chunks as there were threads; it is written as one.
*Errors*: `DataContractError` (exit 2) when a file is missing or unreadable.
"""

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from stages.errors import DataContractError
from stages.io.atomic import atomic_write, disk_errors, temporary_directory
from stages.tables.contract import packed, unpacked

SETTINGS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "statistics": True}
Version = tuple[int, int, int]  # inode, time of change and size of a file
ROWS_OF_A_GROUP = 100_000  # fixed, or the bytes would depend on the size of the parts


def read_frame(path: Path, only: Collection[str] | None = None) -> pl.DataFrame:
    """A parquet file without a contract; only the columns `only`, if given."""
    with _read_errors(path):
        return pl.read_parquet(path, columns=None if only is None else columns_of(path, only), glob=False)


def read_rows(path: Path, only: Collection[str], **among: list[Any] | set[Any]) -> pl.DataFrame:
    """Some columns of a parquet file, and only rows whose values are among these."""
    with _read_errors(path):
        return pl.scan_parquet(path, glob=False).filter(*_among(among)).select(columns_of(path, only)).collect()


def read_symbol(path: Path, only: Collection[str], symbol: str) -> pl.DataFrame:
    """Some columns of a parquet file that is sorted by symbol, and only the rows of one symbol.

    The groups of rows read last are cached, since the next symbol is often in them.
    """
    with _read_errors(path):
        stat = path.stat()
        version = stat.st_ino, stat.st_mtime_ns, stat.st_size
        first, stop = _places(path, version).get(symbol, (0, 0))
        columns, begin = tuple(columns_of(path, only)), first // ROWS_OF_A_GROUP
        numbers = range(begin, max(stop - 1, 0) // ROWS_OF_A_GROUP + 1)
        groups = pl.concat(_group(path, version, number, columns) for number in numbers)
        return groups.slice(first - begin * ROWS_OF_A_GROUP, stop - first)


@lru_cache(maxsize=4)
def _places(path: Path, version: Version) -> dict[str, tuple[int, int]]:
    """First and stop row of each symbol in a file of this version."""
    runs = pl.read_parquet(path, columns=["symbol"], glob=False)["symbol"].rle().struct.unnest()
    if runs["value"].n_unique() < runs.height:
        raise DataContractError(f"{path} is not sorted by symbol: make it again with `dvc repro`.")
    stops = runs["len"].cum_sum().to_list()
    return {symbol: (stop - length, stop) for length, symbol, stop in zip(*runs.get_columns(), stops, strict=True)}


@lru_cache(maxsize=2)
def _group(path: Path, version: Version, number: int, columns: tuple[str, ...]) -> pl.DataFrame:
    """A group of rows of a file of this version."""
    rows = pl.scan_parquet(path, glob=False).slice(number * ROWS_OF_A_GROUP, ROWS_OF_A_GROUP)
    return rows.select(columns).collect()


def read_distinct(path: Path, only: Collection[str]) -> pl.DataFrame:
    """The distinct combinations of values in some columns of a parquet file, in no order, read group by group."""
    with _read_errors(path):
        schema = pl.read_parquet_schema(path)
    found = pl.DataFrame(schema={name: schema[name] for name in schema if name in only})
    for part in read_parts(path, only):
        found = pl.concat([found, part.unique()]).unique()
    return found


def read_parts(path: Path, only: Collection[str], **among: list[Any] | set[Any]) -> Iterator[pl.DataFrame]:
    """`read_rows`, one group of rows at a time."""
    with _read_errors(path):
        lazy = pl.scan_parquet(path, glob=False).select(columns_of(path, only))
        for start in range(0, lazy.select(pl.len()).collect().item(), ROWS_OF_A_GROUP):
            yield lazy.slice(start, ROWS_OF_A_GROUP).collect().filter(*_among(among))


def _among(among: Mapping[str, list[Any] | set[Any]]) -> list[pl.Expr]:
    return [pl.col(name).is_in(list(values)) for name, values in among.items()]


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Explain read errors in one sentence."""
    try:
        yield
    except FileNotFoundError:
        raise DataContractError(f"{path} is missing: `dvc repro` makes it.") from None
    except pl.exceptions.PolarsError as error:
        raise DataContractError(
            f"{path} is not readable as parquet ({error}): make it again with `dvc repro`."
        ) from error


def columns_of(source: Path | io.BytesIO, only: Collection[str]) -> list[str]:
    """Those of these columns that a parquet file has, in its order."""
    return [name for name in pl.read_parquet_schema(source) if name in only]


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as parquet, atomically."""
    with atomic_write(path) as temporary:
        frame.rechunk().write_parquet(temporary, **SETTINGS)


def write_in_parts(parts: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType], path: Path) -> None:
    """Write frames one after the other as one parquet file, atomically; its bytes do not depend on the parts."""

    def made(*_: object) -> Iterator[pl.DataFrame]:
        yield from parts

    with atomic_write(path) as temporary:
        register_io_source(made, schema=schema).sink_parquet(temporary, row_group_size=ROWS_OF_A_GROUP, **SETTINGS)


Read = Callable[[], pl.DataFrame]


@contextmanager
def temporary_frames(path: Path) -> Iterator[Callable[[str, pl.DataFrame], Read]]:
    """A function that stores a frame under a name until the block ends, and returns a function that reads it again.

    Frames are stored in a folder next to `path`. A machine that does not see this folder sends its frames in memory.
    """
    with temporary_directory(path, "staged") as folder:
        with disk_errors(path):
            of_this_run = Path(mkdtemp(dir=folder))
        yield partial(_stored, of_this_run)


def _stored(folder: Path, key: str, frame: pl.DataFrame) -> Read:
    if not folder.is_dir():
        return partial(unpacked, packed(frame))
    path = folder / f"{key.replace(' ', '-')}.arrow"
    with atomic_write(path) as temporary:
        temporary.write_bytes(packed(frame))
    return partial(pl.read_ipc, path)


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """The bytes that `write_frame` writes."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, **SETTINGS)
    return buffer.getvalue()
