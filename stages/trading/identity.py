"""The strategy that params state, and its name: a short hash of all that can change what it earns on the holdout.

The name covers every declared section of params but `gates`, `report` and `sweep` (they judge, show and propose), the
cut but neither `split.open_holdout` (which holds this very name) nor `split.walk_forward` (which judges the search),
the calibration but not `calibration.methods` (only the stated one trades), the source's manifest, and the symbols that
may trade: through them alone can the gates change the result, so a threshold that is moved after the holdout was seen
makes a new, sealed strategy as soon as it moves a symbol in or out.

Params stand in it in canonical form (`params/canonical.py`): a key that is new or renamed seals nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stages.params.canonical import canonical, digest
from stages.params.study import StageStudy
from stages.trading.strategy import Cell, Strategy

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
LEFT_OUT = {"split": ("open_holdout", "walk_forward"), "calibration": ("methods",)}
HEX_DIGITS = 11


def stated_strategy(study: StageStudy, eligible: frozenset[Cell]) -> Strategy:
    """The strategy that params state, given the cells that the forecast gates let trade."""
    return Strategy(
        rules=study.rules,
        costs=study.costs,
        method=study.calibration.method,
        model=study.forecaster.model,
        whitelist=study.universe.whitelist,
        eligible=eligible,
    )


def strategy_id(study: StageStudy, manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the strategy that params state for the bars of `manifest`; `trading` names the symbols that trade."""
    return strategy_id_of(study.document(), manifest, trading)


def strategy_id_of(params: Mapping[str, Any], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The same from a document like params.yaml, also one that was written under an earlier schema."""
    kept = {
        name: {key: value for key, value in params[name].items() if key not in LEFT_OUT.get(name, ())}
        for name in SECTIONS
    }
    document = {"params": canonical(kept), "manifest": manifest, "trading": sorted(trading)}
    return "s" + digest(document, HEX_DIGITS)
