"""Atomic writes: a file or a folder exists completely under its name, or not at all.

Temporary files of a killed run are removed by the next run that writes the same name.
*Errors*: `ConfigurationError` (exit 5) when the disk is full or may not be written.
"""

import errno
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.errors import ConfigurationError, PipelineError

DISK_REASONS = {
    errno.ENOSPC: "the disk is full: make room and run again",
    errno.EDQUOT: "the disk quota is used up: make room and run again",
    errno.EROFS: "the file system is read-only: make it writable",
    errno.EACCES: "this user has no right to: correct its permissions",
    errno.EPERM: "this user or file system does not allow it: correct its permissions",
    errno.EISDIR: "a folder lies where a file should: move it away",
    errno.ENOTDIR: "a file lies where a folder should: move it away",
    errno.EIO: "the disk reports an error: check it, then run again",
}
TEMPORARY = {".tmp", ".new", ".old", ".staged"}
IN_POLARS = re.compile(r"\(os error (\d+)\)")  # polars puts the system's number into the text of its errors


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary file next to `path` that replaces it when the block succeeds, and is removed otherwise.

    Its name is always the same, so that killed runs leave one at most; its writer holds a lock on it.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        handle = _locked(temporary)
        try:
            os.ftruncate(handle, 0)
            os.fchmod(handle, 0o644)
            yield temporary
            temporary.replace(path)  # from here on the name may be another writer's
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


def _locked(path: Path) -> int:
    """A locked handle of the file at `path`, which is created if absent; waits while another process writes it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # the other process has finished with it


@contextmanager
def replaced_directory(folder: Path) -> Iterator[Path]:
    """An empty folder next to `folder` that replaces it when the block succeeds, and is removed otherwise."""
    whole = folder.absolute()
    old = whole.with_name(f".{whole.name}.old")
    with temporary_directory(folder, "new") as new, disk_errors(folder):
        shutil.rmtree(old, ignore_errors=True)
        yield new
        if whole.exists():
            whole.rename(old)
        new.rename(whole)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def temporary_directory(folder: Path, word: str) -> Iterator[Path]:
    """An empty, locked folder `.<name>.<word>` next to `folder` during the block."""
    path = folder.absolute().with_name(f".{folder.name}.{word}")
    with disk_errors(folder):
        empty_directory(path)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


@contextmanager
def marker(folder: Path) -> Iterator[Path]:
    """An empty, locked file in `folder` during the block, with a name that is unique among machines."""
    path = folder.absolute() / f".{uuid.uuid4().hex}.tmp"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of killed runs anywhere below `folder`, but none that a process is writing."""
    for path in [one for one in folder.rglob(".*") if one.suffix in TEMPORARY]:
        with suppress(FileNotFoundError, BlockingIOError):
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(handle), path.stat()):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def empty_directory(folder: Path) -> None:
    """Remove the folder with its content and create it empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the error of a full or read-only disk into one sentence about `path`."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        reason, about = disk_reason(error), getattr(error, "filename", None)
        if reason is None or (about and path.absolute().parent not in Path(about).absolute().parents):
            raise
        raise ConfigurationError(f"{path} could not be written: {reason}.") from error


def disk_reason(error: BaseException) -> str | None:
    """What is wrong with the disk and what to do; None if the error is not about the disk."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := IN_POLARS.search(str(error))):
        number = int(found[1])
    return DISK_REASONS.get(number or 0)
