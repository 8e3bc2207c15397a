"""The variants of a sweep: every combination of the grid's axes, applied to the stated strategy.

An empty axis keeps the stated value. Where `horizon_min` is swept, each variant trades one horizon in every symbol,
also in symbols of `rules.horizon_min_by_symbol`.
*Errors*: `ConfigurationError` when an axis asks for forecasts that do not exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import polars as pl

from stages.params.sweep import Grid
from stages.trading.rules import require_costs
from stages.trading.strategy import Strategy, require_forecast

# Axes whose values are ordered: one step along such an axis leads to a neighbour.
SCALES = ("history_days", "horizon_min", "k_sigma", "s_stop", "s_take")
SWITCHES = ("max_hold_min", "method", "cost_mult")
AXES = (*SCALES, *SWITCHES)
KIND = ("model", "history_days", "horizon_min", "method")  # what distinguishes the forecasts of one snapshot


@dataclass(frozen=True)
class Combo:
    """One variant: its strategy, and its position on each axis of the grid."""

    strategy: Strategy
    values: Mapping[str, Any]
    place: tuple[int, ...]


def combos(base: Strategy, grid: Grid) -> list[Combo]:
    """All combinations, values ascending, the first axis varying slowest."""
    axes = [_values(base, grid, axis) for axis in AXES]
    places = product(*(range(len(axis)) for axis in axes))
    chosen = (dict(zip(AXES, values, strict=True)) for values in product(*axes))
    return [Combo(_varied(base, grid, values), values, place) for place, values in zip(places, chosen, strict=True)]


def neighbours(of: Sequence[Combo]) -> list[list[int]]:
    """For each combo, the numbers of itself and of the combos one step away along one scale."""
    number = {combo.place: n for n, combo in enumerate(of)}
    steps = [(axis, step) for axis in range(len(SCALES)) for step in (-1, 1)]
    found = []
    for place in number:
        around = [(*place[:axis], place[axis] + step, *place[axis + 1 :]) for axis, step in steps]
        found.append([number[near] for near in (place, *around) if near in number])
    return found


def require_swept(base: Strategy, grid: Grid, forecasts: pl.DataFrame) -> None:
    """Refuse horizons and methods that no forecast has, and a whitelist with a symbol without costs.

    A history that no session of the span can ask yet is accepted; its variants trade nothing. Of the forecasts, only
    the `KIND` columns are needed.
    """
    require_costs(base.costs, base.whitelist)
    made = forecasts.filter(model=base.model)
    for axis in ("horizon_min", "method"):
        require_forecast(f"sweep.grid.{axis}", getattr(grid, axis), made[axis])


def _values(base: Strategy, grid: Grid, axis: str) -> tuple[Any, ...]:
    listed: tuple[Any, ...] = getattr(grid, axis)
    if axis in SCALES:
        listed = tuple(sorted(listed))
    stated = {"method": base, "cost_mult": base.costs}.get(axis, base.rules)
    return listed or (getattr(stated, axis),)


def _varied(base: Strategy, grid: Grid, values: Mapping[str, Any]) -> Strategy:
    rules = {axis: value for axis, value in values.items() if axis not in ("method", "cost_mult")}
    if grid.horizon_min:
        rules["horizon_min_by_symbol"] = dict.fromkeys(base.rules.horizon_min_by_symbol, values["horizon_min"])
    varied = replace(base.with_rules(**rules), method=values["method"])
    mult = values["cost_mult"]
    # Costs name every symbol, so combos with equal costs share one value.
    return varied if mult == base.costs.cost_mult else varied.with_costs(cost_mult=mult)
