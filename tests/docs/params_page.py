"""`make params-page`: every key of params.yaml, read from the models, as docs/PARAMS.md.

A test says when the page is out of date.
"""

from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_type_hints

from stages.configuration.compose import compose
from stages.params.section import Section
from stages.params.study import StageStudy, Study
from tests.architecture.dependencies import load_dvc_yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/PARAMS.md"
PREFACE = """# Params

After this page you know every key of `params.yaml`: what it takes, what stands in `conf/` by default, what runs again
when it changes, and whether the change can cost calls. Change a key in `conf/` or with `dvc exp run -S`; never in
`params.yaml`. Written by `make params-page` from the models in `stages/params/`.

* *stale from*: the first stage that uses the key. It and all stages behind it run again, as far as what they read
  changes. `-`: no stage declares it. Stage `list_source`, which runs in a second, validates every key but those of
  `api` before anything else runs.
* *calls*: `yes` if other questions may be asked after the change. Questions that stay the same are never paid twice.
* A mapping takes another entry with `+`: `-S +rules.horizon_min_by_symbol.STRONG=5`. An entry that it has is changed
  without: `-S costs.half_spread_ticks.STRONG=2`. Braces change only the entries that they name, so `{}` changes
  nothing.
* A *group* holds the keys below it, or is `null` and holds none. One that is null is stated whole:
  `-S "split.walk_forward={first_train_sessions: 30, fold_sessions: 5}"`.
"""
UNITS = {"min": "minutes", "sec": "s", "bp": "bp", "bps": "bp", "sessions": "sessions", "days": "days",
         "months": "months",
         "ticks": "ticks", "bars": "bars", "mads": "MADs", "share": "share", "rad": "rad", "sigmas": "sigmas",
         "paths": "paths",
         "ratio": "ratio", "utc": "UTC", "et": "New York clock", "nights": "sigmas of a night", "day": "a UTC day",
         "month": "a UTC month", "minute": "a minute", "run": "a run", "price": "dollars", "size": "dollars",
         "reps": "draws", "lt": "ratio", "confidence": "probability"}  # fmt: skip
OWN_UNITS = {"rules.k_sigma": "5-minute sigmas", "rules.s_stop": "5-minute sigmas", "rules.s_take": "5-minute sigmas",
             "rules.daily_trade_cap": "trades", "universe.first_session": "date", "universe.last_session": "date",
             "forecaster.input_size": "rows", "forecaster.model_horizon": "rows", "forecaster.min_rows": "rows",
             "source.synthetic.base_price": "dollars", "source.synthetic.base_volume": "shares",
             "source.synthetic.daily_sigma": "log return", "gates.oos_sharpe_gte": "annual Sharpe",
             "gates.pnl_at_1p5x_costs_gte": "bp", "gates.coverage_tol": "share", "costs.cost_mult": "multiple",
             "requests.levels": "percent", "calibration.pid_step": "sigmas", "calibration.pid_gain": "sigmas",
             }  # fmt: skip
ASKED_BY = "build_requests"
CHECKS_ALL = "list_source"
STUDY = "artifacts/list_source/study.json"
SELECTS_BY = ("source.name", "source.kind", "source.uri_template", "universe.symbols", "universe.context",
              "universe.first_session", "universe.last_session")  # fmt: skip


def page() -> str:
    """The whole page."""
    document = compose(ROOT / "conf", [])
    sections = get_type_hints(Study).items()
    return "\n".join([PREFACE, *(_section(name, model, document[name]) for name, model in sections)])


def _section(name: str, model: type[Section], values: dict[str, Any]) -> str:
    schema = model.model_json_schema()
    rows = list(_rows(name, schema, schema.get("$defs", {}), values))
    about = cleandoc(model.__doc__ or "")
    head = "| key | type | unit | default | range | stale from | calls |\n|---|---|---|---|---|---|---|"
    return f"## `{name}`\n\n{about}\n\n{head}\n" + "\n".join(rows) + "\n"


def _rows(where: str, schema: dict[str, Any], definitions: dict[str, Any], values: Any) -> Iterator[str]:
    for key, node in schema["properties"].items():
        path, value = f"{where}.{key}", values.get(key) if isinstance(values, dict) else None
        may_be_null = {"type": "null"} in node.get("anyOf", [])
        node = _resolved(node, definitions)
        if node.get("type") == "object" and "properties" in node:
            if may_be_null:
                yield _row(path, "group or null", "null" if value is None else "{...}", "")
            yield from _rows(path, node, definitions, value)
            continue
        yield _row(path, _type(node, definitions), _short(value), _range(node, definitions))


def _row(path: str, kind: str, default: str, allowed: str) -> str:
    stage = _stale_from(path)
    calls = "yes" if stage and _position(stage) <= _position(ASKED_BY) else "no"
    cells = (f"`{path}`", kind, _unit(path), f"`{default}`", allowed, f"`{stage}`" if stage else "-", calls)
    return f"| {' | '.join(cells)} |"


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The node that a reference names; of an optional group of params, the group."""
    if "$ref" in node:
        return definitions[node["$ref"].rpartition("/")[2]]
    inner = [one for one in node.get("anyOf", []) if "$ref" in one]
    return _resolved(inner[0], definitions) if inner else node


def _type(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_type(one, definitions) for one in node["anyOf"])
    if "enum" in node:
        return " or ".join(f"`{one}`" for one in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if node.get("type") == "array":
        return f"list of {_type(_resolved(node.get('items', {}), definitions), definitions)}"
    if node.get("type") == "object":
        return "mapping"
    names = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "null": "null",
    }
    return "date" if node.get("format") == "date" else names.get(node.get("type", ""), "any")


def _range(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    for one in [node, *node.get("anyOf", []), node.get("items"), node.get("additionalProperties")]:
        if isinstance(one, dict) and (low := one.get("minimum", one.get("exclusiveMinimum"))) is not None:
            sign = "≥" if "minimum" in one else ">"
            high = one.get("maximum", one.get("exclusiveMaximum"))
            return f"{sign} {low:,}, {'≤' if 'maximum' in one else '<'} {high:,}"
    return ""


def _unit(path: str) -> str:
    head, _, ending = path.rpartition(".")[2].rpartition("_")
    return OWN_UNITS.get(path) or (UNITS.get(ending, "") if head else "")


def _short(value: Any) -> str:
    text = str(value).replace("None", "null").replace("'", "").replace("|", "\\|")
    return text if len(text) <= 40 else text[:37] + "..."


@cache
def _stages() -> dict[str, Any]:
    return dict(load_dvc_yaml()["stages"])


def _stale_from(path: str) -> str | None:
    for name, stage in _stages().items():
        declared = stage.get("params", []) if name != CHECKS_ALL or path.startswith(SELECTS_BY) else []
        whole = STUDY in stage["deps"] and path.partition(".")[0] in get_type_hints(StageStudy)
        if whole or any(f"{path}.".startswith(f"{one}.") or one.startswith(f"{path}.") for one in declared):
            return name
    return None


def _position(stage: str) -> int:
    return list(_stages()).index(stage)


if __name__ == "__main__":
    PAGE.write_text(page())
