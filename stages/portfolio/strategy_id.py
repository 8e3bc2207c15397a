"""The name of a strategy: a short hash of everything that can change what it earns on the holdout.

It covers every declared section of params but `gates`, `report` and `sweep` (they judge, show and propose), the cut but
neither `split.open_holdout` (which holds this very name) nor `split.walk_forward` (which judges the search), the
calibration but not `calibration.methods` (only the stated one trades), the source's manifest, and the symbols that may
trade: through them alone can the gates change the result, so a threshold that is moved after the holdout was seen makes
a new, sealed strategy as soon as it moves a symbol in or out.

Params stand in it in canonical form (`tables/canonical.py`): a key that is new or renamed seals nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stages.tables.canonical import canonical, digest
from stages.tables.section import Section

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


def strategy_id(stated: Iterable[Section], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the strategy that params state for the bars of `manifest`; `trading` names the symbols that trade.

    `stated` may hold more sections than matter, but none of `SECTIONS` less.
    """
    return strategy_id_of({one.section: one.model_dump(mode="json") for one in stated}, manifest, trading)


def strategy_id_of(params: Mapping[str, Any], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The same from a document like params.yaml, also one that was written under an earlier schema."""
    kept = {
        name: {key: value for key, value in params[name].items() if key not in LEFT_OUT.get(name, ())}
        for name in SECTIONS
    }
    document = {"params": canonical(kept), "manifest": manifest, "trading": sorted(trading)}
    return "s" + digest(document, HEX_DIGITS)
