"""The name of a strategy: a short hash of everything that can change what it earns on the holdout.

It covers every declared section of params but `gates`, `report` and `sweep` (they judge, show and propose), the cut but
neither `split.open_holdout` (which holds this very name) nor `split.walk_forward` (which judges the search), the
source's manifest, and the symbols that may trade: through them alone can the gates change the result, so a threshold
that is moved after the holdout was seen makes a new, sealed strategy as soon as it moves a symbol in or out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

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
HEX_DIGITS = 11


def strategy_id(stated: Iterable[Section], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the strategy that params state for the bars of `manifest`; `trading` names the symbols that trade.

    `stated` may hold more sections than matter, but none of `SECTIONS` less.
    """
    values = {section.section: section.model_dump(mode="json") for section in stated}
    for what_judges in ("open_holdout", "walk_forward"):
        del values["split"][what_judges]
    document = {
        "params": {name: values[name] for name in SECTIONS},
        "manifest": manifest,
        "trading": sorted(trading),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "s" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:HEX_DIGITS]
