"""The answer store: what was paid for, by key, for good.

One immutable JSON record an answer at `<aa>/<rest>.json` of the local place, written through to the remote place when
there is one. A record embeds its question's canonical bytes, so its key can be derived from it again, and the sha256 of
all that it says.

*Shapes*: `values_bp` (levels, horizon). *Units*: bp.
*Errors*: none for damage: a damaged record is moved to `quarantine/`, said so, and counts as missing; so does one that
`make drop` threw away.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from stages.errors import BudgetStop, ConfigurationError, PipelineError
from stages.forecasting.backend import Answer
from stages.outside.places import Folder, Place
from stages.requests.question import Question

SHARED_WITH = "shared_with.txt"


@dataclass(frozen=True, kw_only=True)
class Record:
    """An answer as bought. `company` counts the snapshots that shared its request."""

    question: str
    values_bp: list[list[float]]
    mean_bp: list[float]
    model: str
    sdk: str
    call: str
    series_in_call: int
    company: int
    input_tokens: int | None
    paid_utc: str

    @property
    def key(self) -> str:
        """The key, derived from the embedded question."""
        return hashlib.md5(self.question.encode(), usedforsecurity=False).hexdigest()

    def answer(self) -> Answer:
        """What the pipeline sees of it; nothing that depends on when or how it was bought."""
        asked: dict[str, Any] = json.loads(self.question)
        source = f"{asked['model']}@{asked['deployment']}"
        return Answer(key=self.key, source=source, values_bp=np.array(self.values_bp, dtype=np.float64))

    def encode(self) -> bytes:
        """Canonical bytes, closed by the sha256 of all fields."""
        facts = asdict(self)
        return _canonical({**facts, "sha256": _digest(facts)}) + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The record, or `ValueError` saying what is wrong with it."""
        facts = json.loads(content)
        if not isinstance(facts, dict) or facts.pop("sha256", None) != _digest(facts):
            raise ValueError("its sha256 does not fit its content")
        return cls(**facts)


class AnswerStore:
    """Answers by key: read locally first, then from the remote; written to both.

    What is not shared yet is marked in `unshared/`, and shared by the next run that has a remote. A remote that fails
    is left alone for the rest of the run, or stops it (`must_share`).
    """

    def __init__(self, local: Folder, remote: Place | None, *, must_share: bool = False) -> None:
        self.local = local
        self.remote = remote
        self.must_share = must_share
        self.hits_remote = 0

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that exist, of these keys; what only the remote had is kept locally from now on."""
        wanted = list(dict.fromkeys(keys))
        found = {key: record for key in wanted if (record := self._local(key)) is not None}
        for name, content in self.from_remote([path_of(key) for key in wanted if key not in found]).items():
            record = self._decoded(key_of(name), content, "the remote's copy of")
            if record is not None:
                self.local.replace(name, content)
                self.hits_remote += 1
                found[record.key] = record
        return found

    def keep(self, record: Record) -> Record:
        """Have an answer on disk, marked as not shared; the record that stands, which is the first one written."""
        self.local.create(f"unshared/{record.key}", b"", durable=False)
        if not self.local.create(path_of(record.key), record.encode()):
            first = self._local(record.key)
            if first is not None:
                return first
            self.local.replace(path_of(record.key), record.encode())
        return record

    def share(self, record: Record) -> Record:
        """Have a kept answer on the remote too; if another came first there, adopt it."""
        if self.remote is None:
            return record
        name = path_of(record.key)
        try:
            first = None if self.remote.create(name, record.encode()) else self.remote.read(name)
        except (OSError, PipelineError) as error:
            self.lost(error)
            return record
        with suppress(OSError):
            (self.local.root / "unshared" / record.key).unlink()
        winner = self._decoded(record.key, first, "the remote's copy of") if first is not None else None
        if winner is None:
            if first is not None and self._is_dropped(first):
                self._take_its_place(name, first, record)
            return record
        self.local.replace(name, winner.encode())
        return winner

    def _take_its_place(self, name: str, dropped: bytes, record: Record) -> None:
        """Give the remote the new answer in place of a dropped one, which stays readable there."""
        if self.remote is None:
            return
        try:
            self.remote.create(f"quarantine/{record.key}-{hashlib.sha256(dropped).hexdigest()[:12]}.json", dropped)
            self.remote.replace(name, record.encode())
        except (OSError, PipelineError) as error:
            self.lost(error)

    def drop(self, key: str) -> None:
        """Throw a kept answer away: it lies in quarantine, and its very bytes are never used again."""
        content = self.local.read(path_of(key)) or b""
        self.local.create(f"dropped/{key}-{hashlib.sha256(content).hexdigest()}", b"")
        self.__dict__.pop("_dropped", None)
        self.quarantine(key)

    @property
    def dropped_keys(self) -> set[str]:
        """Keys of which a record was dropped; they may have another by now."""
        return set(self._dropped.values())

    @cached_property
    def _dropped(self) -> dict[str, str]:
        """The key of each dropped record, by the record's sha256."""
        names = (name.split("-") for name in self.local.names("dropped"))
        return {digest: key for key, digest in names}

    def _is_dropped(self, content: bytes) -> bool:
        return bool(self._dropped) and hashlib.sha256(content).hexdigest() in self._dropped

    def share_again(self) -> None:
        """Share what earlier runs could not; everything, if they shared with another remote."""
        if self.remote is None:
            return
        address = self.remote.address.encode()
        same = self.local.read(SHARED_WITH) == address
        for key in self.local.names("unshared") if same else map(key_of, self._names()):
            record = self._local(key)
            if record is not None:
                self.share(record)
        if self.remote is not None and not same:
            with suppress(ConfigurationError):  # a store that may only be read
                self.local.replace(SHARED_WITH, address)

    def from_remote(self, names: list[str]) -> dict[str, bytes]:
        """The contents of those that the remote holds; none when it fails or is not asked."""
        if self.remote is None or not names:
            return {}
        try:
            return self.remote.read_many(names)
        except OSError as error:
            self.lost(error)
            return {}

    def lost(self, error: Exception) -> None:
        """The remote fails: go on without it or stop, as `api.remote_down` says."""
        self.remote = None
        told = f"the DVC remote does not share answers now ({error})"
        if self.must_share:
            raise BudgetStop(f"{told}; api.remote_down is stop. Nothing is lost: run again when it answers.")
        print(f"{told}; this run goes on with what lies here.", file=sys.stderr, flush=True)

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Name and complaint of every local record that is not what its name promises."""
        for name in self._names():
            try:
                _checked(key_of(name), self.local.read(name) or b"")
            except (ValueError, TypeError) as error:
                yield name, str(error)

    def size(self) -> int:
        """How many answers lie here."""
        return sum(1 for _ in self._names())

    def _names(self) -> Iterator[str]:
        for folder in self.local.names(""):
            if len(folder) == 2:
                yield from (f"{folder}/{name}" for name in self.local.names(folder))

    def _local(self, key: str) -> Record | None:
        content = self.local.read(path_of(key))
        if content is None:
            return None
        record = self._decoded(key, content, "the stored answer to")
        if record is None:
            self.quarantine(key)
        return record

    def quarantine(self, key: str) -> None:
        """Move a damaged record out of the way; it stays readable for whoever wants to know."""
        number = sum(name.startswith(key) for name in self.local.names("quarantine"))
        target = self.local.root / "quarantine" / f"{key}-{number}.json"
        try:
            target.parent.mkdir(exist_ok=True)
            (self.local.root / path_of(key)).rename(target)
        except OSError as error:
            print(f"the damaged answer {key} could not be moved ({error.strerror}).", file=sys.stderr, flush=True)

    def _decoded(self, key: str, content: bytes, what: str) -> Record | None:
        if self._is_dropped(content):
            return None
        try:
            return _checked(key, content)
        except (ValueError, TypeError) as error:
            print(
                f"{what} {key} is damaged ({error}): it is not used, and counts as missing.",
                file=sys.stderr,
                flush=True,
            )
            return None


def path_of(key: str) -> str:
    """Where a key's record lies."""
    return f"{key[:2]}/{key[2:]}.json"


def key_of(path: str) -> str:
    """The key of a record's path."""
    return path.replace("/", "").removesuffix(".json")


def record_of(question: Question, **facts: Any) -> Record:
    """A record of the answer to `question`."""
    return Record(question=question.canonical().decode("ascii"), model=question.model, **facts)


def _checked(key: str, content: bytes) -> Record:
    record = Record.decode(content)
    if record.key != key:
        raise ValueError(f"it answers another question, {record.key}")
    return record


def _canonical(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(facts)).hexdigest()
