"""The strategy: everything that decides what is traded, as one frozen value, and the ids of variants and strategies.

A strategy's id is a short hash of everything that can change its result on the holdout: every declared section of
params except `gates`, `worth`, `report` and `sweep` (they judge, show and propose); `split` except `split.open_holdout`
(which holds this id) and `split.walk_forward` (which judges the search); `calibration` except `calibration.methods`
(only the stated method trades); `forecaster` except its `trained_until` and a program that is not asked (which change
no asked forecast); the source's manifest; and the symbols that may trade. Gates can change the result only through
these symbols. So a threshold that is changed after the holdout was seen makes a new, sealed strategy as soon as it
moves a symbol in or out.

Params are in canonical form (`params/canonical.py`): a new or renamed key changes no id.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from stages.errors import ConfigurationError
from stages.params.canonical import canonical, digest
from stages.params.rules import CostsParams, RulesParams
from stages.tables.scores import Cell
from stages.trading.rules import require_costs

if TYPE_CHECKING:
    from stages.params.study import StageStudy  # slow to load, and only a type here


def eligible_cells(forecast_gates: Mapping[str, Any]) -> frozenset[Cell]:
    """The cells that passed the forecast gates (`forecast_gates.json`)."""
    return frozenset(Cell.of(cell) for cell in forecast_gates["cells"] if cell["eligible"])


@dataclass(frozen=True)
class Strategy:
    """Rules and costs, the forecasts they use (`model`, calibration `method`), and who may trade."""

    rules: RulesParams
    costs: CostsParams
    method: str
    model: str
    whitelist: tuple[str, ...]
    eligible: frozenset[Cell]

    def horizon_min(self, symbol: str) -> int:
        """The horizon whose forecasts this symbol trades."""
        return self.rules.horizon_min_by_symbol.get(symbol, self.rules.horizon_min)

    def hold_min(self, symbol: str) -> int | None:
        """The longest holding time of a position in this symbol, if the rules limit it."""
        hold = self.rules.max_hold_min
        return self.horizon_min(symbol) if hold == "horizon" else hold

    def cell(self, symbol: str) -> Cell:
        """The forecasts that this symbol trades."""
        return Cell(symbol, self.rules.history_days, self.horizon_min(symbol), self.method)

    def may_trade(self, symbol: str) -> bool:
        """On the whitelist, with a cell that passed the forecast gates."""
        return symbol in self.whitelist and self.cell(symbol) in self.eligible

    @property
    def trading(self) -> list[str]:
        """The symbols that may trade, sorted."""
        return sorted(symbol for symbol in self.whitelist if self.may_trade(symbol))

    def ungated(self) -> Self:
        """The same strategy as if every symbol of the whitelist had passed its forecast gates."""
        return replace(self, eligible=frozenset(map(self.cell, self.whitelist)))

    def with_rules(self, **changes: object) -> Self:
        """The same strategy with other rules, for instance `with_rules(entry_delay_bars=1)`."""
        return replace(self, rules=self.rules.model_copy(update=changes))

    def with_costs(self, **changes: object) -> Self:
        """The same strategy at other costs, for instance `with_costs(cost_mult=1.5)`."""
        return replace(self, costs=self.costs.model_copy(update=changes))

    def params(self) -> dict[str, Any]:
        """All params that define this variant; not the eligible cells, which are a result of the data."""
        return {
            "rules": self.rules.model_dump(),
            "costs": self.costs.model_dump(),
            "method": self.method,
            "model": self.model,
            "whitelist": sorted(self.whitelist),
        }

    @cached_property
    def combo(self) -> str:
        """The variant's id: a digest of its params in canonical form. *Shapes*: 12 hexadecimal digits."""
        text = json.dumps(canonical(self.params()), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


TRADABLE = ("symbol", "history_days", "horizon_min", "model", "method")


def require_tradable(strategy: Strategy, forecasts: pl.DataFrame) -> None:
    """Refuse a strategy that asks for a kind of forecast that no symbol has, or trades a symbol without costs.

    A single symbol may lack it, as one that is listed later. Of the forecasts, only the columns `TRADABLE` are needed.
    """
    require_costs(strategy.costs, strategy.whitelist)
    rules, forecasts = strategy.rules, forecasts.filter(model=strategy.model)
    require_forecast("rules.history_days", [rules.history_days], forecasts["history_days"])
    require_forecast("rules.horizon_min", [rules.horizon_min], forecasts["horizon_min"])
    require_forecast("rules.horizon_min_by_symbol", rules.horizon_min_by_symbol.values(), forecasts["horizon_min"])
    require_forecast("calibration.method", [strategy.method], forecasts["method"])


def require_forecast(name: str, wanted: Iterable[object], made: pl.Series) -> None:
    """Refuse values of the param `name` that no forecast has. A span without any forecast refuses nothing."""
    known = set(made.unique())
    if known and (unknown := [value for value in wanted if value not in known]):
        listed = ", ".join(str(value) for value in sorted(known))
        raise ConfigurationError(
            f"{name} asks for {unknown[0]}, but the forecasts have {made.name} {listed}: choose one of these, or let "
            "enough sessions ask it (requests, calibration.methods, universe.first_session to universe.last_session)."
        )


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


def stated_strategy(study: "StageStudy", eligible: frozenset[Cell]) -> Strategy:
    """The strategy that params state, given the cells that passed the forecast gates."""
    return Strategy(
        rules=study.rules,
        costs=study.costs,
        method=study.calibration.method,
        model=study.forecaster.model,
        whitelist=study.universe.whitelist,
        eligible=eligible,
    )


def strategy_id(params: Mapping[str, Any], manifest: Mapping[str, Any], trading: Iterable[str]) -> str:
    """The id of the strategy that params state, also in an earlier schema, for the bars of `manifest`.

    `trading` names the symbols that trade.
    """
    kept = {
        name: {key: value for key, value in params[name].items() if key not in LEFT_OUT.get(name, ())}
        for name in SECTIONS
    }
    document = {"params": canonical(kept), "manifest": manifest, "trading": sorted(trading)}
    return "s" + digest(document, HEX_DIGITS)
