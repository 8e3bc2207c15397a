"""`make doctor`: whether everything that a run needs is here, one line a check; exit 5 if one fails.

Nothing is written, bought or sent to the forecast service; the API key is never shown.
"""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from stages.configuration.compose import applied_experiment, compose, describe, next_params, present
from stages.errors import ConfigurationError, PipelineError, count
from stages.io.bucket_store import BucketStore, open_remote
from stages.io.content import LOCK
from stages.io.dvc_state import require_own_site_cache, require_whole_rwlock
from stages.io.object_store import LocalStore
from stages.io.workspace import default_remote, git, main_root, store_root
from stages.paid.client import read_key
from stages.paid.opening import ledger_anywhere, store_anywhere
from stages.params.api import KEY_NAME
from stages.params.study import Study
from stages.runs.evidence import findings, read_run

OLDEST_PYTHON = (3, 11)
ROOM_BYTES = 1_000_000_000
ARTIFACTS = Path("artifacts")


def doctor() -> None:
    """Every check in turn; a failing one never hides the next."""
    failed = []
    for name, check in CHECKS.items():
        try:
            verdict, words = "ok", check()
        except (PipelineError, OSError) as error:
            verdict, words = "FAIL", " ".join(str(error).split())
            failed.append(name)
        print(f"{verdict:<5}{name:<12}{words}", flush=True)
    if failed:
        raise ConfigurationError(f"{len(failed)} of {len(CHECKS)} checks fail: {', '.join(failed)}; see their lines.")


def python() -> str:
    """The interpreter is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise ConfigurationError(f"{found}, and 3.11 or newer is needed: remove .venv, `make PYTHON=python3.12 run`.")
    return found


def dvc() -> str:
    """DVC is the pinned version, and this is a git repository."""
    root, installed = main_root(), version("dvc")
    pins = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = next(line for line in pins if line.startswith("dvc==")).removeprefix("dvc==").split()[0]
    if installed != pinned:
        raise ConfigurationError(f"{installed}, and requirements.txt pins {pinned}: `rm .venv/runtime`, then make.")
    return f"{installed}, commit {git('rev-parse', '--short', 'HEAD').strip()}"


def composition() -> str:
    """conf/ composes to a possible run, and params.yaml is there."""
    Study.parse(compose())
    name = _study().report.study
    if found := applied_experiment():
        return f"study {name}; params.yaml holds an applied experiment: {describe(found)}"
    return f"study {name}"


def remote() -> str:
    """DVC's default remote answers within seconds; where this study shares what it buys, it may be written to."""
    named = default_remote()
    if named is None:
        return "none set: data, runs and answers stay on this machine (`dvc remote add -d`)"
    objects = open_remote(named)
    try:
        if isinstance(objects, BucketStore):
            objects.require_writable()
        elif isinstance(objects, LocalStore):
            _require_writable(_present_part(objects.root))
    except ConfigurationError as error:
        read_only = f"{named.name} at {named.url} may be read but not written to"
        study = _study()
        if _buys(study) and study.api.share:
            raise ConfigurationError(
                f"{read_only}, so it takes no answer and no `dvc push` from here: {error}"
            ) from None
        return f"{read_only}, which is enough for this study; no `dvc push` from here"
    return f"{named.name} at {named.url} answers"


def key() -> str:
    """An API key is set, if this study buys."""
    is_set = bool(os.environ.get(KEY_NAME, "").strip())
    study = _study()
    if not _buys(study):
        needed = "not needed: this study buys nothing"
        return f"{KEY_NAME} is set, {needed}" if is_set else f"{KEY_NAME} is not set, {needed}"
    if not is_set:
        raise ConfigurationError(f"{KEY_NAME} is not set and api.mode is online: export it, or set api: offline.")
    read_key()
    return f"{KEY_NAME} is set"


def store() -> str:
    """The store belongs to this repository, and every answer in it is sound."""
    answers = store_anywhere(_study().api.model_copy(update={"share": False}))
    if damaged := list(answers.damaged()):
        raise ConfigurationError(f"{len(damaged)} of {answers.size()} answers are damaged: `make verify` names them.")
    waiting = [str(path) for path, _ in answers.rescue.waiting()]
    rescued = f"; rescued ones wait in {', '.join(waiting)}: `make verify` moves them into the store" if waiting else ""
    return f"{count(answers.size(), 'answer')}, none damaged{rescued}"


def ledger() -> str:
    """The ledger can be read and says what is left."""
    api = _study().api
    book = ledger_anywhere(api)
    return f"{book.left_today()} of {book.per_day()} requests left today (UTC), scope {api.scope}"


def disk() -> str:
    """The disks of the workspace and of the store have room and may be written."""
    stores = {"workspace": main_root(), "store": _present_part(store_root())}
    written = [*stores.values(), *(folder for folder in store_root().glob("*") if folder.is_dir())]
    for folder in written:
        _require_writable(folder)
    free = {name: shutil.disk_usage(folder).free for name, folder in stores.items()}
    words = ", ".join(f"{name} {left / 1e9:.1f} GB free" for name, left in free.items())
    if min(free.values()) < ROOM_BYTES:
        raise ConfigurationError(
            f"{words}; a run needs {ROOM_BYTES / 1e9:g} GB: make room, or move DVC's cache as RUNBOOK says."
        )
    return words


def state() -> str:
    """Only this user may write DVC's state, and its lock is whole."""
    require_whole_rwlock()
    return f"{require_own_site_cache()}, closed to other users"


def evidence() -> str:
    """Files in artifacts/ are those of dvc.lock; the line also says if they are of other params or code."""
    run = read_run() if LOCK.exists() else None
    if run is None or not ARTIFACTS.exists():
        return "nothing ran here yet: `make run`"
    found = findings(run, run.stages)
    if found.changed:
        raise ConfigurationError(f"{found.complaint}: {found.remedy}.")
    if complaint := found.complaint or found.other_code:
        return f"{complaint}: `make run` before any figure is read"
    return f"{sum(len(run.listed(stage, 'outs')) for stage in run.stages)} outputs as dvc.lock lists them"


CHECKS: dict[str, Callable[[], str]] = {
    "python": python,
    "dvc": dvc,
    "composition": composition,
    "remote": remote,
    "key": key,
    "store": store,
    "ledger": ledger,
    "disk": disk,
    "state": state,
    "evidence": evidence,
}


def _study() -> Study:
    if present() is None:
        raise ConfigurationError("params.yaml is missing: `make params` composes it from conf/.")
    return Study.parse(next_params())


def _buys(study: Study) -> bool:
    return study.forecaster.is_paid and study.api.mode == "online"


def _present_part(folder: Path) -> Path:
    """The nearest folder that exists already."""
    return next(part for part in (folder, *folder.parents) if part.is_dir())


def _require_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"the folder {folder} may not be written: correct its permissions.")
