"""Composes conf/ into params.yaml, and compares the two.

The text is byte for byte what `dvc exp run` writes, because DVC composes with the same calls: a run never changes a
committed params.yaml. `dvc repro` composes nothing, so `make run` starts here.
*Errors*: `ConfigurationError` when conf/ does not compose, or when composing would discard an applied experiment.
"""

import json
import re
import shlex
from argparse import ArgumentError, ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import KeyValidationError, OmegaConfBaseException

from stages.configuration.edit_text import ABSENT
from stages.errors import ConfigurationError
from stages.io.files import write_text
from stages.io.settings import PARAMS, require_no_key
from stages.io.settings import present as present
from stages.io.workspace import git

CONF = Path("conf")
LAST_COMPOSED = Path(".dvc/tmp/composed_params.yaml")  # untracked: what this clone composed last, and when
APPLIED = "refs/exps/exec/EXEC_APPLY"  # DVC's name for the experiment that it applied last
NAMED_KEYS = 8
REFERENCE = re.compile(r"(?<!\\)(?:\\{4})*\$\{")  # in JSON, where a backslash is two

FAULTS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError, LookupError, AttributeError,
          TypeError)  # fmt: skip  # the last three of values like !!bool abc

KeyPath = tuple[str, ...]
Difference = dict[KeyPath, tuple[Any, Any]]


def compose(conf: Path = CONF, overrides: Sequence[str] = (), *, resolve: bool = True) -> dict[str, Any]:
    """The params that a conf/ folder composes to, with Hydra overrides like `preset=smoke`.

    Unless they are to `resolve`, keys that take another key's value name that key.
    """
    config = _composed(conf, overrides)
    with _in_sentences():
        document: dict[str, Any] = OmegaConf.to_container(config, resolve=resolve)  # type: ignore[assignment]
    require_no_key(document)
    return document


def choices() -> dict[str, str]:
    """Group -> the choice that conf/ composes with."""
    return dict(_composed(CONF, return_hydra_config=True).hydra.runtime.choices)


def _composed(conf: Path, overrides: Sequence[str] = (), **options: bool) -> DictConfig:
    with _in_sentences(), hydra.initialize_config_dir(str(conf.resolve()), version_base=None):
        return hydra.compose("config", overrides=list(overrides), **options)


@contextmanager
def _in_sentences() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise ConfigurationError("conf/ does not compose: a value contains itself, or is nested too deeply.") from None
    except FAULTS as error:
        raise ConfigurationError(f"conf/ does not compose: {_in_a_sentence(error)}") from None


def set_by(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides that these words of `dvc exp run` set, and the other words."""
    reader = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    reader.add_argument("-S", "--set-param", action="append", default=[])
    try:
        known, others = reader.parse_known_args(words)
    except ArgumentError:
        raise ConfigurationError(f"{' '.join(words)!r} ends with -S: write -S key=value.") from None
    return list(known.set_param), others


def following() -> set[KeyPath]:
    """The keys of conf/ whose value is, or contains, that of another key."""
    return set(_references(compose(resolve=False)))


def _in_a_sentence(error: Exception) -> str:
    """What was wrong, in one line; Hydra's paragraphs advise what is refused here, like `+` before an unknown key."""
    if not str(error) and isinstance(error.__cause__, OmegaConfBaseException):  # Hydra adds nothing to it
        error = error.__cause__
    text = _file_of(error) + str(error)
    if isinstance(error, MissingConfigException) and error.options:
        return f"there is no conf/{error.missing_cfg_file}.yaml: name one of {', '.join(error.options)}."
    if unknown := re.search(r"^Could not override '(.+)'\.", text):
        key = getattr(error.__cause__, "full_key", unknown[1])
        return (
            f"there is no key {key}: docs/PARAMS.md lists all keys, and says how to add an entry to a mapping or set "
            "a group that is null."
        )
    lines = (line.strip() for line in text.splitlines() if not line.startswith(("See https:", "    object_type=")))
    quote = ' (quote it if it is a text, as in "NULL")' if isinstance(error, KeyValidationError) else ""
    return " ".join(line for line in lines if line not in ("", "^")) + quote


def _file_of(error: Exception) -> str:
    """The file of conf/ that this error is about, with a colon; empty where the error names it already."""
    for path in sorted(CONF.rglob("*.yaml")) if str(CONF) not in str(error) else ():
        try:
            OmegaConf.load(path)
        except FAULTS as reason:
            if str(reason) == str(error):
                return f"{path}: "
    return ""


def _references(document: Mapping[str, Any], at: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _references(value, (*at, key))
        elif REFERENCE.search(json.dumps(value)):
            yield (*at, key)


def to_yaml(document: Mapping[str, Any]) -> str:
    """The text of params.yaml."""
    try:
        return OmegaConf.to_yaml(OmegaConf.create(dict(document)))
    except OmegaConfBaseException as error:  # a text that begins to name another key, as of a folder ${x}
        at = getattr(error, "full_key", None) or "a value"
        raise ConfigurationError(
            f"{at} holds ${{, which names another key: rename the folder, file or column."
        ) from None


def differences(left: Mapping[str, Any], right: Mapping[str, Any], at: KeyPath = ()) -> Difference:
    """Keys whose values differ, with both values; lists are values, a missing key is `(absent)`."""
    found: Difference = {}
    for key in sorted(set(left) | set(right), key=str):
        one, other = left.get(key, ABSENT), right.get(key, ABSENT)
        if isinstance(one, dict) and isinstance(other, dict):
            found |= differences(one, other, (*at, key))
        elif one != other:
            found[(*at, key)] = (one, other)
    return found


def applied_experiment() -> Difference:
    """What params.yaml states beyond conf/: its value, and that of conf/. Empty when composing would lose nothing.

    Composing loses nothing when params.yaml is itself a composition of an earlier conf/: the last one of this clone, or
    the committed one while only conf/ was edited since. If params.yaml was written again since the last one, with the
    same text and over a conf/ as it is committed, an experiment was applied.
    """
    document = present()
    if document is None or _was_composed():
        return {}
    return differences(document, yaml.safe_load(to_yaml(compose())))


def next_params() -> dict[str, Any]:
    """The params that would run next: those of an applied experiment, else what conf/ composes to."""
    return (present() if applied_experiment() else None) or compose()


def refuse_to_discard() -> None:
    """*Errors*: `ConfigurationError` naming the keys when params.yaml holds an applied experiment."""
    if found := applied_experiment():
        raise ConfigurationError(
            f"params.yaml holds an applied experiment{_of_study()}, which conf/ does not hold: {describe(found)}. Run "
            "`make adopt` to keep it (writes it into conf/), or `make params` to discard it."
        )


def set_back() -> str:
    """A sentence on files that `dvc exp apply` set to those of the experiment's commit, and how to undo it.

    Empty where that is the present commit; it may be an earlier one, or one of another branch. DVC applies all
    files of an experiment, not only its params.
    """
    applied = git("for-each-ref", "--format=%(objectname) %(parent)", APPLIED).split()[:2]
    if len(applied) < 2:
        return ""
    experiment, ran_on = applied
    others = _differing(experiment) | {str(PARAMS), "dvc.lock"}
    changed = sorted((_differing(ran_on, "HEAD") & _differing("HEAD")) - others)
    back = [name for name in _differing("--diff-filter=D", ran_on, "HEAD") if Path(name).exists()]
    own = _names(git("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", *back)) if back else set()
    deleted = sorted(set(back) - own)  # what git was told to ignore since is the user's
    undo = [f"`git checkout HEAD -- {shlex.join(changed)}` brings them back"] if changed else []
    undo += [f"`rm {shlex.join(deleted)}` removes what it does not hold"] if deleted else []
    if not undo:
        return ""
    return (
        f"the experiment ran on commit {ran_on[:7]}, and `dvc exp apply` restored its files where the present commit "
        f"differs: {', and '.join(undo)}"
    )


def _differing(*between: str) -> set[str]:
    """The files in which two commits differ, or one and the workspace; untracked files do not count."""
    return _names(git("diff", "--name-only", "--no-renames", "--relative", "-z", *between))


def _names(told: str) -> set[str]:
    return set(told.split("\0")) - {""}


def write_params(document: Mapping[str, Any]) -> None:
    """Write a composition of conf/ as the params of the next run."""
    text = to_yaml(document)
    write_text(text, PARAMS)
    write_text(text, LAST_COMPOSED)


def describe(found: Difference, other: str = "conf") -> str:
    """`rules.k_sigma = 1.0 (conf: 0.5), ...`, at most eight keys."""
    items = [
        f"{'.'.join(map(str, path))} = {_short(here)} ({other}: {_short(there)})"
        for path, (here, there) in found.items()
    ]
    more = [f"and {len(items) - NAMED_KEYS} more"] if len(items) > NAMED_KEYS else []
    return ", ".join([*items[:NAMED_KEYS], *more])


def _short(value: Any) -> str:
    """A value as YAML writes it; of a mapping, only how many keys it has."""
    if isinstance(value, Mapping) and value:
        return "1 key" if len(value) == 1 else f"{len(value)} keys"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _of_study() -> str:
    report = (present() or {}).get("report")
    return f" of study {report['study']!r}" if isinstance(report, dict) and report.get("study") else ""


def _was_composed() -> bool:
    is_last = LAST_COMPOSED.exists() and LAST_COMPOSED.read_bytes() == PARAMS.read_bytes()
    if is_last and LAST_COMPOSED.stat().st_mtime_ns >= PARAMS.stat().st_mtime_ns:
        return True
    is_committed = bool(git("ls-files", str(PARAMS))) and not git("status", "--porcelain", "--", str(PARAMS))
    return (is_last or is_committed) and bool(git("status", "--porcelain", "--", str(CONF)))
