"""params.yaml, read once a process, in the first lines of a script."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stages.errors import ConfigurationError
from stages.params.section import S, parse

PARAMS = Path("params.yaml")


@cache
def read_document() -> dict[str, Any]:
    """The complete params.yaml, not validated."""
    try:
        return yaml.safe_load(PARAMS.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ConfigurationError("params.yaml is missing: run `make params`, which composes it from conf/.") from None


def read_params(model: type[S]) -> S:
    """The section of `model` as a frozen value; a partial model gets only the keys it names."""
    return parse(model, read_document())
