"""Null markets, in which there is nothing to find, and the last result of `make null` for a strategy.

A null market is the null study with another seed. Its stages run up to the buyer's verdict in a temporary folder, with
its own store and log: nothing is logged, bought or kept here. Results are kept next to the answer store, where no stage
reads them.

*Errors*: `ConfigurationError` (exit 5) with the stage's own sentence when a null market cannot run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stages.configuration.compose import compose, to_yaml
from stages.errors import ConfigurationError
from stages.io.files import read_json
from stages.io.object_store import LocalStore
from stages.io.workspace import store_root
from stages.params.study import Study
from stages.runs.scratch import run_stages, scratch_study
from stages.worth.verdict import State

if TYPE_CHECKING:
    from stages.trading.book import SpanInputs


def keep_luck(strategy: str, found: dict[str, Any]) -> None:
    """Keep a result under the strategy's id, replacing an earlier one."""
    text = json.dumps(found, indent=2, sort_keys=True, allow_nan=False) + "\n"
    LocalStore(store_root()).replace(_name(strategy), text.encode())


def kept_luck(strategy: str, gates: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result for this strategy, if these `gates` judged it: `dates` and `markets` as `trading/luck.py` makes them.

    A strategy's id depends on the gates only through the symbols that may trade.
    """
    content = LocalStore(store_root()).read(_name(strategy))
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):  # damaged: counts as missing
        found = {}
    return found if isinstance(found, dict) and found.get("gates") == gates else None


def _name(strategy: str) -> str:
    return f"null/{strategy}.json"


# The only free forecast is persistence: with nothing to find, others would only take time.
NULL_STUDY = (
    "preset=synthetic_null",
    "forecaster=seasonal",
    "worth.candidates=[persistence]",
    "worth.warmup_sessions=0",
)
STAGES = (
    "list_source",
    "fetch_bars",
    "check_data",
    "build_features",
    "build_requests",
    "forecast",
    "forecast_free",
    "calibrate",
    "seal",
    "judge_worth",
)
SEARCH = Path("artifacts/seal/search")
WORTH = Path("artifacts/judge_worth/worth.json")


def null_study() -> Study:
    """The params of the null study, answered by a local forecaster."""
    return Study.parse(yaml.safe_load(to_yaml(compose(overrides=NULL_STUDY))))


def null_market(seed: int) -> "tuple[SpanInputs, State]":
    """The search span of the null study with this market seed, and the buyer's verdict on its forecaster."""
    from stages.runs.spans import keep_span  # loads numba, which the page does not need

    params = compose(overrides=[*NULL_STUDY, f"source.synthetic.seed={seed}"])
    with scratch_study(params) as scratch:
        if failure := run_stages(STAGES, scratch, scratch):
            raise ConfigurationError(f"the null market of seed {seed} cannot run: {failure}")
        span = keep_span(scratch / SEARCH, params["calibration"]["method"])
        return span, State(read_json(scratch / WORTH)["state"])
