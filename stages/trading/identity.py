"""The stated strategy and its id: a short hash of everything that can change its result on the holdout.

The id covers every declared section of params except `gates`, `worth`, `report` and `sweep` (they judge, show and
propose); `split` except `split.open_holdout` (which holds this id) and `split.walk_forward` (which judges the search);
`calibration` except `calibration.methods` (only the stated method trades); `forecaster` except its `trained_until` and
a program that is not asked (which change no asked forecast); the source's manifest; and the symbols that may trade.
Gates can change the result only through these symbols. So a threshold that is changed after the holdout was seen makes
a new, sealed strategy as soon as it moves a symbol in or out.

Params are in canonical form (`params/canonical.py`): a new or renamed key changes no id.
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
LEFT_OUT = {
    "split": ("open_holdout", "walk_forward"),
    "calibration": ("methods",),
    "forecaster": ("trained_until",),
}
HEX_DIGITS = 11


def stated_strategy(study: StageStudy, eligible: frozenset[Cell]) -> Strategy:
    """The strategy that params state, given the cells that passed the forecast gates."""
    return Strategy(
        rules=study.rules,
        costs=study.costs,
        method=study.calibration.method,
        model=study.forecaster.model,
        whitelist=study.universe.whitelist,
        eligible=eligible,
    )


def strategy_id(study: StageStudy, manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the stated strategy for the bars of `manifest`; `trading` names the symbols that trade."""
    return strategy_id_of(study.document(), manifest, trading)


def strategy_id_of(params: Mapping[str, Any], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The same from a document like params.yaml, also one of an earlier schema."""
    kept = {
        name: {key: value for key, value in params[name].items() if key not in LEFT_OUT.get(name, ())}
        for name in SECTIONS
    }
    document = {"params": canonical(kept), "manifest": manifest, "trading": sorted(trading)}
    return "s" + digest(document, HEX_DIGITS)
