"""params.yaml, read once a process, on the first lines of a script.

*Errors*: `ConfigurationError` (exit 5) naming the key by its full name, the value and the rule it breaks.
"""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from stages.errors import ConfigurationError
from stages.params.section import Section

PARAMS = Path("params.yaml")
S = TypeVar("S", bound=Section)


@cache
def _document() -> dict[str, Any]:
    try:
        return yaml.safe_load(PARAMS.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ConfigurationError("params.yaml is missing: `make params` composes it from conf/.") from None


def read_params(model: type[S]) -> S:
    """The section of `model` as a frozen value; of a partial model, only the keys it names."""
    return parse(model, _document())


def parse(model: type[S], document: dict[str, Any]) -> S:
    """Validate `document[model.section]` (whole, or the keys a partial model names)."""
    if model.section not in document:
        raise ConfigurationError(f"params.yaml has no section {model.section!r}: `make params` composes it from conf/.")
    section = document[model.section]
    if model.partial:
        section = {key: section[key] for key in model.model_fields if key in section}
    try:
        return model.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(_sentence(model.section, error)) from None


def _sentence(section: str, error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        where = ".".join([section, *(str(part) for part in problem["loc"])])
        value = "" if problem["type"] in {"missing", "value_error"} else f" = {problem['input']!r}"
        problems.append(f"{where}{value}: {problem['msg']}")
    return "; ".join(problems) + ". Change it in conf/ (quote clock times) and run `make params`."
