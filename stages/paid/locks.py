"""Locks: one buyer per snapshot on this machine, one attempt per key across machines.

On one machine the lock is the kernel's (flock) on a file that is never deleted. It ends with its process, however that
dies, and survives any pause. An expiring lease would let a paused buyer and its successor both pay for a key.

Across machines no lock survives a pause, so nothing is taken over from another machine. An attempt is a numbered file,
created once; the next number may be taken only after it is over. Only its owner ends it. Attempts are begun and ended
by the process that holds the lock of their snapshot. An open attempt of the same store therefore belongs to a dead
process, and is ended as perhaps paid. An open attempt of another machine needs a person, who runs `make release KEY=`.
"""

import fcntl
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any

from stages.errors import ConfigurationError
from stages.io.clock import INTERRUPTS
from stages.io.object_store import LocalStore, ObjectStore, open_shared
from stages.io.terminal import print_to_stderr
from stages.paid.reservations import DAYS, note_in
from stages.paid.store_identity import MOVED, STORE, id_at

FREE_AGAIN = {"refunded", "refused", "unknown", "released"}
NOT_PAID = {"refunded", "refused", "released"}
HOME = "claims/home.txt"
WHOLE = "claims/store.lock"
ATTEMPT = re.compile(r"^(\d{4,})\.(json|answered|refused|unknown|refunded|released)$")


@contextmanager
def lock(store: LocalStore, names: Sequence[str] = ()) -> Iterator[None]:
    """Hold the locks of all `names`, taken in sorted order so that two buyers cannot wait for each other.

    Before these it takes the lock of the whole store, which buyers share and a move of the store holds exclusively.
    *Errors*: `ConfigurationError` when the store was moved after this run began.
    """
    with ExitStack() as held:
        whole = held.enter_context(open_shared(store.root / WHOLE))
        _wait_for(whole, "the move of this store", fcntl.LOCK_SH)
        for name in sorted(set(names)):
            one = held.enter_context(open_shared(store.root / f"claims/{name}.lock"))
            _wait_for(one, f"another run that is buying {name}", fcntl.LOCK_EX)
        if (store.root / MOVED).exists() and id_at(STORE, store) is None:
            raise ConfigurationError(
                f"the store {store.root} was moved while this run went on, so nothing more is bought or kept there: "
                "run again."
            )
        yield


@contextmanager
def lock_whole(store: LocalStore) -> Iterator[bool]:
    """Hold the lock of the whole store, if nobody is buying into it."""
    with open_shared(store.root / WHOLE) as whole:
        try:
            fcntl.flock(whole, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _wait_for(lock: IO[bytes], what: str, kind: int) -> None:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        print_to_stderr(f"waiting for {what}")
        with INTERRUPTS.waiting():
            fcntl.flock(lock, kind)


def home_of(local: LocalStore) -> str:
    """A name that is unique to this store, even among copies of it: its stored id and its file's inode."""
    local.create(HOME, uuid.uuid4().hex.encode())
    return f"{(local.read(HOME) or b'').decode()}-{(local.root / HOME).stat().st_ino}"


@dataclass(frozen=True)
class Begun:
    """An attempt of this process, which may end it."""

    key: str
    number: int
    nonce: str


@dataclass(frozen=True)
class Attempt:
    """The latest attempt to buy a key: its number (-1: none yet), how it ended, how many may have been paid so far."""

    number: int
    endings: frozenset[str]
    paid: int

    @property
    def is_open(self) -> bool:
        """Begun, and not known to be over."""
        return self.number >= 0 and not self.endings

    @property
    def is_over(self) -> bool:
        """Whether the next number may be taken."""
        return self.number < 0 or bool(self.endings & FREE_AGAIN)


class Attempts:
    """Numbered attempts to buy each key, in an object store that all machines share.

    `home` names this machine's store.
    """

    def __init__(self, objects: ObjectStore, who: str, max_attempts: int, home: str = "") -> None:
        self.objects = objects
        self.who = who
        self.max_attempts = max_attempts
        self.home = home

    def free(self, keys: Sequence[str], *, all_or_none: bool) -> dict[str, int] | None:
        """The numbers under which keys may be bought now, except keys that are held or reached `api.max_attempts`.

        With `all_or_none`, all keys or None. The caller holds the locks of their snapshots, so attempts that a dead
        process of this store left open are ended here.
        """
        numbers, dead = {}, []
        for key in sorted(keys):
            last = self.latest(key)
            if last.is_open and self.home and (facts := self._facts(key, last.number)).get("home") == self.home:
                self.end([Begun(key, last.number, str(facts["nonce"]))], "unknown")
                dead.append(key)
                last = self.latest(key)
            if last.is_over and last.paid < self.max_attempts:
                numbers[key] = last.number + 1
            elif all_or_none:
                break
        if dead:
            ended = f"an earlier run of this store ended while it was buying {len(dead)} keys (the first: {dead[0]})"
            print_to_stderr(f"{ended}: they are free again, and count as paid once.")
        return numbers if len(numbers) == len(keys) or (numbers and not all_or_none) else None

    def begin(self, numbers: Mapping[str, int], call: str) -> list[Begun] | None:
        """Begin an attempt for every key of the request `call` (a reservation), or return None if one is held.

        Keys are taken in sorted order, so that machines that want the same keys conflict at the first one.
        """
        begun: list[Begun] = []
        try:
            for key, number in sorted(numbers.items()):
                one = Begun(key, number, uuid.uuid4().hex)
                facts = {"who": self.who, "nonce": one.nonce, "home": self.home, "call": call}
                if not self.objects.create(_path(key, number, "json"), json.dumps(facts, sort_keys=True).encode()):
                    self.end(begun, "refunded")
                    return None
                begun.append(one)
        except Exception:
            self.end(begun, "refunded")
            raise
        return begun

    def end(self, begun: Iterable[Begun], state: str) -> None:
        """End attempts of this process, each once; newer attempts do not matter."""
        for one in begun:
            self.objects.create(_path(one.key, one.number, state), one.nonce.encode())

    def release(self, key: str) -> list[str]:
        """Allow a key to be bought again, and all unanswered keys of its latest request.

        Returns those that were held.
        """
        last = self.latest(key)
        if last.number < 0:
            return []
        call = self._facts(key, last.number).get("call")
        reservation = note_in(self.objects.read(f"{DAYS}/{call}.json") or b"") if call else {}
        released = []
        for one in dict.fromkeys([key, *reservation.get("keys", [])]):
            latest = self.latest(one)
            if one == key or ("answered" not in latest.endings and self._facts(one, latest.number).get("call") == call):
                self.release_alone(one)
                released.append(one)
        return released

    def release_alone(self, key: str) -> None:
        """Allow one key to be bought again, without the others of its request."""
        for number in range(self.latest(key).number + 1):
            self.objects.create(_path(key, number, "released"), uuid.uuid4().hex.encode())

    def latest(self, key: str) -> Attempt:
        """The latest attempt, from one listing."""
        seen: dict[int, set[str]] = {}
        for name in filter(None, map(ATTEMPT.match, self.objects.names(f"attempts/{key}"))):
            seen.setdefault(int(name[1]), set()).add(name[2])
        last = max(seen, default=-1)
        endings = frozenset(seen.get(last, set()) - {"json"})
        return Attempt(last, endings, sum(not found & NOT_PAID for found in seen.values()))

    def is_spent(self, key: str) -> bool:
        """Whether no attempt is open and none may follow: `api.max_attempts` may have been paid."""
        last = self.latest(key)
        return last.is_over and last.paid >= self.max_attempts

    def holder(self, key: str) -> str:
        """Why the key cannot be bought, as text."""
        last = self.latest(key)
        who = f"run {self._facts(key, last.number).get('who', 'nobody')}"
        if self.is_spent(key):
            return f"may have been paid {last.paid} times, the last by {who}"
        return f"is being bought, or was left behind, by {who}"

    def _facts(self, key: str, number: int) -> dict[str, Any]:
        return note_in(self.objects.read(_path(key, number, "json")) or b"")


def _path(key: str, number: int, ending: str) -> str:
    return f"attempts/{key}/{number:04d}.{ending}"
