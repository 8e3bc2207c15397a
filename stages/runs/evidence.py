"""Whether what lies in artifacts/ is the evidence for what params.yaml states.

Which stages have not run with what lies here now.

*Errors*: `ConfigurationError` (exit 5) when `dvc status` fails.

Whether what lies in artifacts/ is the evidence for what params.yaml states; every command that reads it asks first.

dvc.lock records with which params, files of conf/ and inputs each stage ran, and the md5 of all it wrote. Params are
compared and files are hashed here: DVC takes a file for unchanged by its time, and its cache for sound by its name.
Checked are the stages that a command reads, and all before them.
*Errors*: `ConfigurationError` (exit 5) naming what differs. Other code is told in one line: figures may be the same.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import ConfigurationError
from stages.io.run_record import content_hash
from stages.io.settings import PARAMS
from stages.io.workspace import cached


def unfinished_stages() -> list[str]:
    """Stages whose code, params, inputs or outputs differ from dvc.lock, in the order of dvc.yaml; none after a run."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigurationError(f"`dvc status` fails: {done.stderr.strip().removeprefix('ERROR: ')}")
    return list(json.loads(done.stdout))


LOCK = Path("dvc.lock")
ARTIFACTS, CONF = "artifacts/", "conf/"
NAMED = 4


@dataclass(frozen=True)
class Run:
    """One dvc.lock and the params.yaml beside it."""

    params: Mapping[str, Any]
    stages: Mapping[str, Any]

    def up_to(self, names: Iterable[str]) -> list[str]:
        """These stages and all whose files they were made from, the first first."""
        makers = {one["path"]: stage for stage in self.stages for one in self.listed(stage, "outs")}
        found: dict[str, None] = {}

        def add(stage: str) -> None:
            paths = [Path(one["path"]) for one in self.listed(stage, "deps")]
            before = {makers.get(part.as_posix()) for path in paths for part in (path, *path.parents)} - {None, *found}
            for maker in sorted(filter(None, before)):
                add(maker)
            found[stage] = None

        for name in names:
            add(name)
        return list(found)

    def listed(self, stage: str, kind: str) -> list[dict[str, Any]]:
        """What a stage read (`deps`) or wrote (`outs`): path and md5 of each."""
        return list(self.stages.get(stage, {}).get(kind, []))

    def other_params(self, stages: Iterable[str]) -> dict[str, tuple[Any, Any]]:
        """Keys, or whole sections, with which these stages ran otherwise: the value in params.yaml, and theirs."""
        recorded = {
            key: value
            for stage in stages
            for key, value in self.stages.get(stage, {}).get("params", {}).get(str(PARAMS), {}).items()
        }
        stated = {key: _at(self.params, key) for key in recorded}
        return {key: (stated[key], value) for key, value in recorded.items() if stated[key] != value}


@dataclass
class Findings:
    """What is not as the lock says; `stale` are inputs other than those a stage read, `changed` outs with their md5."""

    never_ran: list[str] = field(default_factory=list)
    params: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    code: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """What keeps artifacts/ from being evidence for params.yaml, in words; empty where it is."""
        words = {
            "dvc.lock records no run of {}": _named(self.never_ran),
            "artifacts/ is of other params than params.yaml: {}": _told(self.params) if self.params else "",
            "artifacts/ was made from another {}": _named(self.stale),
            "{} is missing": _named(self.absent),
            "changed after the run that dvc.lock records: {}": _named(list(self.changed)),
        }
        return "; ".join(sentence.format(names) for sentence, names in words.items() if names)

    @property
    def told_of_code(self) -> str:
        """Files of code that are not those that made artifacts/, in words; empty where there are none."""
        return f"artifacts/ was made by other code than lies here: {_named(self.code)}" if self.code else ""

    @property
    def remedy(self) -> str:
        """What to do. DVC would take a changed file from its cache again, where the copy there changed too."""
        damaged = [f"{copy} {path}" for path, md5 in self.changed.items() for copy in _damaged_copies(md5)]
        return f"DVC's copy changed too, so `rm -rf {' '.join(damaged)}`, then `make run`" if damaged else "`make run`"


def read_run(root: Path = Path(), params: Mapping[str, Any] | None = None) -> Run:
    """The run that dvc.lock below `root` records, beside its params.yaml or these params.

    *Errors*: `ConfigurationError` when one of the files is missing, or the lock is torn.
    """
    try:
        beside = (root / PARAMS).read_text(encoding="utf-8") if params is None else ""
        run = parse_run(beside, (root / LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{Path(error.filename).name} is missing, so nothing ran here: `make run`.") from None
    if not run.stages:
        raise ConfigurationError(
            "dvc.lock is empty or torn, as a killed run can leave it: `git checkout dvc.lock`, then `make run`."
        )
    return run if params is None else Run(params, run.stages)


def parse_run(params: str, lock: str) -> Run:
    """The run of these two texts, without stages if the lock is torn; in DVC's YAML 1.2 a time needs no quotes."""
    try:
        stages = YAML(typ="safe").load(lock)["stages"]
    except (YAMLError, TypeError, KeyError):
        stages = {}
    return Run(yaml.safe_load(params) or {}, stages)


def findings(run: Run, stages: Iterable[str], root: Path = Path(), fetched: Iterable[Path] | None = None) -> Findings:
    """What differs below `root` for these stages and all before them; of outs only `fetched` ones, where so few lie."""
    found, names = Findings(), run.up_to(stages)
    found.never_ran = [name for name in names if name not in run.stages]
    found.params = run.other_params(names)
    read = {(one["path"], one["md5"]) for name in names for one in run.listed(name, "deps")}
    made = {one["path"]: one["md5"] for name in names for one in run.listed(name, "outs")}
    listed = dict(read) | made
    for path in made if fetched is None else filter(listed.__contains__, map(Path.as_posix, fetched)):
        if not (root / path).exists():
            found.absent.append(path)
        elif _differs(root / path, listed[path]):
            found.changed[path] = listed[path]
    told = {*found.absent, *found.changed}
    for path, md5 in sorted(read):
        if made.get(path) == md5 or told & {path, *map(Path.as_posix, Path(path).parents)}:
            continue  # what its reader took is what its maker wrote, or the file itself is told
        if path in made or (fetched is None and _differs(root / path, md5)):
            (found.stale if path.startswith((ARTIFACTS, CONF)) else found.code).append(path)
    return found


def require_evidence(*stages: str, params: Mapping[str, Any] | None = None) -> None:
    """What these stages left here belongs to params.yaml (or to these params); other code is told on stderr."""
    found = findings(read_run(params=params), stages)
    if found.told:
        raise ConfigurationError(f"{found.told}: {found.remedy}.")
    if found.code:
        print(f"{found.told_of_code}. `make run` makes it anew.", file=sys.stderr, flush=True)


def require_fetched(name: str, files: Iterable[Path], root: Path) -> None:
    """The same of the run `name`, of which only these files, its lock and its params were fetched, below `root`."""
    run = read_run(root)
    found = findings(run, set(run.stages) - {"report"}, root, files)
    if found.told:
        damaged = " ".join(str(copy) for md5 in found.changed.values() for copy in _damaged_copies(md5))
        remedy = f"`rm -f {damaged}`, then `dvc fetch` or run it again" if damaged else "run it again"
        raise ConfigurationError(f"run {name!r}: {found.told}: {remedy}.")


def _differs(path: Path, md5: str) -> bool:
    return not path.exists() or content_hash(path) != md5


def _damaged_copies(md5: str) -> Iterator[Path]:
    """Objects of DVC's cache behind an out that do not hold what their names say."""
    copy = cached(md5)
    if not copy.exists():
        return
    if content_hash(copy) != md5.removesuffix(".dir"):
        yield copy
    elif md5.endswith(".dir"):
        for one in json.loads(copy.read_bytes()):
            yield from _damaged_copies(one["md5"])


def _named(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _told(params: Mapping[str, tuple[Any, Any]]) -> str:
    from stages.configuration.compose import differences, told  # 0.3 s, and only after a change

    found: dict[tuple[str, ...], tuple[Any, Any]] = {}
    for key, (stated, recorded) in params.items():
        path, both = tuple(key.split(".")), isinstance(stated, dict) and isinstance(recorded, dict)
        found |= differences(stated, recorded, path) if both else {path: (stated, recorded)}
    return told(found, "artifacts")


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
