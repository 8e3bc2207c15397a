"""Answers on DVC's default remote, and rescued answers that the store could not take.

On the remote the first sound record of a key counts. A damaged record is copied into the remote's `quarantine/` and
keeps its name until a machine with a sound copy replaces it. A record that was dropped here is replaced by its
successor in the same way. A remote that fails is not used for the rest of the run, or stops the run (`must_share`). A
read-only remote is still read.

Rescued answers were paid but could not be written to the store. They are kept in the first other folder that takes
them: one file per request, whose lines are complete records, each with its own sha256. A folder outside the store
belongs to one user, is closed to others, and is named after the store, so no other store uses its files.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from stages.errors import BudgetStop, ConfigurationError, PipelineError
from stages.io.object_store import LocalStore, ObjectStore, StoreUnreachable, plain_words
from stages.io.terminal import print_to_stderr, progress
from stages.paid.records import Dropped, Record, decoded, key_of, path_of, records_in

T = TypeVar("T")
RACES = 5  # attempts while other machines mend the same record
SET_ASIDE = re.compile(r"^([0-9a-f]{32})-[0-9a-f]{8}\.json$")


class SharedAnswers:
    """Records by key on the remote; none without a remote, or after it has failed.

    `on_damage` is called with the key of a damaged record, only on the first machine that finds it.
    """

    def __init__(
        self,
        objects: ObjectStore | None,
        dropped: Dropped,
        *,
        must_share: bool,
        on_damage: Callable[[str], None] | None,
    ) -> None:
        self.objects = objects
        self.dropped = dropped
        self.must_share = must_share
        self.on_damage = on_damage
        self.takes = True
        self._met: set[bytes] = set()

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The sound records of these keys."""
        contents = self.read([path_of(key) for key in keys])
        records = (self._sound(name, content) for name, content in contents.items())
        return {record.key: record for record in records if record is not None}

    def read(self, names: list[str]) -> dict[str, bytes]:
        """The contents of those that exist."""
        return self.try_read(lambda objects: objects.read_many(names), {}) if names else {}

    def put(self, record: Record) -> Record | None:
        """Share a record; the one that counts on the remote from now on, or None if it could not be shared."""
        return self.try_write(lambda objects: self._first(objects, record), None)

    def _first(self, objects: ObjectStore, record: Record) -> Record:
        name, content = path_of(record.key), record.encode()
        for _ in range(RACES):
            if objects.create(name, content):
                return record
            there = objects.read(name)
            if there is None:
                continue
            if (first := self._sound(name, there)) is not None:
                return first
            if there in self.dropped:
                objects.create(f"quarantine/{record.key}-{hashlib.sha256(there).hexdigest()[:12]}.json", there)
            if objects.swap(name, there, content):
                if there not in self.dropped:
                    print_to_stderr(f"the remote's copy of {record.key} is mended.")
                return record
        raise StoreUnreachable(f"{name} can be neither written nor read there")

    def set_aside(self) -> list[str]:
        """The keys whose record was ever damaged, mended or not."""
        return sorted({match[1] for match in map(SET_ASIDE.match, self._names("quarantine")) if match})

    def names(self) -> set[str]:
        """Where its records lie."""
        folders = (folder for folder in self._names("") if len(folder) == 2)
        return {name for folder in folders for name in records_in(folder, self._names(folder))}

    def damaged(self, names: Iterable[str]) -> Iterator[str]:
        """The key of every damaged record among these; reads all."""
        for _, of_folder in progress(groupby(sorted(names), key=lambda name: name[:2]), "reading the remote"):
            for name, content in self.read(list(of_folder)).items():
                if content not in self.dropped and self._sound(name, content) is None:
                    yield key_of(name)

    def _names(self, folder: str) -> list[str]:
        nothing: list[str] = []
        return self.try_read(lambda objects: objects.names(folder), nothing)

    def _sound(self, name: str, content: bytes) -> Record | None:
        """The record; None for one that was dropped, and for a damaged one, which is reported and set aside."""
        if content in self._met or content in self.dropped:
            return None
        record = decoded(key_of(name), content, "the remote's copy of")
        if record is None:
            self._met.add(content)
            with suppress(OSError, PipelineError):  # a read-only remote
                self._set_aside(key_of(name), content)
        return record

    def _set_aside(self, key: str, content: bytes) -> None:
        aside = f"quarantine/{key}-{hashlib.md5(content, usedforsecurity=False).hexdigest()[:8]}"
        if self.objects is None:
            return
        self.objects.create(f"{aside}.json", content)
        if self.on_damage is not None and self.objects.create(f"{aside}.met", uuid.uuid4().hex.encode()):
            self.on_damage(key)

    def try_read(self, read: Callable[[ObjectStore], T], otherwise: T) -> T:
        """The result of `read` on the remote, or `otherwise`. A remote that fails is not used again."""
        if self.objects is None:
            return otherwise
        try:
            return read(self.objects)
        except (OSError, PipelineError) as error:
            self.objects = None
            self._report_failure(error, "this run continues with the local answers")
            return otherwise

    def try_write(self, write: Callable[[ObjectStore], T], otherwise: T) -> T:
        """The result of `write` on the remote, or `otherwise`. A remote that fails is not written to again."""
        if self.objects is None or not self.takes:
            return otherwise
        try:
            return write(self.objects)
        except (OSError, PipelineError) as error:
            self.takes = False
            self._report_failure(error, "this run still reads it, and a later one shares what is left")
            return otherwise

    def _report_failure(self, error: Exception, how: str) -> None:
        failure = f"the DVC remote does not share answers now ({error})"
        if self.must_share:
            raise BudgetStop(
                f"{failure}; api.remote_down is stop. Nothing is lost: run again when the remote answers, or set "
                "api.remote_down to local."
            ) from error
        print_to_stderr(f"{failure}; {how}.")


INSIDE = "rescued"


class Rescue:
    """The folders for rescued answers, in order of preference: one in the store, then those `outside` it."""

    def __init__(self, store: LocalStore, outside: Sequence[Path] = ()) -> None:
        self.inside = store.root / INSIDE
        self.outside = tuple(outside)

    def save(self, lines: Sequence[bytes]) -> Path:
        """Write the lines to a durable file; its path. *Errors*: `ConfigurationError` when no folder takes it."""
        name, reasons = f"{uuid.uuid4().hex}.jsonl", []
        for folder in (self.inside, *self.outside):
            try:
                if folder != self.inside:
                    _make_private(folder)
                LocalStore(folder).create(name, b"".join(lines))
            except ConfigurationError as error:
                reasons.append(str(error))
            else:
                return folder / name
        raise ConfigurationError(" ".join(reasons))

    def waiting(self) -> Iterator[tuple[Path, list[bytes]]]:
        """Every file of rescued answers, with its lines."""
        for folder in (self.inside, *(folder for folder in self.outside if _is_mine(folder))):
            for name in LocalStore(folder).names(""):
                content = LocalStore(folder).read(name) if name.endswith(".jsonl") else None
                if content is not None:  # else another run moved it into the store
                    yield folder / name, content.splitlines(keepends=True)


def _make_private(folder: Path) -> None:
    with plain_words(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_mine(folder):
            raise PermissionError(None, "it belongs to another user")


def _is_mine(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.getuid()
