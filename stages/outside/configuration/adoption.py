"""Writing values into conf/ so that it composes to exactly what was wanted, or not writing at all.

*Errors*: `ConfigurationError` when the result would be impossible, or when conf/ cannot say it (a preset, for instance,
cannot remove what a group says).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError
from stages.outside.configuration.composition import compose, differences, told, write_params
from stages.outside.configuration.conf_files import all_or_nothing, choices_of, choose, preset_of_study, put
from stages.outside.configuration.study import Study


def state(values: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """State keys of sections, e.g. `{"rules": {"k_sigma": 0.75}}`, in conf/ and params.yaml; the files that changed."""
    document = compose()
    return _make(document | {name: document[name] | dict(keys) for name, keys in values.items()}, {})


def keep(experiment: dict[str, Any]) -> list[Path]:
    """Make conf/ compose to the params of an experiment: by other choices where they say it, else value by value."""
    return _make(experiment, _choices_behind(experiment))


def _make(wanted: dict[str, Any], choices: Mapping[str, str]) -> list[Path]:
    Study.parse(wanted)
    with all_or_nothing():
        changed = [choose(group, choice) for group, choice in choices.items()]
        changed += put({path: value for path, (value, _) in differences(wanted, compose()).items()})
        document = compose()
        if left := differences(wanted, document):
            raise ConfigurationError(f"conf/ cannot say {told(left)}: write it by hand, then `make params`.")
    write_params(document)
    return sorted(set(changed))


def _choices_behind(experiment: dict[str, Any]) -> dict[str, str]:
    """Group -> choice that the experiment must have made: the preset by its study's name, a group by its values."""
    study, standing = experiment["report"]["study"], compose()
    preset = preset_of_study(study) if study != standing["report"]["study"] else None
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
