"""Params in canonical form, from which every id is computed, so that no id changes when a schema grows.

Params written before a key existed imply a value of that key: the one that keeps the old behaviour. A key at that value
is left out, and a renamed key keeps its first name. So params with the same meaning, from before and after a change of
schema, have the same form. A key that has no effect because of another key's value is left out too. A key that was
removed from the schema keeps its last value where its section states a later key.

The value that keeps the old behaviour stands beside its key (`section.Neutral`). These values and the tables are
append-only. Changing or removing one changes every id made with it: trials would be counted twice, and an opened
holdout would be sealed again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Set
from itertools import chain
from typing import Any, get_args, get_type_hints

from stages.params.forecaster import COMMAND
from stages.params.section import Closed, Neutral
from stages.params.study import Study

Document = Mapping[str, Any]


def _neutral(model: type[Closed], at: str) -> Iterator[tuple[str, Any]]:
    """The keys that have a neutral value, each with it."""
    for name, field in model.model_fields.items():
        yield from ((f"{at}.{name}", one.value) for one in field.metadata if isinstance(one, Neutral))
        for group in (field.annotation, *get_args(field.annotation)):
            if isinstance(group, type) and issubclass(group, Closed):
                yield from _neutral(group, f"{at}.{name}")


# Key -> its neutral value; that of keys that came and went while ids had this form stands here alone.
NEUTRAL: Mapping[str, Any] = {
    "quality.label_min_volume_ratio": 1.5,
    "quality.label_min_volume_sessions": 10,
    **dict(chain.from_iterable(_neutral(model, name) for name, model in get_type_hints(Study).items())),
}
# Removed key -> its last value, and a key of the same section that was added at that time.
RETIRED: Mapping[str, tuple[Any, str]] = {
    "quality.split_ratios": ([2, 3, 4, 5, 8, 10, 15, 20], "split_max_ratio"),
    "quality.split_tolerance_share": (0.02, "split_tolerance_nights"),
    "source.close_includes_auction": (None, "price_scale"),
}
# Key -> another key, and its value for which the first one has no effect: a local forecaster gets no clock.
IDLE: Mapping[str, tuple[str, Any]] = {"requests.clock": ("forecaster.base_url", None)}
# Keys of a program of the user's, without effect where it is neither asked nor, in section `worth`, a candidate.
PROGRAM = ("forecaster.command", "forecaster.files", "forecaster.files_sha256")
# Present name -> the name under which the key first entered an id.
FIRST_NAMES: Mapping[str, str] = {
    "quality.outlier_floor_share": "quality.outlier_floor",
    "quality.split_tolerance_share": "quality.split_tolerance",
}


def canonical(params: Document) -> dict[str, Any]:
    """Sections of params without keys at neutral values or without effect, with removed ones, under first names.

    A mapping that holds only such keys is left out.
    """
    params = _with_retired(params)
    idle = {key for key, (other, value) in IDLE.items() if _stated(params, other) == [value]}
    if COMMAND not in [*_stated(params, "forecaster.name"), *chain(*_stated(params, "worth.candidates"))]:
        idle |= set(PROGRAM)
    return _form(params, idle, "")


def _form(params: Document, idle: Set[str], at: str) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for name, value in params.items():
        path = f"{at}{name}"
        if path in idle or (path in NEUTRAL and value == NEUTRAL[path]):
            continue
        inner = _form(value, idle, f"{path}.") if isinstance(value, Mapping) else value
        if inner == {} and value != {}:
            continue
        form[FIRST_NAMES.get(path, path).rpartition(".")[2]] = inner
    return form


def _with_retired(params: Document) -> Document:
    """Params as written while the removed keys of their sections existed."""
    whole = dict(params)
    for path, (value, successor) in RETIRED.items():
        section, _, name = path.partition(".")
        inside = whole.get(section)
        if isinstance(inside, Mapping) and successor in inside:
            whole[section] = {name: value, **inside}
    return whole


def _stated(params: Document, path: str) -> list[Any]:
    """The value of a key like `forecaster.base_url`, if it is stated."""
    section, _, name = path.partition(".")
    inside = params.get(section)
    return [inside[name]] if isinstance(inside, Mapping) and name in inside else []


def digest(document: Document, hex_digits: int) -> str:
    """The start of the sha256 of a document as compact JSON with sorted keys; `12` and `12.0` are one number."""
    text = json.dumps(_plain(document), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:hex_digits]


def _plain(value: Any) -> Any:
    """Values as JSON knows them: dates as text, whole numbers without decimals."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
