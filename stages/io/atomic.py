"""Atomic writes: a file exists completely under its name, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path, beside: Path | None = None) -> Iterator[Path]:
    """A temporary file that replaces `path` when the block succeeds, and is removed otherwise.

    It is created in the folder of `path`, or in `beside`, which must be on the same file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=beside or path.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o644)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def empty_directory(folder: Path) -> None:
    """Remove the folder with its content and create it empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
