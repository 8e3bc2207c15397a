"""Answers that were paid and that the store did not take: kept in any folder that does, until they can come home.

One file a request; its lines are whole records, each closed by its own sha256. A folder outside of the store belongs to
one user, is closed to all others, and is named after the store, so that no other store takes what lies there.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.errors import ConfigurationError
from stages.outside.places import Folder, plain_words

INSIDE = "rescued"


class Rescue:
    """Folders in the order in which they are tried: one in the store, then those `outside` of it."""

    def __init__(self, store: Folder, outside: Sequence[Path] = ()) -> None:
        self.inside = store.root / INSIDE
        self.outside = tuple(outside)

    def save(self, lines: Sequence[bytes]) -> Path:
        """The file that holds them from now on, durably. *Errors*: `ConfigurationError` when no folder takes it."""
        name, reasons = f"{uuid.uuid4().hex}.jsonl", []
        for folder in (self.inside, *self.outside):
            try:
                if folder != self.inside:
                    _make_private(folder)
                Folder(folder).create(name, b"".join(lines))
            except ConfigurationError as error:
                reasons.append(str(error))
            else:
                return folder / name
        raise ConfigurationError(" ".join(reasons))

    def waiting(self) -> Iterator[tuple[Path, list[bytes]]]:
        """Every file that waits, with its lines."""
        for folder in (self.inside, *(folder for folder in self.outside if _is_mine(folder))):
            for name in Folder(folder).names(""):
                content = Folder(folder).read(name) if name.endswith(".jsonl") else None
                if content is not None:  # else another run brought it home
                    yield folder / name, content.splitlines(keepends=True)


def _make_private(folder: Path) -> None:
    with plain_words(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_mine(folder):
            raise PermissionError(None, "it belongs to another user")


def _is_mine(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.getuid()
