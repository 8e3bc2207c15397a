"""Answers that were thrown away with `make drop`: exactly these records are never used again, wherever they turn up.

One empty note a record at `dropped/<key>-<sha256 of the record>` of the local place. Its key may have another answer.
"""

import hashlib
from functools import cached_property

from stages.outside.places import Folder

FOLDER = "dropped"


class Dropped:
    """The records that were thrown away, known by their bytes."""

    def __init__(self, local: Folder) -> None:
        self._local = local

    def note(self, key: str, content: bytes) -> None:
        """Never use this record again."""
        self._local.create(f"{FOLDER}/{key}-{_digest(content)}", b"")
        self.__dict__.pop("_keys", None)

    @property
    def keys(self) -> set[str]:
        """Keys of which a record was dropped; they may have another by now."""
        return set(self._keys.values())

    def __contains__(self, content: bytes) -> bool:
        return bool(self._keys) and _digest(content) in self._keys

    @cached_property
    def _keys(self) -> dict[str, str]:
        """The key of each dropped record, by the record's sha256."""
        names = (name.split("-") for name in self._local.names(FOLDER))
        return {digest: key for key, digest in names}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
