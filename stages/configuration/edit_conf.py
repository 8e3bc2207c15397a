"""Edits of conf/ by commands: values are written so that conf/ composes to exactly the wanted params, or not at all.

`conf/config.yaml` names one choice a group. An active preset overrides the groups, so its file gets all edits; without
one (`preset: none`) each value goes into the file of its group's choice. Comments are kept.

*Errors*: `ConfigurationError` for a file that cannot be read, a choice without a file, impossible params, and where
conf/ cannot express the wanted params (a preset, for instance, cannot remove a group's key).
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from yaml import YAMLError

from stages.configuration.compose import (
    CONF,
    KeyPath,
    choices,
    compose,
    describe,
    differences,
    following,
    write_params,
)
from stages.configuration.edit_text import Place, read, with_value
from stages.errors import ConfigurationError
from stages.io.files import write_text
from stages.io.settings import PARAMS
from stages.params.study import Study

CONFIG = CONF / "config.yaml"
NO_PRESET = "none"
OVERRIDE = "override /"
EDIT = "edit conf/ yourself, then run `make params`."
COMMIT = "git add conf params.yaml dvc.lock && git commit -m"  # what a command changed, new files of conf/ too


def active_choices() -> dict[str, str]:
    """Group -> choice with which conf/ composes, also through a preset that builds on another one."""
    _config_choices()
    return choices()


def choices_of(group: str) -> list[str]:
    """The choices that a group offers."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def other_preset_of(experiment: Mapping[str, Any]) -> str | None:
    """The preset of an experiment of another study than the active one: the nearest preset that states its study.

    Presets that do not compose are left out.
    """
    study = experiment["report"]["study"]
    if study == compose()["report"]["study"]:
        return None
    distances: dict[str, int] = {}
    for name in choices_of("preset"):
        with suppress(ConfigurationError):
            composed = compose(overrides=[f"preset={name}"])
            if isinstance(composed["report"], dict) and composed["report"].get("study") == study:
                distances[name] = _distance(experiment, composed)
    return min(distances, key=lambda name: distances[name], default=None)


def choose(group: str, choice: str) -> Path:
    """Make `choice` the choice of its group. Returns the file that was written."""
    if choice not in choices_of(group):
        raise ConfigurationError(f"there is no {group} {choice!r}: conf/{group}/ offers {choices_of(group)}.")
    preset = _config_choices()["preset"]
    path, key = (
        (CONFIG, group) if preset == NO_PRESET or group == "preset" else (_file("preset", preset), OVERRIDE + group)
    )
    entries = _defaults(path)
    named = [number for number, entry in enumerate(entries) if isinstance(entry, Mapping) and key in entry]
    _edit(path, [(("defaults", number, key), choice) for number in named or [len(entries)]])
    return path


def _put(values: Mapping[KeyPath, Any]) -> list[Path]:
    """Write values where the active choices state them. Returns the changed files, sorted."""
    chosen = active_choices() if values else {}
    by_file: dict[Path, dict[KeyPath, Any]] = {}
    for (section, *rest), value in values.items():
        preset = chosen["preset"]
        path = _file(section, chosen[section]) if preset == NO_PRESET else _file("preset", preset)
        inner = tuple(rest) if preset == NO_PRESET else (section, *rest)
        by_file.setdefault(path, {})[inner] = value
    for path, inside in by_file.items():
        _edit(path, inside.items())
    return sorted(by_file)


def write_choice(group: str, choice: str, values: Mapping[str, Any]) -> Path:
    """Write values into the file of a choice that is not active."""
    path = _file(group, choice)
    with all_or_nothing():
        _edit(path, [((name,), value) for name, value in values.items()])
        composed = compose(overrides=[f"{group}={choice}"])[group]
        if left := differences({group: composed | values}, {group: composed}):
            raise ConfigurationError(f"{path} cannot express {describe(left)}, as the preset states it: {EDIT}")
    return path


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Undo all edits of conf/ and params.yaml when the block fails."""
    before = {path: path.read_bytes() for path in (*CONF.rglob("*.yaml"), PARAMS) if path.exists()}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
        raise


def _file(group: str, choice: str) -> Path:
    return CONF / group / f"{choice}.yaml"


def _config_choices() -> dict[str, str]:
    entries = [entry for entry in _defaults(CONFIG) if isinstance(entry, Mapping)]
    chosen = {group: choice for entry in entries for group, choice in entry.items()}
    if "preset" not in chosen:
        raise ConfigurationError(f"{CONFIG} names no preset: write `- preset: {NO_PRESET}` into its list of defaults.")
    return chosen


def _defaults(path: Path) -> list[Any]:
    defaults = _read(path).get("defaults")
    return defaults if isinstance(defaults, list) else []


def _edit(path: Path, values: Iterable[tuple[Place, Any]]) -> None:
    """Write values into a file; a key whose value is `ABSENT` is removed."""
    with _readable(path):
        text = path.read_bytes().decode("utf-8")
        for place, value in values:
            text = with_value(text, place, value)
    write_text(text, path.resolve() if path.is_symlink() else path)  # a link stays a link


def _read(path: Path) -> dict[str, Any]:
    with _readable(path):
        return read(path.read_text(encoding="utf-8"))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RecursionError, YAMLError) as error:  # for instance with the marks of a merge conflict
        raise ConfigurationError(f"{path} cannot be read ({' '.join(str(error).split())}): correct it.") from None


def state(values: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Set keys, like `{"rules": {"k_sigma": 0.75}}`, in conf/ and params.yaml; returns the changed files."""
    document = compose()
    wanted = document | {name: document[name] | dict(keys) for name, keys in values.items()}
    Study.parse(wanted)
    return _make(wanted, {})


def adopt_params(experiment: dict[str, Any], preset: str | None) -> list[Path]:
    """Make conf/ compose to the params of an experiment: by other choices where they match, else value by value.

    `preset` is that of an experiment of another study.
    """
    Study.parse(experiment)
    return _make(experiment, _choices_behind(experiment, preset))


def _make(wanted: dict[str, Any], chosen: Mapping[str, str]) -> list[Path]:
    with all_or_nothing():
        changed = [choose(group, choice) for group, choice in chosen.items()]
        changed += _put(_unstated(wanted, compose(), but=following()))  # a key that follows another goes on doing so
        document = compose()
        if left := _unstated(wanted, document):
            changed += _put(left)
            document = compose()
        if others := differences(wanted, document):
            raise ConfigurationError(f"conf/ cannot express {describe(others)}: {EDIT}")
        write_params(document)
    return sorted(set(changed))


def _unstated(wanted: dict[str, Any], document: dict[str, Any], but: Set[KeyPath] = frozenset()) -> dict[KeyPath, Any]:
    """The wanted values that conf/ does not compose to."""
    found = differences(wanted, document)
    follows = {path for path in found if any(path[:depth] in but for depth in range(len(path) + 1))}
    return {path: value for path, (value, _) in found.items() if path not in follows}


def _choices_behind(experiment: dict[str, Any], preset: str | None) -> dict[str, str]:
    """Group -> choice that the experiment must have used: the preset by its study's name, a group by its values."""
    found = {"preset": preset} if preset else {}
    made = [f"preset={name}" for name in found.values()]
    active = compose(overrides=made)
    for group in sorted({section for section, *_ in differences(experiment, active)}):
        offered = choices_of(group)
        if len(offered) == 1:  # it stands
            continue
        distances = {
            choice: _distance(experiment[group], compose(overrides=[*made, f"{group}={choice}"])[group])
            for choice in offered
        }
        nearest = min(distances, key=lambda choice: distances[choice])
        if distances[nearest] < _distance(experiment[group], active[group]):
            found[group] = nearest
    return found


def _distance(left: Mapping[str, Any], right: Mapping[str, Any]) -> int:
    """How many values differ; where one side is a mapping and the other is not, all of its values count."""
    return sum(max(map(_values_in, both)) for both in differences(left, right).values())


def _values_in(value: Any) -> int:
    return sum(map(_values_in, value.values())) if isinstance(value, Mapping) and value else 1
