"""The base of params models: how a section of params.yaml becomes a frozen, checked value.

No model has a default: every value of a run is stated in `conf/`. Every number and every day has a minimum and a
maximum, and none is infinite or NaN. Nothing is converted: "1" and true are no numbers, and 0 is no day.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from stages.errors import ConfigurationError

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]  # not empty, and fit for a path
EARLIEST, LATEST = date(1990, 1, 1), date(2099, 12, 31)  # pandas ends in 2262
Day = Annotated[date, Field(ge=EARLIEST, le=LATEST)]
Values = TypeVar("Values", bound=tuple[Any, ...])


@dataclass(frozen=True)
class Neutral:
    """The value of a key that keeps the behaviour from before the key existed, as written in params.yaml.

    Ids leave a key at this value out (`canonical`), so it stays what it first was.
    """

    value: Any


def each_once(values: Values) -> Values:
    """The values, of which none may be named twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"repeats a value: {list(values)}")
    return values


EachOnce = AfterValidator(each_once)


class Closed(BaseModel):
    """A frozen group of params without unknown keys or infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def _problems(self) -> Iterator[str]:
        """The rules between its keys that are broken, a sentence each."""
        yield from ()

    @model_validator(mode="after")
    def _breaks_no_rule(self) -> Self:
        for sentence in self._problems():
            raise ValueError(sentence)
        return self


class Section(Closed):
    """The section `section` of params.yaml; with `partial`, only the keys that the model names."""

    section: ClassVar[str]
    partial: ClassVar[bool]

    def __init_subclass__(cls, *, section: str | None = None, partial: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.section, cls.partial = section or cls.section, partial


S = TypeVar("S", bound=Section)
DEEPEST = 10  # levels of a section
REMEDY = "Change it in conf/ (quote clock times) and run `make params`."


def parse(model: type[S], document: dict[str, Any]) -> S:
    """Validate `document[model.section]` (all of it, or the keys of a partial model).

    *Errors*: `ConfigurationError` (exit 5) naming the key by its full name, the value and the rule it breaks.
    """
    if model.section not in document:
        raise ConfigurationError(
            f"params.yaml has no section {model.section!r}: run `make params`, which composes it from conf/."
        )
    section = document[model.section]
    if model.partial and isinstance(section, dict):
        section = {key: section[key] for key in model.model_fields if key in section}
    if odd := next(_keys_that_are_no_text(section, model.section), None):
        raise ConfigurationError(f"{odd} is a key that YAML does not read as text: quote it, as in 'ON'. {REMEDY}")
    try:
        text = json.dumps(section, default=str)  # in JSON a list is a tuple and a text a day, without any conversion
    except (TypeError, ValueError):
        raise ConfigurationError(f"{model.section}: a key is not text, or a value contains itself. {REMEDY}") from None
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigurationError(_sentence(model.section, error)) from None


def _keys_that_are_no_text(value: Any, place: str, depth: int = 0) -> Iterator[str]:
    if isinstance(value, Mapping) and depth < DEEPEST:
        for key, inner in value.items():
            if not isinstance(key, str):
                yield f"{place}.{key}"
            yield from _keys_that_are_no_text(inner, f"{place}.{key}", depth + 1)


def _sentence(section: str, error: ValidationError) -> str:
    found = {problem["loc"]: problem for problem in error.errors()}
    for place in [place for place in found if place]:
        found.pop(place[:-1], None)  # of a list that is too short because of what is in it, name the latter
    return "; ".join(_clause((section, *place), problem) for place, problem in found.items()) + f". {REMEDY}"


def _clause(place: tuple[int | str, ...], problem: Mapping[str, Any]) -> str:
    where = ".".join(map(str, place))
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a key in docs/PARAMS.md"
    if problem["type"] == "missing":
        return f"{where} is not stated"
    value = "" if problem["type"] in {"value_error", "json_invalid"} else f" = {problem['input']!r}"
    return f"{where}{value}: {problem['msg'].removeprefix('Value error, ')}"
