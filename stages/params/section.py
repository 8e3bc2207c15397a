"""The base of params models: how a section of params.yaml becomes a frozen, checked value.

No model has a default: every value of a run is stated in `conf/`. Every number has a minimum and a maximum, and none is
infinite or NaN.
"""

from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from stages.errors import ConfigurationError


class Closed(BaseModel):
    """A frozen group of params without unknown keys or infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Section(Closed):
    """The section `section` of params.yaml; with `partial`, only the keys that the model names."""

    section: ClassVar[str]
    partial: ClassVar[bool] = False


S = TypeVar("S", bound=Section)


def parse(model: type[S], document: dict[str, Any]) -> S:
    """Validate `document[model.section]` (all of it, or the keys of a partial model).

    *Errors*: `ConfigurationError` (exit 5) naming the key by its full name, the value and the rule it breaks.
    """
    if model.section not in document:
        raise ConfigurationError(
            f"params.yaml has no section {model.section!r}: run `make params`, which composes it from conf/."
        )
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
