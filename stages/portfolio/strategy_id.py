"""The name of a strategy: a short hash of everything that can change what it earns on the holdout.

It covers every declared section of params but `gates`, `report` and `sweep` (they judge, show and propose), the cut but
not `split.open_holdout` (which holds this very name), the source's manifest, and the cells that may trade: through them
alone can the gates change the result, so a threshold moved after the holdout was seen is a new, sealed strategy as soon
as it moves a symbol in or out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

SECTIONS = (
    "source",
    "universe",
    "quality",
    "features",
    "requests",
    "forecaster",
    "calibration",
    "split",
    "rules",
    "costs",
    "portfolio",
)
HEX_DIGITS = 12


def strategy_id(params: Mapping[str, Any], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the strategy that `params` state for the bars of `manifest`; `trading` names the symbols that trade.

    `params` may hold more sections than matter. `1` and `1.0` are the same number, so also the same strategy.
    """
    stated = {name: dict(params[name]) for name in SECTIONS}
    del stated["split"]["open_holdout"]
    document = {"params": stated, "manifest": manifest, "trading": sorted(trading)}
    text = json.dumps(_canonical(document), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:HEX_DIGITS]


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
