"""Single flight: whoever buys a snapshot holds its lock; across machines, whoever buys a key holds its attempt.

On one machine the lock is the kernel's (flock) on a file that is never deleted: it ends with its process, however that
dies, and survives any pause. A lease that expires would let a stopped buyer and its successor pay the same key.

Across machines no lock survives a pause, so nothing is ever taken over: an attempt is a numbered file, created once,
and the next number may be taken only after it is settled. A buyer that dies leaves its attempt open until a person says
`make release KEY=`.
"""

import fcntl
import json
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stages.outside.places import Place, open_shared

FREE_AGAIN = {"refunded", "refused", "unknown", "released"}
NOT_PAID = {"refunded", "refused", "released"}


@contextmanager
def claim(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Hold the locks of all `names`, taken in sorted order so that two buyers cannot wait for each other."""
    with ExitStack() as held:
        for name in sorted(set(names)):
            _wait_for(held.enter_context(open_shared(folder / f"{name}.lock")), name)
        yield


def _wait_for(lock: IO[bytes], name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run that is buying {name}", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


@dataclass(frozen=True)
class Attempt:
    """The latest attempt to buy a key: its number (-1: none yet), whether it is over, how many may have been paid."""

    number: int
    over: bool
    paid: int


class Attempts:
    """Numbered attempts to buy each key, in a place that all machines share."""

    def __init__(self, place: Place, who: str, max_attempts: int) -> None:
        self.place = place
        self.who = who
        self.max_attempts = max_attempts

    def take(self, key: str) -> bool:
        """Begin the next attempt, if the last is over and `api.max_attempts` is not reached."""
        last = self.latest(key)
        if not last.over or last.paid >= self.max_attempts:
            return False
        content = json.dumps({"who": self.who, "nonce": uuid.uuid4().hex}, sort_keys=True).encode()
        return self.place.create(f"attempts/{key}/{last.number + 1:04d}.json", content)

    def settle(self, key: str, state: str) -> None:
        """End the latest attempt, once."""
        self.place.create(f"attempts/{key}/{self.latest(key).number:04d}.{state}", uuid.uuid4().hex.encode())

    def release(self, key: str) -> None:
        """Let the key be taken again, whatever became of all its attempts."""
        for number in range(self.latest(key).number + 1):
            self.place.create(f"attempts/{key}/{number:04d}.released", uuid.uuid4().hex.encode())

    def latest(self, key: str) -> Attempt:
        """The latest attempt, from one listing."""
        begun: dict[int, set[str]] = {}
        for name in self.place.names(f"attempts/{key}"):
            number, ending = name.split(".", 1)
            begun.setdefault(int(number), set()).add(ending)
        last = max(begun, default=-1)
        over = last < 0 or bool(begun[last] & FREE_AGAIN)
        return Attempt(last, over, sum(not endings & NOT_PAID for endings in begun.values()))

    def holder(self, key: str) -> str:
        """Who began the latest attempt."""
        content = self.place.read(f"attempts/{key}/{self.latest(key).number:04d}.json")
        return str(json.loads(content)["who"]) if content else "nobody"
