"""Params in canonical form, from which every id is computed, so that no id changes when a schema grows.

Params written before a key existed imply a value of that key: the one that keeps the old behaviour. A key at that value
is left out, and a renamed key keeps its first name. So params with the same meaning, from before and after a change of
schema, have the same form. A key that has no effect because of another key's value is left out too. A key that was
removed from the schema keeps its last value where its section states a later key.

The tables are append-only. Changing or removing an entry changes every id made with it: trials would be counted twice,
and an opened holdout would be sealed again.
"""

import hashlib
import json
from collections.abc import Mapping, Set
from itertools import chain
from typing import Any

from stages.params.forecaster import COMMAND

Document = Mapping[str, Any]

# Key -> the value that keeps the behaviour from before the key existed.
NEUTRAL: Mapping[str, Any] = {
    "split.walk_forward": None,
    "quality.halt_min_trading_share": 0.5,
    "source.bar_label_trusted": False,
    "quality.label_min_confidence": 0.99,
    "quality.label_min_volume_ratio": 1.5,
    "quality.label_min_volume_sessions": 10,
    "quality.off_tick_tolerance_ticks": 1e-6,
    "quality.halts": "market_wide",  # four sessions of March 2020 are judged differently than before the list existed
    "quality.unlisted_halts": "drop",
    "quality.no_trade_minutes": "gap",
    "quality.quiet_max_min": 10,
    "quality.by_symbol": {},
    "source.synthetic.ou_half_life_min": 10.0,
    "source.synthetic.plant": "wave",
    "split.holdout_months": None,
    "universe.context_symbols": [],
    "requests.asked_horizon_min": None,
    "requests.exog_policy": {},
    "requests.clock": "artificial",
    "forecaster.finetune_steps": 0,
    "forecaster.finetune_depth": 1,
    "forecaster.finetune_loss": "default",
    "forecaster.finetuned_model_id": None,
    "forecaster.multivariate": False,
    "forecaster.clean_ex_first": True,
    "forecaster.command": [],
    "forecaster.files": [],
    "forecaster.files_sha256": None,
    "source.unit": None,
    "source.price_scale": 1.0,
    "source.stamp_format": None,
    "source.csv": None,
    "source.renames": {},
    "quality.corporate_actions": "none",
    "quality.night_floor_share": 0.15,
    "quality.night_mads": 8.0,
    "quality.night_scale_floor_share": 0.01,
    "quality.night_past_sessions": 60,
    "quality.split_tolerance_nights": 3.0,
    "quality.split_max_ratio": 50,
    "quality.jump_floor_share": 0.1,
    "quality.jump_mads": 20.0,
    "quality.jump_ceiling_ratio": 2.0,
    "quality.wick_floor_share": 0.03,
    "quality.wick_mads": 20.0,
    "quality.shared_min_share": 0.5,
    "quality.copy_min_share": 0.1,
    "quality.max_price": 1e6,
    "quality.print_step_ticks": 0.01,
    "quality.high_volume_ratio": 30.0,
    "forecaster.trained_until": None,
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
