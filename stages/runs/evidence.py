"""Whether artifacts/ is the evidence for params.yaml. Every command that reads artifacts/ asks this first.

dvc.lock records the params, files of conf/ and inputs with which each stage ran, and the md5 of its outputs. Params are
compared and files are hashed here, because DVC trusts a file's time and the names in its cache. The check covers the
stages that a command reads, and all stages before them.

*Errors*: `ConfigurationError` (exit 5) naming what differs, or when `dvc status` fails. Changed code only gives a
warning line: the figures may be the same.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stages.errors import ConfigurationError, shorten
from stages.io.content import LOCK, content_hash
from stages.io.dvc_command import run_dvc
from stages.io.settings import PARAMS, parse_dvc_yaml, parse_yaml
from stages.io.terminal import print_to_stderr
from stages.io.workspace import cached


def unfinished_stages() -> list[str]:
    """Stages whose code, params, inputs or outputs differ from dvc.lock, in order of dvc.yaml; none after a run."""
    done = run_dvc("status", "--json", captured=True)
    if done.returncode:
        raise ConfigurationError(f"`dvc status` fails: {done.stderr.strip().removeprefix('ERROR: ')}")
    return list(json.loads(done.stdout))


STUDY = "artifacts/list_source/study.json"  # all params, validated
USED = {"list_source": {"source", "universe"}}  # the sections that its other output depends on
ARTIFACTS, CONF = "artifacts/", "conf/"
NAMED = 4


@dataclass(frozen=True)
class Run:
    """One dvc.lock and the params.yaml that belongs to it."""

    params: Mapping[str, Any]
    stages: Mapping[str, Any]

    def up_to(self, names: Iterable[str]) -> list[str]:
        """These stages and all stages before them, in order."""
        makers = {one["path"]: stage for stage in self.stages for one in self.listed(stage, "outs")}
        in_order: dict[str, None] = {}
        begun: set[str] = set()  # in a truncated lock, stages may seem to depend on each other

        def add(stage: str) -> None:
            if stage in begun:
                return
            begun.add(stage)
            paths = [Path(one["path"]) for one in self.listed(stage, "deps")]
            before = {makers.get(part.as_posix()) for path in paths for part in (path, *path.parents)} - {None}
            for maker in sorted(filter(None, before)):
                add(maker)
            in_order[stage] = None

        for name in names:
            add(name)
        return list(in_order)

    def listed(self, stage: str, kind: str) -> list[dict[str, Any]]:
        """Path and md5 of everything that a stage read (`deps`) or wrote (`outs`)."""
        return list(self.stages.get(stage, {}).get(kind, []))

    def other_params(self, stages: Collection[str]) -> dict[str, tuple[Any, Any]]:
        """Keys, or whole sections, that differ from the run of these stages: value in params.yaml, and in the run.

        Params that only `study.json` depends on count only if one of the stages read it.
        """
        whole = any(one["path"] == STUDY for stage in stages for one in self.listed(stage, "deps"))
        recorded = {
            key: value
            for stage in stages
            for key, value in self.stages.get(stage, {}).get("params", {}).get(str(PARAMS), {}).items()
            if whole or key.partition(".")[0] in USED.get(stage, {key.partition(".")[0]})
        }
        stated = {key: _at(self.params, key) for key in recorded}
        return {key: (stated[key], value) for key, value in recorded.items() if stated[key] != value}


@dataclass
class Findings:
    """Differences from the lock.

    `stale`: inputs that changed since a stage read them; `changed`: outs that changed, with the recorded md5.
    """

    never_ran: list[str] = field(default_factory=list)
    params: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    code: list[str] = field(default_factory=list)

    @property
    def complaint(self) -> str:
        """Why artifacts/ is not evidence for params.yaml, as text; empty if it is."""
        words = {
            "dvc.lock records no run of {}": shorten(self.never_ran, NAMED),
            "artifacts/ was made with other params than params.yaml: {}": _named_params(self.params)
            if self.params
            else "",
            "artifacts/ was made from another {}": shorten(self.stale, NAMED),
            f"{{}} {'is' if len(self.absent) == 1 else 'are'} missing": shorten(self.absent, NAMED),
            "changed after the run that dvc.lock records: {}": shorten(list(self.changed), NAMED),
        }
        return "; ".join(sentence.format(names) for sentence, names in words.items() if names)

    @property
    def other_code(self) -> str:
        """Code files that differ from those that made artifacts/, as text; empty if none do."""
        return f"artifacts/ was made by other code than the code here: {shorten(self.code, NAMED)}" if self.code else ""

    @property
    def remedy(self) -> str:
        """What to do. A damaged copy in DVC's cache must be deleted, or DVC would restore the damage from it."""
        damaged = [f"{copy} {path}" for path, md5 in self.changed.items() for copy in _damaged_copies(md5)]
        return f"DVC's copy changed too: `rm -rf {' '.join(damaged)}`, then `make run`" if damaged else "`make run`"


def read_run(root: Path = Path(), params: Mapping[str, Any] | None = None) -> Run:
    """The run that dvc.lock below `root` records, with its params.yaml or these params.

    *Errors*: `ConfigurationError` when a file is missing or the lock is damaged.
    """
    try:
        stated = (root / PARAMS).read_text(encoding="utf-8") if params is None else ""
        run = parse_run(stated, (root / LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{Path(error.filename).name} is missing, so nothing ran here: run `make run`."
        ) from None
    except (UnicodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"params.yaml or dvc.lock is not readable ({reason}): `make params`, or `git checkout HEAD -- dvc.lock`."
        ) from None
    if not run.stages:
        raise ConfigurationError(
            "dvc.lock is empty, incomplete or in the middle of a merge: `git checkout HEAD -- dvc.lock`, then `make "
            "run`."
        )
    return run if params is None else Run(params, run.stages)


def parse_run(params: str, lock: str) -> Run:
    """The run in these two texts; it has no stages if the lock is damaged."""
    try:
        stages = parse_dvc_yaml(lock)["stages"]
        for stage in stages.values():
            stage.get("params", {}).get(str(PARAMS), {}).items()
            {one["path"] + one["md5"] for one in (*stage.get("deps", ()), *stage.get("outs", ()))}
    except (yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError):  # a truncated lock
        stages = {}
    return Run(parse_yaml(params) or {}, stages)


def findings(run: Run, stages: Iterable[str], root: Path = Path(), fetched: Iterable[Path] | None = None) -> Findings:
    """Differences below `root` for these stages and all before them; if `fetched` is given, of these outs only."""
    differences, names = Findings(), run.up_to(stages)
    differences.never_ran = [name for name in names if name not in run.stages]
    differences.params = run.other_params(names)
    read = {(one["path"], one["md5"]) for name in names for one in run.listed(name, "deps")}
    made = {one["path"]: one["md5"] for name in names for one in run.listed(name, "outs")}
    listed = dict(read) | made
    for path in made if fetched is None else filter(listed.__contains__, map(Path.as_posix, fetched)):
        if not (root / path).exists():
            differences.absent.append(path)
        elif _differs(root / path, listed[path]):
            differences.changed[path] = listed[path]
    reported = {*differences.absent, *differences.changed}
    for path, md5 in sorted(read):
        if made.get(path) == md5 or reported & {path, *map(Path.as_posix, Path(path).parents)}:
            continue  # its output is checked where it was written
        differing = differences.stale if path.startswith((ARTIFACTS, CONF)) else differences.code
        if path not in differing and (path in made or (fetched is None and _differs(root / path, md5))):
            differing.append(path)
    return differences


def require_evidence(*stages: str, params: Mapping[str, Any] | None = None) -> None:
    """Check that the outputs of these stages belong to params.yaml (or these params). Other code gives a warning."""
    differences = findings(read_run(params=params), stages)
    if differences.complaint:
        raise ConfigurationError(f"{differences.complaint}: {differences.remedy}.")
    if differences.code:
        print_to_stderr(f"{differences.other_code}. `make run` makes it again.")


def require_fetched(name: str, files: Iterable[Path], root: Path) -> None:
    """Check the run `name`, of which only these files, its lock and its params were fetched below `root`."""
    run = read_run(root)
    differences = findings(run, set(run.stages) - {"report"}, root, files)
    if differences.complaint:
        damaged = " ".join(str(copy) for md5 in differences.changed.values() for copy in _damaged_copies(md5))
        remedy = f"`rm -f {damaged}`, then `dvc fetch` or run it again" if damaged else "run it again"
        raise ConfigurationError(f"run {name!r}: {differences.complaint}: {remedy}.")


def _differs(path: Path, md5: str) -> bool:
    return not path.exists() or content_hash(path) != md5


def _damaged_copies(md5: str) -> Iterator[Path]:
    """Objects of an out in DVC's cache whose content does not match their names."""
    copy = cached(md5)
    if not copy.exists():
        return
    if content_hash(copy) != md5.removesuffix(".dir"):
        yield copy
    elif md5.endswith(".dir"):
        for one in json.loads(copy.read_bytes()):
            yield from _damaged_copies(one["md5"])


def _named_params(params: Mapping[str, tuple[Any, Any]]) -> str:
    from stages.configuration.compose import describe, differences  # 0.3 s, and only after a change

    found: dict[tuple[str, ...], tuple[Any, Any]] = {}
    for key, (stated, recorded) in params.items():
        path, both = tuple(key.split(".")), isinstance(stated, dict) and isinstance(recorded, dict)
        found |= differences(stated, recorded, path) if both else {path: (stated, recorded)}
    return describe(found, "artifacts")


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
