"""False discoveries: p-values of a family of cells, adjusted for the size of the family.

Among many symbols without skill, some look better than persistence by luck. A family holds the cells that one strategy
would trade together: the stated strategy's cells, or for any other kind of forecast (history, horizon, method) the
cells of the whitelist. A cell of a symbol that is not on the whitelist is judged among all symbols of its kind, since
adding it means that all of them were considered. If every accepted cell has an adjusted p of at most q, the expected
share of luck among them is at most q.

*Units*: p of the Diebold-Mariano test that the calibrated forecast is no better than persistence.
*Source*: Benjamini, Hochberg (1995); Benjamini, Yekutieli (2001) for positively dependent tests, like those of symbols
that share a market.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from stages.params.gates import StatedKind
from stages.params.rules import RulesParams
from stages.tables.scores import Cell

Family = tuple[Any, ...]


@dataclass(frozen=True)
class Stated:
    """The kind of forecast that the stated strategy trades, with the horizon of each symbol of the whitelist."""

    history_days: int
    method: str
    horizon_min: Mapping[str, int]

    @classmethod
    def of(cls, kind: StatedKind | RulesParams, whitelist: Iterable[str], method: str) -> Self:
        """The kind that params state."""
        horizons = {symbol: kind.horizon_min_by_symbol.get(symbol, kind.horizon_min) for symbol in whitelist}
        return cls(kind.history_days, method, horizons)


class Discovery(NamedTuple):
    """A cell's own p, its adjusted p, and the size of its family."""

    alone: float
    adjusted: float
    family: int


def discoveries(tested: Iterable[Mapping[str, Any]], stated: Stated) -> dict[Cell, Discovery]:
    """The discovery of each cell, for the entries of `metrics["cells"]` that have a p."""
    members: dict[Family, dict[Cell, float]] = defaultdict(dict)
    judged_in: dict[Cell, Family] = {}
    for entry in tested:
        cell, p = Cell.of(entry), entry["dm"]["calibrated"]["p_better"]
        if p is not None:
            families = _families(cell, stated)
            for family in families:
                members[family][cell] = p
            judged_in[cell] = families[-1]
    adjusted = {family: _benjamini_hochberg(alone) for family, alone in members.items()}
    return {
        cell: Discovery(members[family][cell], adjusted[family][cell], len(members[family]))
        for cell, family in judged_in.items()
    }


def _families(cell: Cell, stated: Stated) -> list[Family]:
    """All families that contain the cell; the last one judges it."""
    symbol, *kind = cell
    found: list[Family] = [("all", *kind)]
    if symbol in stated.horizon_min:
        found.append(("whitelist", *kind))
        if kind == [stated.history_days, stated.horizon_min[symbol], stated.method]:
            found.append(("stated",))
    return found


def _benjamini_hochberg(alone: Mapping[Cell, float]) -> dict[Cell, float]:
    """The smallest level at which each cell would still be accepted."""
    rising = sorted(alone, key=alone.__getitem__)
    scaled = [alone[cell] * len(rising) / rank for rank, cell in enumerate(rising, start=1)]
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    return dict(zip(rising, map(float, least), strict=True))
