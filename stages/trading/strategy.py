"""The strategy: everything that decides what is traded, as one frozen value, and the id of its results."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import polars as pl

from stages.errors import ConfigurationError
from stages.params.canonical import canonical
from stages.params.rules import CostsParams, RulesParams
from stages.trading.rules import require_costs


class Cell(NamedTuple):
    """What a forecast gate judges: one symbol's forecasts of one kind."""

    symbol: str
    history_days: int
    horizon_min: int
    method: str


def eligible_cells(forecast_gates: Mapping[str, Any]) -> frozenset[Cell]:
    """The cells that passed the forecast gates (`forecast_gates.json`)."""
    return frozenset(
        Cell(cell["symbol"], cell["history_days"], cell["horizon_min"], cell["method"])
        for cell in forecast_gates["cells"]
        if cell["eligible"]
    )


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

    def may_trade(self, symbol: str) -> bool:
        """On the whitelist, with a cell that passed the forecast gates."""
        cell = Cell(symbol, self.rules.history_days, self.horizon_min(symbol), self.method)
        return symbol in self.whitelist and cell in self.eligible

    @property
    def trading(self) -> list[str]:
        """The symbols that may trade, sorted."""
        return sorted(symbol for symbol in self.whitelist if self.may_trade(symbol))

    def ungated(self) -> Self:
        """The same strategy as if every symbol of the whitelist had passed its forecast gates."""
        days, method = self.rules.history_days, self.method
        return replace(self, eligible=frozenset(Cell(s, days, self.horizon_min(s), method) for s in self.whitelist))

    def with_rules(self, **changes: object) -> Self:
        """The same strategy with other rules, for instance `with_rules(entry_delay_bars=1)`."""
        return replace(self, rules=self.rules.model_copy(update=changes))

    def with_costs(self, **changes: object) -> Self:
        """The same strategy at other costs, for instance `with_costs(cost_mult=1.5)`."""
        return replace(self, costs=self.costs.model_copy(update=changes))

    def with_method(self, method: str) -> Self:
        """The same strategy with another calibration method."""
        return replace(self, method=method)

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
    """Refuse a strategy that asks for forecasts that do not exist, or trades a symbol without costs.

    Of the forecasts, only the columns `TRADABLE` are needed.
    """
    require_costs(strategy.costs, strategy.whitelist)
    rules, forecasts = strategy.rules, forecasts.filter(model=strategy.model)
    require_forecast("rules.history_days", [rules.history_days], forecasts["history_days"])
    require_forecast("rules.horizon_min", [rules.horizon_min], forecasts["horizon_min"])
    by_symbol = rules.horizon_min_by_symbol
    require_forecast("rules.horizon_min_by_symbol", by_symbol.values(), forecasts["horizon_min"])
    require_forecast("rules.horizon_min_by_symbol", by_symbol, forecasts["symbol"])
    require_forecast("calibration.method", [strategy.method], forecasts["method"])


def require_forecast(name: str, wanted: Iterable[object], made: pl.Series) -> None:
    """Refuse values of the param `name` that no forecast has. A span without any forecast refuses nothing."""
    known = set(made.unique())
    if known and (unknown := [value for value in wanted if value not in known]):
        listed = ", ".join(str(value) for value in sorted(known))
        raise ConfigurationError(
            f"{name} asks for {unknown[0]}, but the forecasts have {made.name} {listed}: choose one of these, or add "
            "it to requests and forecast again."
        )
