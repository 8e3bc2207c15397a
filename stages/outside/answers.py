"""The answer store: what was paid for, by key, for good.

One immutable JSON record an answer at `<aa>/<rest>.json` of the local place, written through to the remote place when
there is one. A record embeds its question's canonical bytes, so its key can be derived from it again, and the sha256 of
all that it says.

*Shapes*: `values_bp` (levels, horizon). *Units*: bp.
*Errors*: none for damage: a damaged record is moved to `quarantine/`, said so, and counts as missing.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from stages.forecasting.backend import Answer
from stages.outside.places import Folder, Place
from stages.requests.question import Question


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
    """Answers by key: read locally first, then from the remote; written to both."""

    def __init__(self, local: Folder, remote: Place | None) -> None:
        self.local = local
        self.remote = remote
        self.hits_remote = 0

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that exist, of these keys; what only the remote had is kept locally from now on."""
        wanted = list(dict.fromkeys(keys))
        found = {key: record for key in wanted if (record := self._local(key)) is not None}
        missing = [key for key in wanted if key not in found]
        if self.remote is not None and missing:
            for name, content in self.remote.read_many([path_of(key) for key in missing]).items():
                record = self._decoded(key_of(name), content, "the remote's copy")
                if record is not None:
                    self.local.replace(name, content)
                    self.hits_remote += 1
                    found[record.key] = record
        return found

    def put(self, record: Record) -> Record:
        """Keep an answer on disk, then on the remote; the record that stands, which is the first one written."""
        name, content = path_of(record.key), record.encode()
        if not self.local.create(name, content):
            return self._local(record.key) or self._replaced(record)
        if self.remote is not None and not self.remote.create(name, content):
            first = self.remote.read(name)
            winner = self._decoded(record.key, first, "the remote's copy") if first is not None else None
            if winner is not None:
                self.local.replace(name, winner.encode())
                return winner
        return record

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Name and complaint of every local record that is not what its name promises."""
        for folder in self.local.names(""):
            for name in self.local.names(folder) if len(folder) == 2 else []:
                try:
                    _checked(key_of(f"{folder}/{name}"), self.local.read(f"{folder}/{name}") or b"")
                except (ValueError, TypeError) as error:
                    yield f"{folder}/{name}", str(error)

    def _replaced(self, record: Record) -> Record:
        self.local.replace(path_of(record.key), record.encode())
        return record

    def _local(self, key: str) -> Record | None:
        content = self.local.read(path_of(key))
        if content is None:
            return None
        record = self._decoded(key, content, "the stored answer")
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
