"""Hostile values that the study takes run to the end, or stop with one sentence and its exit code.

Sampled: all such values of some sections run together, since each alone would take an hour; of two that would stop a
run, only the first is tried. Long because all stages run a dozen times.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from stages.configuration.compose import compose, to_yaml
from stages.params.study import problems
from tests.architecture.dependencies import ROOT, load_dvc_yaml
from tests.configuration.test_hostile_params import MODELS, keys, with_value
from tests.support.programs import run_module

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("hostile runs")]

STAGES = list(load_dvc_yaml()["stages"])
LATE = ("gates", "rules", "costs", "sweep", "portfolio", "worth", "report")
AMID = ("features", "requests", "forecaster", "calibration", "split")
FREE = {  # of five sessions: gates that let everybody trade, so that the rules run; and less of what takes long
    "universe": {"symbols": ["STRONG", "NULL"], "whitelist": ["STRONG", "NULL"]},
    "requests": {"horizons_min": [5, 10]},
    "forecaster": {"fhs_paths": 100},
    "calibration": {"methods": ["identity", "cqr"]},
    "gates": {
        "rmae_lt": 1000.0, "rrmse_lt": 1000.0, "coverage_tol": 1.0, "min_forecast_days": 1,
        "min_forecast_outcomes": 1, "min_trading_sessions": 1, "min_trades": 1, "min_ci_days": 2,
        "bootstrap_reps": 50,
    },
    "rules": {"k_sigma": 0.0},
    "worth": {"candidates": ["persistence", "ewma_fhs"], "min_days": 1},
    "report": {"fan_days": 1, "shown_symbols": 2},
}  # fmt: skip
GRID = {"k_sigma": [0.0], "s_stop": [1.0, 2.0], "horizon_min": [10]}
VALUES = {
    "0": lambda node: 0,
    "-1": lambda node: -1,
    "the least": lambda node: bound(node, "minimum", "exclusiveMinimum", 1e-6),
    "the greatest": lambda node: bound(node, "maximum", "exclusiveMaximum", -1e-6),
}
RUNS = {  # name -> the value, the sections that are full of it, the gates' policy, and the exit code
    "0": ("0", MODELS, "ci", 0),
    "-1": ("-1", MODELS, "ci", 0),
    "the least late": ("the least", LATE, "ci", 0),
    "the least late, by the letter": ("the least", LATE, "point", 0),
    "the least of what is asked": ("the least", AMID, "point", 2),
    "the least of the data gate": ("the least", ["quality"], "point", 2),
    "the least of the market": ("the least", ["source"], "point", 2),
    "the greatest late": ("the greatest", LATE, "point", 0),
    "the greatest of what is asked": ("the greatest", AMID, "point", 5),
    "the greatest of the data gate": ("the greatest", ["quality"], "point", 2),
    "the greatest of the market": ("the greatest", ["source"], "point", 2),
}
SLOW = {"gates.bootstrap_reps", "sweep.spa_reps", "worth.planned_sessions"}  # bounded by time alone


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    """The smoke study, in which every symbol trades."""
    document = compose(ROOT / "conf", ["preset=smoke", "gates=point"])
    document |= {name: document[name] | changes for name, changes in FREE.items()}
    document["sweep"] |= {"spa_reps": 100, "grid": document["sweep"]["grid"] | GRID}
    assert problems(document) == []
    return document


def bound(node: dict[str, Any], inclusive: str, exclusive: str, beside: float) -> float | None:
    """The least or greatest number that a node of a schema takes."""
    for one in [node, *node.get("anyOf", ())]:
        if inclusive in one or exclusive in one:
            step = 1 if one["type"] == "integer" else beside
            return one[inclusive] if inclusive in one else one[exclusive] + math.copysign(step, beside)
    return None


def with_all(study: dict[str, Any], sections: Iterable[str], value: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The study with every key of these sections, and what is in each list, at a value, wherever that is possible."""
    for section in sections:
        schema = MODELS[section].model_json_schema()
        for key, node in keys(schema, schema.get("$defs", {}), (section,)):
            if ".".join(key) in SLOW:
                continue
            one = value(node.get("items", node))
            try:
                changed = study | {section: with_value(study[section], key[1:], [one] if "items" in node else one)}
            except (KeyError, TypeError):  # in a group of params that is null
                continue
            study = changed if one is not None and not problems(changed) else study
    return study


def outcome(folder: Path, study: dict[str, Any]) -> int:
    """The exit code of a run. Whatever would be a traceback is raised."""
    (folder / ".dvc").mkdir()
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / "params.yaml").write_text(to_yaml(study))
    for stage in STAGES:
        done = run_module(folder, f"stages.{stage}", DVC_ROOT=str(folder))
        if done.returncode:
            break
    return done.returncode


@pytest.mark.parametrize("run", RUNS)
def test_a_study_full_of_hostile_values_runs_or_stops_with_a_sentence(study, tmp_path, run):
    name, sections, policy, code = RUNS[run]
    hostile = with_all(study, sections, VALUES[name])
    hostile["gates"] = hostile["gates"] | {"policy": policy}
    assert hostile != study
    assert outcome(tmp_path, hostile) == code


def test_a_study_in_which_no_symbol_may_trade_runs(study, tmp_path):
    assert outcome(tmp_path, study | {"universe": study["universe"] | {"whitelist": []}}) == 0
