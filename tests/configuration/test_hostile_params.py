"""Every param with values that nobody means: they are refused by the study's own parse, or run without a traceback."""

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, get_type_hints

import pytest

from stages.configuration.compose import compose
from stages.errors import ConfigurationError
from stages.params.section import parse
from stages.params.study import Study, problems
from tests.architecture.dependencies import ROOT

HOSTILE: dict[str, tuple[str, Any]] = {  # name -> what it is in JSON, and the value
    "infinity": ("nothing", math.inf),
    "minus infinity": ("nothing", -math.inf),
    "NaN": ("nothing", math.nan),
    "0": ("integer", 0),
    "-1": ("integer", -1),
    "1e20": ("huge", 1e20),
    "10**20": ("huge", 10**20),
    "text": ("string", "abc"),
    "a number as text": ("string", "1"),
    "empty text": ("nothing", ""),
    "a null byte": ("nothing", "a\0b"),
    "true": ("boolean", True),
    "null": ("null", None),
    "an empty list": ("array", []),
    "an empty mapping": ("object", {}),
    "1970 in seconds": ("string", "0"),
    "the year 2999": ("string", "2999-01-01"),
}
TARIFF = {
    "currency": "USD", "per_request": 1, "per_series": 1, "per_million_input": 1, "per_million_output": 1,
    "per_million_finetune": 1, "flat_per_month": 1, "tokens_per_value": 1,
}  # fmt: skip
WHOLE = {  # the groups of params that the default leaves out
    "api": {"tariff": TARIFF},
    "source": {"csv": {"header_lines": 1, "columns": None, "separator": ","}},
    "split": {"walk_forward": {"first_train_sessions": 20, "fold_sessions": 1}},
}
MODELS = get_type_hints(Study)
Key = tuple[str, ...]


def keys(node: dict[str, Any], definitions: dict[str, Any], at: Key) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every key below a node of a JSON schema, with its own node; `*` is any symbol."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    inner = [definitions[one["$ref"].rpartition("/")[2]] for one in node.get("anyOf", ()) if "$ref" in one]
    for group in [node, *inner]:
        for name, one in group.get("properties", {}).items():
            yield from keys(one, definitions, (*at, name))
    if isinstance(each := node.get("additionalProperties"), dict):
        yield from keys(each, definitions, (*at, "*"))
    if len(at) > 1:
        yield at, node


def kinds(node: dict[str, Any]) -> Iterator[str]:
    """The kinds of JSON values that a node takes."""
    for one in node.get("anyOf", (node,)):
        fixed = "enum" in one or "const" in one or one.get("format") == "date"
        yield "nothing" if fixed else one.get("type", "object")


def with_value(section: dict[str, Any], key: Key, value: Any) -> dict[str, Any]:
    changed = deepcopy(section)
    inside = changed
    for name in key[:-1]:
        inside = inside[name]
    inside["STRONG" if key[-1] == "*" else key[-1]] = value
    return changed


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    """The default study with every group of params."""
    document = compose(ROOT / "conf", ["preset=smoke"])
    return document | {name: document[name] | groups for name, groups in WHOLE.items()}


@pytest.mark.parametrize("section", MODELS)
def test_a_key_takes_no_value_of_another_kind_and_none_beyond_anything_meant(study, section):
    """Alone and in a list. What one section takes, the rules between sections take or refuse too."""
    model, taken, refused = MODELS[section], [], 0
    schema = model.model_json_schema()
    for key, node in keys(schema, schema.get("$defs", {}), (section,)):
        fit = set(kinds(node))
        for name, (kind, value) in HOSTILE.items():
            fits = kind in fit or (kind == "integer" and "number" in fit)
            for one in (value, [value]) if "array" in fit else (value,):
                changed = {section: with_value(study[section], key[1:], one)}
                try:
                    parse(model, changed)
                except ConfigurationError:
                    refused += 1
                    continue
                taken += [(".".join(key), name)] * (not fits and one is value)
                problems(study | changed)
    assert taken == []
    assert refused


@pytest.mark.parametrize("value", [True, "5", 0, -1, 1e20, math.inf, None, [], ""])
def test_a_threshold_of_one_symbol_is_held_to_the_same_range(study, value):
    own = {"STRONG": {"quiet_max_min": value}}
    with pytest.raises(ConfigurationError, match=r"by_symbol\.STRONG\.quiet_max_min"):
        parse(MODELS["quality"], {"quality": study["quality"] | {"by_symbol": own}})


@pytest.mark.parametrize(
    "key",
    [
        *("universe.symbols", "universe.whitelist", "features.names", "features.required", "requests.history_days"),
        *("requests.horizons_min", "requests.snapshots_et", "calibration.methods", "portfolio.cost_multiples"),
        "worth.candidates",
    ],
)
def test_a_list_whose_values_each_stand_for_something_names_none_twice(study, key):
    """A symbol that was whitelisted twice would hold two units of capital."""
    section, name = key.split(".")
    twice = [*study[section][name], study[section][name][0]]
    with pytest.raises(ConfigurationError, match=rf"^{key}: repeats a value: "):
        parse(MODELS[section], {section: study[section] | {name: twice}})


@pytest.mark.parametrize("key", ["symbols", "context_symbols"])
def test_no_symbol_has_the_name_of_all_symbols_together(study, key):
    """Its rows would stand among those of the portfolio, and its answers would be bought before the backtest stops."""
    with pytest.raises(ConfigurationError, match="universe names a symbol PORTFOLIO"):
        parse(MODELS["universe"], {"universe": study["universe"] | {key: ["STRONG", "WEAK", "NULL", "PORTFOLIO"]}})


def test_sections_that_are_absent_and_the_remedy_are_reported_once():
    document = {name: section for name, section in compose().items() if name not in {"costs", "report"}}
    document["rules"]["k_sigma"], document["split"]["embargo_sessions"] = "abc", -1
    with pytest.raises(ConfigurationError) as refused:
        Study.parse(document)
    assert str(refused.value) == (
        "params.yaml has no section 'costs', 'report': run `make params`, which composes it from conf/. "
        "split.embargo_sessions = -1: Input should be greater than or equal to 1. "
        "rules.k_sigma = 'abc': Input should be a valid number. "
        "Change it in conf/ (quote clock times) and run `make params`."
    )


def test_a_key_that_is_absent_is_reported_as_that(study):
    """As after an update that brought a key, before `make params`."""
    rules = {name: value for name, value in study["rules"].items() if name != "k_sigma"}
    with pytest.raises(ConfigurationError, match=r"^rules\.k_sigma is not stated\. Change it in conf/"):
        parse(MODELS["rules"], {"rules": rules})
