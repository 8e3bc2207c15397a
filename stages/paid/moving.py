"""Moving an answer store: its answers, its notes, and every request it counted.

Everything is copied before the old store loses its id, so an interrupted move can be run again. If the new location
already has a store, the two are merged: its sound answers and standing limits stay, and the requests of both count.

*Errors*: `ConfigurationError` (exit 5) while a run is buying into one of the stores, or when a disk fails.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePath

from stages.errors import ConfigurationError
from stages.io.object_store import LocalStore, plain_words
from stages.paid.answer_store import SHARED_WITH, AnswerStore
from stages.paid.checks import LATE, NOTE
from stages.paid.limits import LIMITS, limits_in
from stages.paid.locks import lock_whole
from stages.paid.records import key_of
from stages.paid.reservations import DAYS, FILE_NAME, MONTHS, RESERVED, SETTLED, ReservationLog, Taken
from stages.paid.store_identity import MOVED, STORE, id_at

NOT_COPIED = {STORE.file, SHARED_WITH, "swaps.lock", "budget/last_sent"}
COPIED_APART = ("claims/", f"{DAYS}/", f"{MONTHS}/", f"{LIMITS}/", f"{LATE}/")


def move_store(old: LocalStore, new: LocalStore) -> None:
    """Copy everything in `old` to `new`, which takes over the id unless it has one."""
    if old.address == new.address:
        raise ConfigurationError(
            f"{old.root} is already the store of DVC's cache: there is nothing to move; FROM= must name another cache."
        )
    with ExitStack() as locks:
        for store in (old, new):
            if not locks.enter_context(lock_whole(store)):
                raise ConfigurationError(f"a run is buying into {store.root}: move the store when that run has ended.")
        _copy_all(old, new)
        os.sync()
        if (number := id_at(STORE, old)) is not None:
            new.create(STORE.file, f"{number}\n".encode())
            with plain_words(old.root):
                (old.root / STORE.file).replace(old.root / MOVED)


def _copy_all(old: LocalStore, new: LocalStore) -> None:
    """Copy answers, notes and requests, in addition to those of the new store."""
    for name in _files(old):
        if name not in NOT_COPIED and not name.startswith(COPIED_APART):
            _copy(old, new, name)
    _replace_unsound(old, new)
    if not limits_in(new):
        for name in limits_in(old):  # the newest, which counts, comes first
            _copy(old, new, name)
    for name in old.names(MONTHS):
        _copy_reservations(old, new, f"{MONTHS}/{name}")
    for name in old.names(DAYS):
        _copy_late(old, new, name, _copy_reservations(old, new, f"{DAYS}/{name}"))


def _replace_unsound(old: LocalStore, new: LocalStore) -> None:
    """Replace damaged or dropped answers of the new store, and make the next run share all with its remote."""
    here = AnswerStore(new, None)
    for name in AnswerStore(old, None).names():
        if new.read(name) != old.read(name):
            here.get([key_of(name)])  # an unsound record moves to quarantine/
            _copy(old, new, name)
    if old.read(SHARED_WITH) not in {None, new.read(SHARED_WITH)}:  # answers that no remote has are in unshared/
        new.replace(SHARED_WITH, b"")


def _copy_reservations(old: LocalStore, new: LocalStore, folder: str) -> dict[str, str]:
    """Append the reservations of a day or month to those of the new store, each once.

    Returns new name by old name.
    """
    if not new.names(folder):
        for name in sorted(old.names(folder), key=lambda name: not name.endswith(".json")):  # begin before end
            _copy(old, new, f"{folder}/{name}")
        return {}
    names: dict[str, str] = {}
    log = ReservationLog(new, folder)
    taken: dict[int, Taken] = {}
    there = new.read_many(f"{folder}/{name}" for name in new.names(folder) if name.endswith(".json"))
    counted = {content: PurePath(name).stem for name, content in there.items()}
    files = filter(FILE_NAME.match, old.names(folder))
    for reservation in (name.removesuffix(".json") for name in files if name.endswith(".json")):
        content = old.read(f"{folder}/{reservation}.json") or b""
        if (standing := counted.get(content)) is None:
            taken = taken or log.taken()  # once, as it lists the whole folder
            while not (standing := log.take(taken, content)):
                taken = log.taken()
            taken[len(taken)] = Taken(0, RESERVED)
        names[reservation] = standing
        for state in SETTLED:
            if (ending := old.read(f"{folder}/{reservation}.{state}")) is not None:
                log.settle(standing, state, ending)
    return names


def _copy_late(old: LocalStore, new: LocalStore, day: str, names: Mapping[str, str]) -> None:
    """Copy the late requests of a day, each under the new name of its reservation."""
    for note in filter(NOTE.match, old.names(LATE)):
        key, of, reservation, *rest = note.split(".")
        if of == day:
            new.create(f"{LATE}/{'.'.join([key, of, names.get(reservation, reservation), *rest])}", b"")


def _files(old: LocalStore) -> Iterator[str]:
    for path in sorted(old.root.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(old.root).as_posix()


def _copy(old: LocalStore, new: LocalStore, name: str) -> None:
    content = old.read(name)
    if content is not None:
        new.create(name, content, durable=False)


def store_in(cache: Path) -> LocalStore:
    """The store of a DVC cache. *Errors*: `ConfigurationError` when it holds none."""
    store = LocalStore(cache / "forecasts")
    if not store.root.is_dir():
        raise ConfigurationError(f"{cache} holds no folder forecasts/: FROM= must name the cache that DVC used before.")
    return store
