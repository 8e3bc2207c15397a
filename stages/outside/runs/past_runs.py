"""Runs whose tables still exist: the present one, and those that git's history and every experiment recorded.

A stage that DVC restores from its run-cache does not run, so it logs nothing. What it restored names its variants,
though: dvc.lock says where each table lies in DVC's cache, and params.yaml beside it says what was judged.
*Errors*: none for tables that are gone: they are counted as missing.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from stages.backtesting.trials import Entry, evaluated, opened
from stages.outside.git import git
from stages.outside.settings import PARAMS
from stages.outside.workspace import store_root

LOCK = Path("dvc.lock")
COMBOS = {"sweep": "artifacts/sweep/ranking.csv", "backtest": "artifacts/backtest/bt_summary.csv"}
VERDICT = "artifacts/evaluate/oos.json"
AFTER_THE_VARIANTS = {"evaluate", "report"}


@dataclass(frozen=True)
class Run:
    """One dvc.lock and the params.yaml beside it."""

    params: Mapping[str, Any]
    stages: Mapping[str, Any]

    @property
    def fits(self) -> bool:
        """Whether params.yaml is the one that the recorded stages ran with."""
        return all(
            _at(self.params, key) == value
            for name, stage in self.stages.items()
            if name not in AFTER_THE_VARIANTS
            for key, value in stage.get("params", {}).get(str(PARAMS), {}).items()
        )


@dataclass
class Found:
    """What runs still tell: their entries, how many tables are gone, how many runs do not fit their params.yaml."""

    entries: set[Entry]
    runs: int = 0
    missing: int = 0
    unfit: int = 0


def present_run() -> list[Run]:
    """The run that dvc.lock of this workspace records, if there is one."""
    if not (LOCK.exists() and PARAMS.exists()):
        return []
    return [_run(PARAMS.read_text(encoding="utf-8"), LOCK.read_text(encoding="utf-8"))]


def recorded_runs() -> Iterator[Run]:
    """Every different run that a commit of any branch, tag or experiment records, oldest first."""
    seen = set()
    for commit in reversed(git("rev-list", "--all", "--full-history", "--", str(LOCK)).split()):
        listed = git("ls-tree", commit, "--", str(PARAMS), str(LOCK)).splitlines()
        blobs = tuple(line.split()[2] for line in sorted(listed, key=lambda line: line.split("\t")[1], reverse=True))
        if len(blobs) == 2 and blobs not in seen:
            seen.add(blobs)
            yield _run(*(git("cat-file", "blob", blob) for blob in blobs))


def entries_of(runs: Iterable[Run]) -> Found:
    """What these runs evaluated and opened, as far as their tables are within reach."""
    found = Found(set())
    for run in runs:
        found.runs += 1
        if not run.fits:
            found.unfit += 1
            continue
        for stage, path in COMBOS.items():
            content = _content(run, stage, path, found)
            if content is not None:
                rows = csv.DictReader(io.StringIO(content.decode("utf-8")))
                found.entries.add(evaluated(run.params, (row["combo"] for row in rows)))
        verdict = _content(run, "evaluate", VERDICT, found)
        document = json.loads(verdict) if verdict is not None else {"status": "SEALED"}
        whole = [None] if document["status"] == "OPEN" else []
        for month in document.get("months") or whole:
            found.entries.add(opened(run.params, document["strategy_id"], month))
    return found


def _content(run: Run, stage: str, path: str, found: Found) -> bytes | None:
    """A recorded file from DVC's cache; None, and counted, when it is gone; None where the stage never ran."""
    outs = run.stages.get(stage, {}).get("outs", [])
    digest = next((str(out["md5"]) for out in outs if out["path"] == path), None)
    if digest is None:
        return None
    try:
        return (store_root().parent / "files/md5" / digest[:2] / digest[2:]).read_bytes()
    except FileNotFoundError:
        found.missing += 1
        return None


def _run(params: str, lock: str) -> Run:
    recorded = YAML(typ="safe", pure=True).load(lock) or {}  # DVC writes YAML 1.2, where 10:30 needs no quotes
    return Run(yaml.safe_load(params) or {}, recorded.get("stages", {}))


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
