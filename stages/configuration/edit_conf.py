"""Edits of conf/ by commands: values are written so that conf/ composes to exactly the wanted params, or not at all.

`conf/config.yaml` names one choice a group. An active preset overrides the groups, so its file gets all edits; without
one (`preset: none`) each value goes into the file of its group's choice. Comments are kept.

*Errors*: `ConfigurationError` for a file that cannot be read, a choice without a file, impossible params, and where
conf/ cannot express the wanted params (a preset, for instance, cannot remove a group's key).
"""

import io
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from stages.configuration.compose import (
    ABSENT,
    CONF,
    KeyPath,
    compose,
    describe,
    differences,
    following,
    to_yaml,
    write_params,
)
from stages.errors import ConfigurationError
from stages.io.files import write_text
from stages.params.study import Study

CONFIG = CONF / "config.yaml"
NO_PRESET = "none"
OVERRIDE = "override /"


def standing_choices() -> dict[str, str]:
    """Group -> choice, as conf/config.yaml and the active preset state them."""
    choices = _config_choices()
    return choices | _choices(_read(_file("preset", choices["preset"])))


def choices_of(group: str) -> list[str]:
    """The choices that a group offers."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def other_preset_of(experiment: Mapping[str, Any]) -> str | None:
    """The preset that gives a run the `report.study` of an experiment, where that is not the standing study."""
    study = experiment["report"]["study"]
    if study == compose()["report"]["study"]:
        return None
    reports = {name: _read(_file("preset", name)).get("report") for name in choices_of("preset")}
    named = {report.get("study"): name for name, report in reports.items() if isinstance(report, Mapping)}
    named[compose(overrides=[f"preset={NO_PRESET}"])["report"]["study"]] = NO_PRESET
    return named.get(study)


def choose(group: str, choice: str) -> Path:
    """Make `choice` the choice of its group. Returns the file that was written."""
    if choice not in choices_of(group):
        raise ConfigurationError(f"there is no {group} {choice!r}: conf/{group}/ offers {choices_of(group)}.")
    preset = _config_choices()["preset"]
    path, key = (
        (CONFIG, group) if preset == NO_PRESET or group == "preset" else (_file("preset", preset), OVERRIDE + group)
    )
    document = _read(path)
    if "defaults" not in document:
        document.insert(0, "defaults", [])
    entries = [entry for entry in document["defaults"] if isinstance(entry, dict) and key in entry]
    if not entries:
        document["defaults"].append({key: _quoted(choice)})
    for entry in entries:
        entry[key] = _quoted(choice)
    _write(document, path)
    return path


def put(values: Mapping[KeyPath, Any]) -> list[Path]:
    """Write values where the active choices state them. Returns the changed files, sorted."""
    choices = standing_choices()
    by_file: dict[Path, dict[KeyPath, Any]] = {}
    for (section, *rest), value in values.items():
        preset = choices["preset"]
        path = _file(section, choices[section]) if preset == NO_PRESET else _file("preset", preset)
        inner = tuple(rest) if preset == NO_PRESET else (section, *rest)
        by_file.setdefault(path, {})[inner] = value
    for path, inside in by_file.items():
        _edit(path, inside)
    return sorted(by_file)


def put_into(group: str, choice: str, values: Mapping[str, Any]) -> Path:
    """Write values into the file of one choice, active or not."""
    path = _file(group, choice)
    _edit(path, {(name,): value for name, value in values.items()})
    return path


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Edits of conf/ that are undone when the block fails."""
    before = {path: path.read_bytes() for path in CONF.rglob("*.yaml")}
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
    choices = _choices(_read(CONFIG))
    if "preset" not in choices:
        raise ConfigurationError(f"{CONFIG} names no preset: write `- preset: {NO_PRESET}` into its list of defaults.")
    return choices


def _choices(document: Mapping[str, Any]) -> dict[str, str]:
    defaults = document.get("defaults")
    named = [entry for entry in (defaults if isinstance(defaults, list) else []) if isinstance(entry, Mapping)]
    return {group.removeprefix(OVERRIDE): choice for entry in named for group, choice in entry.items()}


def _edit(path: Path, values: Mapping[KeyPath, Any]) -> None:
    """Write these values into a file, without those that are `ABSENT`."""
    document = _read(path)
    for names, value in values.items():
        *parents, last = map(_quoted, names)
        inner = document
        for name in parents:
            inner = inner.setdefault(name, {})
        if value == ABSENT:
            inner.pop(last, None)
        elif isinstance(value, list):
            inner[last] = CommentedSeq(map(_quoted, value))
            inner[last].fa.set_flow_style()
        else:
            inner[last] = _quoted(value)
    _write(document, path)


def _quoted(value: Any) -> Any:
    """The value; in quotes if it is a text that is none to Hydra without them, like 12:30 (a number) or the symbol ON.

    Mappings and lists are taken as deep as they go.
    """
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    needed = isinstance(value, str) and to_yaml({"": [value]}).partition("- ")[2][:1] in {"'", '"'}
    return SingleQuotedScalarString(value) if needed else value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _read(path: Path) -> Any:
    try:
        document = _yaml().load(path.read_text(encoding="utf-8")) or CommentedMap()
    except (OSError, UnicodeError, YAMLError) as error:  # for instance with the marks of a merge conflict
        raise ConfigurationError(f"{path} cannot be read ({' '.join(str(error).split())}): correct it.") from None
    if not isinstance(document, CommentedMap):
        raise ConfigurationError(f"{path} holds no sections: correct it.")
    return document


def _write(document: Any, path: Path) -> None:
    buffer = io.StringIO()
    _yaml().dump(document, buffer)
    write_text("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), path)


def state(values: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Set keys of sections, e.g.

    `{"rules": {"k_sigma": 0.75}}`, in conf/ and params.yaml. Returns the changed files.
    """
    document = compose()
    wanted = document | {name: document[name] | dict(keys) for name, keys in values.items()}
    Study.parse(wanted)
    return _make(wanted, {})


def keep(experiment: dict[str, Any]) -> list[Path]:
    """Make conf/ compose to the params of an experiment: by other choices where they match, else value by value."""
    Study.parse(experiment)
    return _make(experiment, _choices_behind(experiment))


def _make(wanted: dict[str, Any], choices: Mapping[str, str]) -> list[Path]:
    with all_or_nothing():
        changed = [choose(group, choice) for group, choice in choices.items()]
        changed += put(_unstated(wanted, but=following()))  # what follows another key goes on following it
        changed += put(_unstated(wanted))
        document = compose()
        if left := differences(wanted, document):
            raise ConfigurationError(
                f"conf/ cannot express {describe(left)}: edit conf/ yourself, then run `make params`."
            )
    write_params(document)
    return sorted(set(changed))


def _unstated(wanted: dict[str, Any], but: Set[KeyPath] = frozenset()) -> dict[KeyPath, Any]:
    """The wanted values that conf/ does not compose to."""
    return {path: value for path, (value, _) in differences(wanted, compose()).items() if path not in but}


def _choices_behind(experiment: dict[str, Any]) -> dict[str, str]:
    """Group -> choice that the experiment must have used: the preset by its study's name, a group by its values."""
    preset = other_preset_of(experiment)
    found = {"preset": preset} if preset else {}
    made = [f"preset={name}" for name in found.values()]
    standing = compose(overrides=made)
    for group in sorted({section for section, *_ in differences(experiment, standing)}):
        distances = {
            choice: len(differences(experiment[group], compose(overrides=[*made, f"{group}={choice}"])[group]))
            for choice in choices_of(group)
        }
        nearest = min(distances, key=lambda choice: distances[choice])
        if distances[nearest] < len(differences(experiment[group], standing[group])):
            found[group] = nearest
    return found
