"""Records: one stored answer with its question and its purchase or computation, and the list of dropped records.

A record embeds its question's canonical bytes, from which its key can be derived, and the sha256 of all its fields.
Records that `make drop` threw away are never used again, wherever they are found: each has an empty file
`dropped/<key>-<sha256 of the record>` in the local store. Its key may have another answer.

*Shapes*: `values_bp` (levels, horizon). *Units*: bp.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from stages.forecasting.backend import Answer
from stages.io.object_store import LocalStore
from stages.io.terminal import print_to_stderr
from stages.params.forecaster import COMMAND
from stages.questions.question import Question
from stages.tables.forecasts import PROGRAM

RECORD = re.compile(r"^[0-9a-f]{2}/[0-9a-f]{30}\.json$")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A bought answer, or one that a program computed. `company` counts the snapshots that shared its request."""

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

    @property
    def is_computed(self) -> bool:
        """Whether a program computed it, for nothing."""
        return bool(json.loads(self.question)["deployment"] == COMMAND)

    def answer(self) -> Answer:
        """The answer as the pipeline reads it, without anything that depends on when or how it was bought."""
        asked: dict[str, Any] = json.loads(self.question)
        source = f"{PROGRAM}{asked['model']}" if self.is_computed else f"{asked['model']}@{asked['deployment']}"
        return Answer(key=self.key, source=source, values_bp=np.array(self.values_bp, dtype=np.float64))

    def encode(self) -> bytes:
        """Canonical bytes, ending with the sha256 of all fields."""
        facts = asdict(self)
        return _canonical({**facts, "sha256": _digest(facts)}) + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The record. `ValueError` names the damage; unknown fields of later versions are ignored."""
        try:
            facts = json.loads(content)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(facts, dict) or facts.pop("sha256", None) != _digest(facts):
            raise ValueError("its sha256 does not fit its content")
        return cls(**{name: value for name, value in facts.items() if name in cls.__dataclass_fields__})


def path_of(key: str) -> str:
    """Path of a key's record."""
    return f"{key[:2]}/{key[2:]}.json"


def records_in(folder: str, names: Iterable[str]) -> list[str]:
    """Paths of the records among these names of a folder; other files are ignored."""
    return [path for name in names if RECORD.match(path := f"{folder}/{name}")]


def key_of(path: str) -> str:
    """The key of a record's path."""
    return path.replace("/", "").removesuffix(".json")


def record_of(question: Question, **facts: Any) -> Record:
    """A record of the answer to `question`."""
    return Record(question=question.canonical().decode("ascii"), model=question.model, **facts)


def checked(key: str | None, content: bytes) -> Record:
    """The record in these bytes, of this key if given; `ValueError` or `TypeError` names the damage."""
    record = Record.decode(content)
    if key is not None and record.key != key:
        raise ValueError(f"it answers another question, {record.key}")
    return record


def decoded(key: str | None, content: bytes, what: str) -> Record | None:
    """The record as `checked` returns it; None if damaged, with a note on stderr."""
    try:
        return checked(key, content)
    except (ValueError, TypeError) as error:
        damage = f"{what} {key} is damaged" if key else f"{what} is damaged"
        print_to_stderr(f"{damage} ({error}): it is not used, and counts as missing.")
        return None


def _canonical(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(facts)).hexdigest()


FOLDER = "dropped"
DROPPED = re.compile(r"^(?P<key>[0-9a-f]{32})-(?P<digest>[0-9a-f]{64})$")


class Dropped:
    """The records that were thrown away, identified by their bytes."""

    def __init__(self, local: LocalStore) -> None:
        self._local = local

    def note(self, key: str, content: bytes) -> None:
        """Never use this record again."""
        self._local.create(f"{FOLDER}/{key}-{_content_digest(content)}", b"")
        self.__dict__.pop("_keys", None)

    @property
    def keys(self) -> set[str]:
        """Keys of which a record was dropped; they may have a new answer by now."""
        return set(self._keys.values())

    def __contains__(self, content: bytes) -> bool:
        return bool(self._keys) and _content_digest(content) in self._keys

    @cached_property
    def _keys(self) -> dict[str, str]:
        """The key of each dropped record, by the record's sha256."""
        noted = filter(None, map(DROPPED.match, self._local.names(FOLDER)))
        return {note["digest"]: note["key"] for note in noted}


def _content_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
