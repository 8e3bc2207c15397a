"""What counts as a trial: one variant of the rule, judged on one way of making its forecasts.

A combo's id names rules, costs, method, model and who may trade. The same combo on other bars, questions, forecasters,
corrections or cuts is another look at the data, so a variant is a combo within its context: a digest of the params that
stand before the rule. `sweep` itself is in neither, so writing `sweep.prior_trials` makes no new variant.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

UPSTREAM = ("source", "quality", "features", "requests", "forecaster")
NAMED_BY_COMBO = {"universe": ("whitelist",), "calibration": ("method",), "split": ("open_holdout", "walk_forward")}
CONTEXT_DIGITS = 8

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """Variants that were evaluated together, or the opening of a holdout; with the names they are counted under."""

    source: str
    study: str
    variants: tuple[str, ...] = ()
    opening: str | None = None
    month: str | None = None  # of the holdout, where it was opened for one month alone

    @property
    def family(self) -> tuple[str, str]:
        """Source and study: what a count of trials is about."""
        return self.source, self.study


def evaluated(params: Params, combo_ids: Iterable[str]) -> Entry:
    """The entry of combos that were judged under these params."""
    context = context_of(params)
    variants = tuple(sorted({f"{context}-{combo}" for combo in combo_ids}))
    return Entry(params["source"]["name"], params["report"]["study"], variants=variants)


def opened(params: Params, strategy_id: str, month: str | None = None) -> Entry:
    """The entry of a holdout, or of one month of it, that was opened under these params."""
    return Entry(params["source"]["name"], params["report"]["study"], opening=strategy_id, month=month)


def context_of(params: Params) -> str:
    """A digest of all params that stand before the rule, without what a combo's id names already."""
    stated: dict[str, Any] = {name: params[name] for name in UPSTREAM}
    for name, left_out in NAMED_BY_COMBO.items():
        stated[name] = {key: value for key, value in params[name].items() if key not in left_out}
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:CONTEXT_DIGITS]


def prior_trials(entries: Iterable[Entry], now: Entry) -> int:
    """How many variants of the same source and study were ever evaluated beyond those of the grid `now`."""
    ever = {variant for entry in entries if entry.family == now.family for variant in entry.variants}
    return len(ever - set(now.variants))
