"""params.yaml, read once per process, in the first lines of a script.

It may not hold the API key, for instance from a variable that conf/ names (`${oc.env:...}`): git and DVC would keep it
for good.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

from stages.errors import ConfigurationError
from stages.params.api import KEY_NAME
from stages.params.section import S, parse

PARAMS = Path("params.yaml")
SHORTEST_KEY = 8  # characters: a shorter word may occur in any value
DEEPEST = 100  # levels of YAML; tens of thousands crash the compiled parser
LEVELS = "\ufeff ?:-"  # an inner level needs one of these characters (the first may begin a file), or a bracket


@cache
def read_document() -> dict[str, Any]:
    """The complete params.yaml, not validated."""
    document = present()
    if document is None:
        raise ConfigurationError("params.yaml is missing or empty: run `make params`, which composes it from conf/.")
    require_no_key(document)
    return document


def require_no_key(document: Mapping[str, Any]) -> None:
    """*Errors*: when a value of params holds the API key; a key shorter than `SHORTEST_KEY` is not looked for."""
    key = os.environ.get(KEY_NAME, "").strip()
    if len(key) >= SHORTEST_KEY and (place := _place_of(key, document, set())):
        raise ConfigurationError(
            f"{place} holds the API key ({KEY_NAME}), which no file may: take it out of conf/, run `make params`, and "
            "revoke the key if git or DVC kept it."
        )


def _place_of(key: str, value: Any, seen: set[int]) -> str | None:
    """The full name of the first value that holds the key, empty for a plain value; None if there is none."""
    if not isinstance(value, Mapping | list):
        return "" if key in str(value) else None
    if id(value) in seen:
        return None
    seen.add(id(value))
    named = value.items() if isinstance(value, Mapping) else enumerate(value)
    inner = ((name, _place_of(key, one, seen)) for name, one in named)
    return next((f"{name}.{place}".rstrip(".") for name, place in inner if place is not None), None)


def present() -> dict[str, Any] | None:
    """The present params.yaml; None when it does not exist or holds nothing."""
    try:
        document = parse_yaml(PARAMS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (UnicodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"params.yaml is not valid YAML ({reason}): run `make params` to write it.") from None
    if not isinstance(document, dict | None):
        raise ConfigurationError("params.yaml holds no sections: run `make params` to write it.")
    return document or None


def require_params_as_read() -> None:
    """*Errors*: when params.yaml changed since this process read it, since DVC records it after a stage."""
    if read_document.cache_info().currsize and present() != read_document():
        raise ConfigurationError(
            "params.yaml changed while this stage ran, and DVC would record the new params with outputs of the old "
            "ones. Run again, and change no params meanwhile (`dvc exp run --temp` runs an experiment apart)."
        )


COMPILED: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # much faster, if PyYAML has it


def parse_yaml(text: str) -> Any:
    """The content of a YAML text, as `yaml.safe_load` returns it."""
    require_shallow(text)
    return yaml.load(text, COMPILED)  # noqa: S506  # both loaders are safe


def require_shallow(text: str) -> None:
    """*Errors*: `yaml.YAMLError` for a text of more than `DEEPEST` levels."""
    indents = (len(line) - len(line.lstrip(LEVELS)) for line in text.splitlines())
    if max(indents, default=0) + text.count("[") + text.count("{") < DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, COMPILED):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} levels deep")


def sections_in(text: str) -> dict[str, Any]:
    """The sections of the text of a params.yaml; empty if it is not one."""
    try:
        document = parse_yaml(text)
    except yaml.YAMLError:  # for instance with the marks of a merge conflict
        return {}
    sections = document.items() if isinstance(document, dict) else ()
    return {name: section for name, section in sections if isinstance(section, dict)}


class _Yaml12(COMPILED):  # type: ignore[misc]
    """YAML 1.2: a time needs no quotes, and `on` is a word."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def parse_dvc_yaml(text: str) -> Any:
    """The content of a file that DVC wrote, which is YAML 1.2."""
    from ruamel.yaml.resolver import implicit_resolvers  # DVC's own library; stages do not need it

    if not _Yaml12.yaml_implicit_resolvers:
        for versions, tag, pattern, first in implicit_resolvers:
            if (1, 2) in versions:
                _Yaml12.add_implicit_resolver(tag, pattern, first)
    require_shallow(text)
    return yaml.load(text, _Yaml12)  # noqa: S506  # it is a safe loader


def read_params(model: type[S]) -> S:
    """The section of `model` as a frozen value; a partial model reads only its own keys."""
    return parse(model, read_document())
