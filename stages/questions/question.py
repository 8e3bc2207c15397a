"""One question, as the canonical bytes whose md5 is its key.

A question holds everything that can change the answer, and nothing else. A digest of the values that are sent
(`digest_of_sessions`) stands for the history. A field that was added later is left out while it has the meaning that
questions had before it existed, so no key of an older answer changes.

*Units*: `horizon_min` steps of one minute; `rows` history rows sent.
*Time*: `start_utc` and `end_utc` are the starts of the first and last bar sent; the last is known at `snapshot_utc`.
*Errors*: `DataContractError` when bytes are not the canonical form of a question.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from stages.errors import DataContractError

SCHEMA_VERSION = 1
FREQ = "min"
ARTIFICIAL = "artificial"  # the values are sent with minute stamps of a gapless clock that ends at the snapshot
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for one symbol at one snapshot."""

    symbol: str
    snapshot_utc: datetime
    model: str
    model_epoch: str
    deployment: str
    options: dict[str, float | int | str]
    target: str
    freq: str
    horizon_min: int
    levels: tuple[int, ...]
    start_utc: datetime
    end_utc: datetime
    rows: int
    y_sha256: str
    hist_exog: tuple[str, ...] = ()
    futr_exog: tuple[str, ...] = ()
    features_sha256: str | None = None
    schema_version: int = SCHEMA_VERSION
    clock: str = ARTIFICIAL

    def canonical(self) -> bytes:
        """Sorted keys, no extra white space, one final newline."""
        held = vars(self)
        document = {name: held[name] for name in NAMES if name not in LATER or held[name] != LATER[name]}
        document |= {name: _utc(held[name]) for name in INSTANTS}
        return CANONICAL.encode(document).encode("ascii") + b"\n"

    @cached_property
    def key(self) -> str:
        """The md5 of the canonical bytes: the hash that DVC records for the question's file."""
        return key_of(self.canonical())

    @property
    def place(self) -> str:
        """Its symbol and snapshot in words."""
        return f"{self.symbol} at {self.snapshot_utc:%Y-%m-%d %H:%MZ}"

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The question whose canonical bytes these are."""
        try:
            document: dict[str, Any] = json.loads(content)
            for name in INSTANTS:
                document[name] = datetime.fromisoformat(document[name])
            for name in ("levels", "hist_exog", "futr_exog"):
                document[name] = tuple(document[name])
            question = cls(**document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataContractError(
                f"this is not a question ({error}); the fields of a question are {NAMES}."
            ) from error
        if question.canonical() != content:
            raise DataContractError(
                f"question of {question.symbol} at {question.snapshot_utc} is not in canonical form."
            )
        vars(question)["key"] = key_of(content)  # `content` is canonical, so it need not be encoded again
        return question


def key_of(canonical: bytes) -> str:
    """The md5 of a question's canonical bytes."""
    return hashlib.md5(canonical, usedforsecurity=False).hexdigest()


NAMES = [field.name for field in fields(Question)]
LATER = {"clock": ARTIFICIAL}  # field -> its meaning in questions that do not have it
INSTANTS = ("snapshot_utc", "start_utc", "end_utc")


def _utc(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise DataContractError(f"a question's instant {instant} has no zone; give it in UTC.")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
