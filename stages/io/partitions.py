"""Partitioned tables: one partition per symbol, in a folder or a bucket, one in memory at a time.

Without `storage.root` a folder holds one `SYMBOL.parquet` each. With it, the folder holds only `manifest.json`, which
names an object in the bucket for each symbol: `key, rows, sha256, uri`, sorted by key. DVC then tracks the manifest.
Objects are named by their content, written once, and checked on every read.

*Errors*: `DataContractError` (exit 2) for a partition that is missing, unreadable or damaged; `ConfigurationError`
(exit 5) when the bucket of `storage.root` does not answer or may not be used, and on a machine of a cluster that does
not see the driver's folder (a file of the same name there would belong to another run).
"""

import hashlib
import io
import json
import re
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import polars as pl

from stages.errors import ConfigurationError, DataContractError
from stages.io.atomic import replaced_directory, temporary_directory
from stages.io.bucket_access import explain_errors, open_uri, preflight
from stages.io.parquet import columns_of, frame_bytes, read_frame, read_symbol, write_frame
from stages.params.storage import StorageParams
from stages.tables.contract import Table

PARAM = "storage.root"
OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.parquet")  # below the root, as `put_object` names it


def put_object(root: str, content: bytes) -> tuple[str, str]:
    """Sha256 and uri of the object with this content, which is written unless it exists."""
    sha256 = hashlib.sha256(content).hexdigest()
    uri = f"{root}/{sha256[:2]}/{sha256}.parquet"
    filesystem, path = open_uri(uri, Path(), PARAM)
    with explain_errors(uri, PARAM):
        if not filesystem.exists(path):
            filesystem.pipe_file(path, content)
    return sha256, uri


def get_object(uri: str, sha256: str) -> bytes:
    """The content of an object, checked against its digest."""
    filesystem, path = open_uri(uri, Path(), PARAM)
    with explain_errors(uri, PARAM):
        try:
            content = bytes(filesystem.cat_file(path))
        except FileNotFoundError:  # DVC's run-cache restores a manifest even if its objects are gone
            raise DataContractError(
                f"{uri} is gone from the bucket of storage.root: `dvc repro -f` (for an experiment `dvc exp run -f`) "
                "makes it again."
            ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataContractError(
            f"the content of {uri} does not match its name: delete it, then run again with `dvc repro -f`."
        )
    return content


_marker: ContextVar[Path | None] = ContextVar("marker", default=None)


@contextmanager
def on_worker(marker: Path) -> Iterator[None]:
    """The block runs on a worker of a cluster, for the driver that made the file `marker`."""
    token = _marker.set(marker)
    try:
        yield
    finally:
        _marker.reset(token)


def _require_shared(path: Path) -> None:
    """Refuse a path of the driver on a machine that does not see the driver's files."""
    marker = _marker.get()
    if marker is not None and not marker.exists():
        raise ConfigurationError(
            f"{path} is on the driver's machine, and the worker on {socket.gethostname()} does not see it: set "
            "storage.root to a folder of a bucket, or let every machine see the driver's folder at the same path."
        )


MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Partition:
    """Location of one symbol's table: `sha256` of an object, None for a file.

    `table` is its contract, if any; without one, `only` names the columns that are read, if not all.
    """

    key: str
    uri: str
    sha256: str | None = None
    table: type[Table] | None = None
    rows: int = 0
    only: tuple[str, ...] | None = None

    def read(self) -> pl.DataFrame:
        """The table, checked against its digest and its contract; only columns of the contract are read."""
        if self.table is not None:
            return self.table.check(self._load(self.table.columns()))
        return self._load(self.only)

    def _load(self, only: Collection[str] | None) -> pl.DataFrame:
        if self.sha256 is None:
            _require_shared(Path(self.uri))
            return read_frame(Path(self.uri), only)
        content = io.BytesIO(get_object(self.uri, self.sha256))
        return pl.read_parquet(content, columns=None if only is None else columns_of(content, only))


@dataclass(frozen=True)
class Rows:
    """The rows of one symbol in a file of all symbols, of every calibration method unless one is named.

    `content` holds them as parquet if they were `sent` to another machine.
    """

    table: type[Table]
    path: Path
    symbol: str
    method: str | None = None
    content: bytes | None = None

    def read(self) -> pl.DataFrame:
        """The rows, checked against the table's contract."""
        if self.content is not None:
            return self.table.check(pl.read_parquet(io.BytesIO(self.content)))
        _require_shared(self.path)
        rows = read_symbol(self.path, self.table.columns(), self.symbol)
        return self.table.check(rows if self.method is None else rows.filter(method=self.method))

    def sent(self) -> Self:
        """The same rows with their content, for a machine without the file."""
        return replace(self, content=frame_bytes(self.read()))


class Partitions(dict[str, Partition]):
    """The partitions of a folder by symbol, sorted."""

    def __init__(self, folder: Path, found: Iterable[Partition]) -> None:
        super().__init__((one.key, one) for one in found)
        self.folder = folder

    def __missing__(self, symbol: str) -> Partition:
        raise DataContractError(f"{self.folder} holds no table of {symbol}: `dvc repro` makes it.")


def partitions_of(folder: Path, table: type[Table] | None = None, only: tuple[str, ...] | None = None) -> Partitions:
    """Every partition of a folder. Reads no table."""
    manifest = folder / MANIFEST
    if manifest.exists():
        listed = json.loads(manifest.read_text(encoding="utf-8"))["partitions"]
        return Partitions(folder, (Partition(**one, table=table, only=only) for one in listed))
    files = sorted(folder.absolute().glob("*.parquet"))
    return Partitions(folder, (Partition(path.stem, str(path), table=table, only=only) for path in files))


@dataclass(frozen=True)
class Writer:
    """Writes the partitions of a run, from any process or machine."""

    target: str
    in_bucket: bool

    def write(self, key: str, frame: pl.DataFrame) -> Partition:
        """Write a frame as a partition, atomically. Writing it twice is harmless."""
        if self.in_bucket:
            sha256, uri = put_object(self.target, frame_bytes(frame))
            return Partition(key, uri, sha256, rows=frame.height)
        path = Path(self.target) / f"{key}.parquet"
        _require_shared(path)
        write_frame(frame, path)
        return Partition(key, str(path), rows=frame.height)


@dataclass(frozen=True)
class Staged:
    """A folder whose new content is being prepared."""

    folder: Path
    writer: Writer

    def keep(self, partitions: Iterable[Partition]) -> None:
        """Make these partitions the only content of the folder."""
        if not self.writer.in_bucket:
            with replaced_directory(self.folder) as new:
                for partition in partitions:
                    Path(partition.uri).replace(new / f"{partition.key}.parquet")
            return
        listed = [
            {"key": partition.key, "rows": partition.rows, "sha256": partition.sha256, "uri": partition.uri}
            for partition in sorted(partitions, key=lambda partition: partition.key)
        ]
        document = {"schema_version": SCHEMA_VERSION, "partitions": listed}
        with replaced_directory(self.folder) as new:
            (new / MANIFEST).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def staged(folder: Path, storage: StorageParams) -> Iterator[Staged]:
    """Stage partitions until the block keeps them; if the block fails, the folder does not change."""
    if storage.root is not None:
        preflight(storage.root, PARAM)
        yield Staged(folder, Writer(storage.root, in_bucket=True))
        return
    with temporary_directory(folder, "staged") as aside:
        yield Staged(folder, Writer(str(aside), in_bucket=False))
