"""The trial log: every variant ever evaluated, study ever judged and holdout ever opened, kept for good.

It is in `trials/` next to the answer store, where `dvc gc` and lost runs do not affect it, and on DVC's default remote
if answers are shared. An entry is one immutable file named by the sha256 of its content: adding it again changes
nothing, writers cannot disturb each other, and a killed process leaves it complete or absent. Variants that are
evaluated together are one entry, so a sweep of a thousand needs one file.

Openings are also commits of params.yaml, so git records them: an id that was ever committed in `split.open_holdout`
with the same source counts, even if it was removed later, on any branch or experiment, merged ones included. An opening
of one month is named `<strategy id> for <month>`.

An entry names params of sections that the logging stage itself does not depend on. No stage reads this log: stage
outputs depend only on params (`sweep.prior_trials`).
*Errors*: `ConfigurationError` when the log cannot be written here. A damaged entry is reported and does not count; when
the remote does not answer, `make trials` shares the entries later.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

import polars as pl

from stages.errors import PipelineError
from stages.io.bucket_store import shared_store
from stages.io.object_store import LocalStore, ObjectStore
from stages.io.settings import PARAMS, read_document, read_params, sections_in
from stages.io.terminal import print_to_stderr
from stages.io.workspace import git, store_root
from stages.params.api import ApiParams
from stages.sessions.spans import ALL
from stages.trading.trials import Entry, evaluated, judged_worth, looks, opened

FOLDER = "trials"


class TrialLog:
    """Entries in the local store, copied to the remote store when there is one."""

    def __init__(self, local: LocalStore, remote: ObjectStore | None) -> None:
        self.local = local
        self.remote = remote

    def add(self, entry: Entry) -> bool:
        """Write an entry to disk, then to the remote; False if it was already here."""
        content = _encode(entry)
        name = _name(content)
        if self.local.create(name, content):
            self._share(name, content)
            return True
        if self.local.read(name) != content:
            self.local.replace(name, content)  # damaged
        return False

    def add_all(self, entries: Iterable[Entry]) -> int:
        """Add every entry; returns how many were new."""
        return sum(self.add(entry) for entry in sorted(entries, key=repr))

    def entries(self) -> list[Entry]:
        """Every sound local entry, in the order of their names."""
        return [entry for name, content in self._here().items() if (entry := _decode(name, content))]

    def _here(self) -> dict[str, bytes]:
        return self.local.read_many(f"{FOLDER}/{name}" for name in self.local.names(FOLDER))

    def exchange(self) -> None:
        """Synchronise local store and remote: afterwards each holds all sound entries of both."""
        if self.remote is None:
            return
        here = {name: content for name, content in self._here().items() if _name(content) == name}
        try:
            there = {f"{FOLDER}/{name}" for name in self.remote.names(FOLDER)}
            fetched = self.remote.read_many(sorted(there - here.keys()))
        except (OSError, PipelineError) as error:
            self._lost(error)
            return
        for name, content in fetched.items():
            if _decode(name, content) and not self.local.create(name, content):
                self.local.replace(name, content)  # damaged here
        for name in sorted(here.keys() - there):
            self._share(name, here[name])

    def _share(self, name: str, content: bytes) -> None:
        if self.remote is None:
            return
        try:
            self.remote.create(name, content)
        except (OSError, PipelineError) as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        self.remote = None
        _warn(f"the trial log is not shared now ({error}); `make trials` shares it later")


def open_log(api: ApiParams) -> TrialLog:
    """The log of this workspace. It stays local when the remote cannot be used."""
    try:
        remote = shared_store(api) if api.share else None
    except PipelineError as error:
        _warn(f"the trial log is not shared now: {error}")
        remote = None
    return TrialLog(LocalStore(store_root()), remote)


def log_variants(results: pl.DataFrame) -> None:
    """Log that these combos (rows with `combo`, `sharpe`, `sessions`) were judged; call it before writing results."""
    open_log(read_params(ApiParams)).add(evaluated(read_document(), results.iter_rows(named=True)))


def log_opening(strategy_id: str, part: str = ALL) -> None:
    """Log that the holdout, or a month of it, is opened for this strategy; call it before reading."""
    open_log(read_params(ApiParams)).add(opened(read_document(), strategy_id, None if part == ALL else part))


def log_study(study_id: str, training: Mapping[str, Any]) -> None:
    """Log that this study was judged, `training` as in `worth.json`; call it before writing the verdict."""
    open_log(read_params(ApiParams)).add(judged_worth(read_document(), study_id, training))


def looks_at(study_id: str) -> int:
    """At how many different numbers of sessions this study was judged, by the local log."""
    return looks(TrialLog(LocalStore(store_root()), None).entries(), study_id)


OPENED = r"open_holdout:|^ +'?[0-9]{4}-[0-9]{2}'?:"  # the key, and one line a month below it


def openings_of(source: str) -> dict[str, str]:
    """Opening -> where it is recorded: a commit, or the trial log if it was never committed.

    A month that was opened as part of the whole holdout is not a separate opening.
    """
    committed = {name: f"commit {commit}" for name, commit in earlier_openings(source).items()}
    entries = TrialLog(LocalStore(store_root()), None).entries()
    found = {(one.opening, one.month or "") for one in entries if one.source == source and one.opening}
    logged = (_named(name, month) for name, month in sorted(found) if name not in committed)
    return committed | {name: "trial log" for name in logged if name not in committed}


def earlier_openings(source: str) -> dict[str, str]:
    """Opening -> the commit that first opened the holdout of `source` with it, oldest first."""
    openings: dict[str, str] = {}
    for (of, _), name, commit in committed_openings():
        if of == source:
            openings.setdefault(name, commit)
    return openings


def committed_openings() -> Iterator[tuple[tuple[str, str], str, str]]:
    """Source and study, opening and commit, of every commit that changed what is opened, oldest first."""
    # An opening that a merge discarded still counts.
    every = ("--all", "--full-history", "-m", "--reverse", "--topo-order")
    changed = git("log", *every, "--format=%H", f"-G{OPENED}", "--", str(PARAMS))
    for commit in dict.fromkeys(changed.split()):
        document = _params_at(commit)
        family = (document.get("source", {}).get("name", ""), document.get("report", {}).get("study", ""))
        for name in _opened_by(document.get("split", {}).get("open_holdout")):
            yield family, name, commit[:10]


def _opened_by(open_for: Any) -> Iterator[str]:
    """What a value of `split.open_holdout` opens: everything for one id, or single months for one id each."""
    months = open_for if isinstance(open_for, dict) else {None: open_for}
    yield from (_named(name, month) for month, name in months.items() if name)


def _named(name: str, month: str | None) -> str:
    return f"{name} for {month}" if month else name


def _params_at(commit: str) -> dict[str, Any]:
    if not git("ls-tree", commit, "--", str(PARAMS)):
        return {}
    return sections_in(git("show", f"{commit}:./{PARAMS}"))


def _encode(entry: Entry) -> bytes:
    facts = {name: value for name, value in asdict(entry).items() if value}
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _name(content: bytes) -> str:
    return f"{FOLDER}/{hashlib.sha256(content).hexdigest()}.json"


def _decode(name: str, content: bytes) -> Entry | None:
    if _name(content) != name:
        _warn(f"the entry {name} of the trial log is damaged: it does not count")
        return None
    facts: dict[str, Any] = json.loads(content)
    known: dict[str, Any] = {one.name: facts[one.name] for one in fields(Entry) if one.name in facts}
    for series in ("variants", "sharpes"):
        known[series] = tuple(known.get(series, ()))
    return Entry(**known)


def _warn(sentence: str) -> None:
    print_to_stderr(f"{sentence.removesuffix('.')}.")
