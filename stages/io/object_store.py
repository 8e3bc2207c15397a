"""Object stores: small files by name, in a local folder or in a bucket (`bucket_store`).

An object store guarantees two things that a plain file system does not: it creates a file atomically and only if its
name is free, and it returns only when the file is on the disk.
*Errors*: `ConfigurationError` (exit 5) when the disk is full or cannot be written.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import IO, Protocol

from stages.errors import BudgetStop, ConfigurationError
from stages.io.atomic import DISK_REASONS

REASONS = DISK_REASONS | {
    errno.EROFS: "the file system is read-only: make it writable, since answers cannot be bought or kept there",
    errno.EPERM: "this user or file system does not allow it (hard links are needed)",
    errno.ENOTSUP: "its file system has no hard links: set `dvc cache dir` to one that has",
}

SWAPS = "swaps.lock"


class StoreUnreachable(BudgetStop, OSError):
    """An object store does not answer, or its answer is invalid. The operation may or may not have happened."""


class StoreRefused(ConfigurationError):
    """An object store is not there, or does not let this login do it: it did not happen, nor will it by waiting."""


class ObjectStore(Protocol):
    """A flat set of small files with names like `budget/days/2026-11-22/0000-0.json`."""

    @property
    def address(self) -> str:
        """A text that is unique to this store."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names directly in `folder`, sorted; empty if there is none."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content, or None if there is no such file."""
        ...

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of those that exist."""
        ...

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """Write a new file atomically; False if the name is taken. Never returns True twice for one name.

        With `durable`, it waits for the disk, so that the file survives a power cut.
        """
        ...

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds `old`; else False."""
        ...


class LocalStore:
    """An object store in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.root.resolve())

    def at(self, name: str) -> Path:
        """Path of the file with this name. *Errors*: `ConfigurationError` for a name outside the folder."""
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ConfigurationError(
                f"{name!r} is not the name of a file within {self.root}: use a relative name without `..`."
            )
        return self.root / name

    def names(self, folder: str) -> list[str]:
        """The names directly in `folder`, sorted, temporary files left out."""
        with plain_words(self.at(folder), "read"):
            try:
                entries = os.listdir(self.at(folder))  # noqa: PTH208  # names only: four times as fast
                return sorted(name for name in entries if not name.startswith("."))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def read(self, name: str) -> bytes | None:
        """The content, or None if there is no such file."""
        with plain_words(self.at(name), "read"):
            try:
                return self.at(name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of those that exist."""
        contents = {name: self.read(name) for name in names}
        return {name: content for name, content in contents.items() if content is not None}

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """Link a finished temporary file to the name: after a kill or on a full disk it is complete or absent."""
        path = self.at(name)
        with plain_words(path):
            temporary = self._written(path, content, durable=durable)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            if durable:
                _sync_folder(path.parent)
            return True

    def replace(self, name: str, content: bytes) -> None:
        """Write the file durably, replacing an earlier one."""
        path = self.at(name)
        with plain_words(path):
            self._written(path, content, durable=True).replace(path)
            _sync_folder(path.parent)

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds `old`, one writer at a time; else False."""
        with plain_words(self.at(name)), open_shared(self.root / SWAPS) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.read(name) != old:
                return False
            self.replace(name, new)
            return True

    def require_writable(self, names: Iterable[str]) -> None:
        """Check that each folder of these names accepts a new file now, by the steps of `create`."""
        for folder in dict.fromkeys(self.at(name).parent for name in names):
            probe = folder / f".{uuid.uuid4().hex}.probe"
            with plain_words(folder):
                temporary = self._written(probe, b"", durable=False)
                try:
                    os.link(temporary, probe)
                    probe.unlink()
                finally:
                    temporary.unlink()

    def _written(self, path: Path, content: bytes, *, durable: bool) -> Path:
        make_folder(path.parent)
        temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            with temporary.open("xb") as file:
                _open_like_its_folder(file, path.parent)
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def make_folder(folder: Path) -> None:
    """Create a folder with the access rights of its parent: users who may write DVC's cache may write here.

    It is renamed into place only with its rights, since files that another process creates in it copy them.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    unnamed = folder.parent / f".{uuid.uuid4().hex}.tmp"
    unnamed.mkdir()
    unnamed.chmod(S_IMODE(folder.parent.stat().st_mode))
    try:
        unnamed.rename(folder)
    except OSError:
        unnamed.rmdir()
        if not folder.is_dir():
            raise
    _sync_folder(folder.parent)


def open_shared(path: Path) -> IO[bytes]:
    """An open file for a lock or a time stamp, created with the access rights of its folder and never deleted."""
    with plain_words(path):
        make_folder(path.parent)
        try:
            file = path.open("x+b")
        except FileExistsError:
            return path.open("r+b")
        _open_like_its_folder(file, path.parent)
        return file


def _open_like_its_folder(file: IO[bytes], folder: Path) -> None:
    os.fchmod(file.fileno(), S_IMODE(folder.stat().st_mode) & 0o666)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def plain_words(path: Path, done: str = "written") -> Iterator[None]:
    """Turn a failing disk operation into one sentence."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0, error.strerror or str(error))
        raise ConfigurationError(f"{path} could not be {done}: {reason}.") from error
