"""Which answer store, and which ledger on a remote, belong to this repository.

Each has an id. Git's common folder, which all worktrees of a clone share, holds the known ids and their locations. So a
cache that was moved, wiped or not shared with a worktree is not mistaken for a new study, which would pay for
everything again and count the day's requests from zero. A fresh clone knows none, and reports its first store in one
line.

*Errors*: `ConfigurationError` (exit 5) naming both locations and the commands that help.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.errors import ConfigurationError, PipelineError
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.terminal import print_to_stderr
from stages.io.workspace import git, main_root, store_root

NOTES = "forecasts"


@dataclass(frozen=True)
class Kind:
    """A kind of thing with an id: the folder of its notes, and the file that holds the id."""

    notes: str
    file: str


STORE = Kind("stores", "store_id")
MOVED = "moved_store_id"  # the name of the id's file where the store has moved away
LEDGER = Kind("ledgers", "budget/ledger_id")


def known_store() -> LocalStore:
    """The store of DVC's cache. *Errors*: `ConfigurationError` if this repository knows stores, but not this one."""
    store = LocalStore(store_root())
    require_known(STORE, store)
    return store


def begun_store() -> LocalStore:
    """`known_store` for a run that may buy: the store becomes known to this repository."""
    store = known_store()
    remember(STORE, store)
    return store


def require_known(kind: Kind, objects: ObjectStore) -> None:
    """*Errors*: `ConfigurationError` when this repository knows other stores (ledgers), but not this one."""
    known = known_stores(kind)
    if known and id_at(kind, objects) not in known:
        raise ConfigurationError(
            _store_elsewhere(known, objects) if kind is STORE else _ledger_elsewhere(known, objects)
        )


def remember(kind: Kind, objects: ObjectStore) -> None:
    """Make a store or ledger known to this repository, with an id; report one that is new or a copy."""
    notes = notes_folder()
    try:
        number = id_at(kind, objects) or _marked(kind, objects)
        seen = notes.read(f"{kind.notes}/{number}") if notes else None
        if notes and seen != objects.address.encode():
            notes.replace(f"{kind.notes}/{number}", objects.address.encode())
    except PipelineError:  # a read-only store: every purchase is refused later
        return
    if seen is None and (notes or not objects.names("budget/days")):
        end = "" if notes else "; without git, a later change of this location goes unnoticed"
        print_to_stderr(f"this repository keeps its {_noun(kind)} in {objects.address} from now on{end}.")
    elif kind is STORE and seen and seen != objects.address.encode() and _holds(seen.decode(), number):
        print_to_stderr(
            f"the store {objects.address} is a copy of {seen.decode()}: from now on, each keeps its own answers, and "
            "under api.scope machine each counts its own requests."
        )


def known_stores(kind: Kind) -> dict[str, str]:
    """The last known locations of this repository's stores (ledgers), by id."""
    notes = notes_folder()
    if notes is None:
        return {}
    contents = notes.read_many(f"{kind.notes}/{name}" for name in notes.names(kind.notes))
    return {name.rpartition("/")[2]: content.decode() for name, content in contents.items()}


def id_at(kind: Kind, objects: ObjectStore) -> str | None:
    """The id of the store (ledger) at this location."""
    content = objects.read(kind.file)
    return content.decode("utf-8", "replace").strip() if content else None


def notes_folder() -> LocalStore | None:
    """The folder of notes that this clone shares with its worktrees; None without git."""
    try:
        paths = git("-C", str(main_root()), "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-prefix")
    except ConfigurationError:
        return None
    common, prefix = paths.splitlines()
    return LocalStore(Path(common) / NOTES / prefix)


def known_elsewhere(objects: LocalStore) -> list[LocalStore]:
    """The stores that this repository knows at other locations and that still exist."""
    found = (LocalStore(Path(path)) for number, path in known_stores(STORE).items() if _holds(path, number))
    return [store for store in found if store.address != objects.address]


def _marked(kind: Kind, objects: ObjectStore) -> str:
    objects.create(kind.file, f"{uuid.uuid4().hex}\n".encode())
    number = id_at(kind, objects)  # of two processes that begin at once, one wins
    if number is None:
        raise ConfigurationError(f"{objects.address}/{kind.file} could not be read.")
    return number


def _holds(path: str, number: str) -> bool:
    return id_at(STORE, LocalStore(Path(path))) == number


def _store_elsewhere(known: dict[str, str], objects: ObjectStore) -> str:
    there = [path for number, path in known.items() if _holds(path, number)]
    here = f"DVC's cache now has {'another' if id_at(STORE, objects) else 'no'} store at {objects.address}"
    stop = "nothing is bought, because everything would be paid again"
    anew = "`make new-store` continues without those answers and counts requests from zero"
    if not there:
        return (
            f"the answers and the ledger of this repository are no longer in {_each(known.values())}; {here}: "
            f"{stop}. Restore the folder, or {anew}."
        )
    return (
        f"the answers and the ledger of this repository are in {_each(there)}; {here}: {stop}. `dvc cache dir "
        f"--local {Path(there[0]).parent}` uses them where they are, `make adopt-store` moves them into the new "
        f"cache, or {anew}."
    )


def _ledger_elsewhere(known: dict[str, str], objects: ObjectStore) -> str:
    if objects.address in known.values():
        return (
            f"the requests of this repository were counted at {objects.address}, and that ledger is no longer there "
            "(was the bucket deleted, or made anew?): nothing is asked, because the day's limit would begin again at "
            "zero. Restore it, or run `make new-store` to count there from now on and `make verify` to share answers "
            "again."
        )
    return (
        f"the requests of this repository are counted at {_each(known.values())}, but api.scope remote would now "
        f"count at {objects.address}, which is another ledger or none. Nothing is bought, because the day's count "
        "would begin again at zero. Restore core.remote, or run `make new-store` to count there from now on."
    )


def _each(addresses: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(addresses))


def _noun(kind: Kind) -> str:
    return "answers and ledger" if kind is STORE else "ledger for all machines"
