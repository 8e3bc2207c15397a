"""Tables of many symbols, a partition each, in a folder or a bucket: one in memory at a time.

Objects in a bucket, named by their content: written once, checked whenever they are read.

*Errors*: `DataContractError` (exit 2) for an object that is gone or damaged; `ConfigurationError` (exit 5) when the
bucket of `storage.root` does not answer or may not be used.

Tables of many symbols, a partition each: one in memory at a time.

*Tables*: a folder holds one `SYMBOL.parquet` each. With `storage.root` it holds `manifest.json` alone, which names an
object in the bucket for each: `key, rows, sha256, uri`, sorted by key; DVC then carries the manifest.
*Errors*: `DataContractError` (exit 2) when a partition is missing, unreadable or damaged.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.io.atomic import clear, whole
from stages.io.parquet import columns_of, frame_bytes, read_frame, write_frame
from stages.io.reaching import open_uri, preflight, told
from stages.params.storage import StorageParams
from stages.tables.contract import Table

PARAM = "storage.root"


def put_object(root: str, content: bytes) -> tuple[str, str]:
    """Sha256 and uri of the object with this content; it is written unless it is there."""
    sha256 = hashlib.sha256(content).hexdigest()
    uri = f"{root}/{sha256[:2]}/{sha256}.parquet"
    filesystem, path = open_uri(uri, Path(), PARAM)
    with told(uri, PARAM):
        if not filesystem.exists(path):
            filesystem.pipe_file(path, content)
    return sha256, uri


def get_object(uri: str, sha256: str) -> bytes:
    """The content of an object, which must be the one that was put there."""
    filesystem, path = open_uri(uri, Path(), PARAM)
    with told(uri, PARAM):
        content = bytes(filesystem.cat_file(path))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataContractError(
            f"{uri} does not hold what its name says: delete it, then run again with `dvc repro -f`."
        )
    return content


MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Partition:
    """Where the table of one symbol lies; `sha256` of an object, None for a file; a `table` whose contract it keeps."""

    key: str
    uri: str
    sha256: str | None = None
    table: type[Table] | None = None
    rows: int = 0

    def read(self, only: Collection[str] | None = None) -> pl.DataFrame:
        """The table, checked against its digest and its contract; no column beyond its contract is read.

        Where there is no contract, `only` says which columns are.
        """
        if self.table is not None:
            return self.table.check(self._load(self.table.columns()))
        return self._load(only)

    def _load(self, only: Collection[str] | None) -> pl.DataFrame:
        if self.sha256 is None:
            return read_frame(Path(self.uri), only)
        content = io.BytesIO(get_object(self.uri, self.sha256))
        return pl.read_parquet(content, columns=None if only is None else columns_of(content, only))


def partitions_of(folder: Path, table: type[Table] | None = None) -> dict[str, Partition]:
    """Every partition of a folder by symbol, sorted; nothing is read yet."""
    manifest = folder / MANIFEST
    if manifest.exists():
        listed = json.loads(manifest.read_text(encoding="utf-8"))["partitions"]
        return {one["key"]: Partition(**one, table=table) for one in listed}
    files = sorted(folder.absolute().glob("*.parquet"))
    return {path.stem: Partition(path.stem, str(path), table=table) for path in files}


@dataclass(frozen=True)
class Writer:
    """Where partitions of a run are put, from any process or machine."""

    target: str
    in_bucket: bool

    def write(self, key: str, frame: pl.DataFrame) -> Partition:
        """Put a frame there, whole or not at all; twice is as good as once."""
        if self.in_bucket:
            sha256, uri = put_object(self.target, frame_bytes(frame))
            return Partition(key, uri, sha256, rows=frame.height)
        path = Path(self.target) / f"{key}.parquet"
        write_frame(frame, path)
        return Partition(key, str(path), rows=frame.height)


@dataclass(frozen=True)
class Staged:
    """A folder in the making."""

    folder: Path
    writer: Writer

    def keep(self, partitions: Iterable[Partition]) -> None:
        """Put these partitions into the folder, and nothing else."""
        if not self.writer.in_bucket:
            ready = self.folder.with_name(f".{self.folder.name}.ready")
            clear(ready)
            for one in partitions:
                Path(one.uri).replace(ready / f"{one.key}.parquet")
            shutil.rmtree(self.folder, ignore_errors=True)
            ready.rename(self.folder)
            return
        clear(self.folder)
        listed = [
            {"key": one.key, "rows": one.rows, "sha256": one.sha256, "uri": one.uri}
            for one in sorted(partitions, key=lambda one: one.key)
        ]
        document = {"schema_version": SCHEMA_VERSION, "partitions": listed}
        with whole(self.folder / MANIFEST, beside=self.folder.parent) as temporary:
            temporary.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def staged(folder: Path, storage: StorageParams) -> Iterator[Staged]:
    """Partitions are put aside until the block keeps them; a block that fails leaves the folder as it was."""
    if storage.root is not None:
        preflight(storage.root, PARAM)
        yield Staged(folder, Writer(storage.root, in_bucket=True))
        return
    aside = folder.absolute().with_name(f".{folder.name}.staged")
    clear(aside)
    try:
        yield Staged(folder, Writer(str(aside), in_bucket=False))
    finally:
        shutil.rmtree(aside, ignore_errors=True)
