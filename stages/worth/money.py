"""The question of money: what the stated rule earns more a day with the asked forecasts than with the free ones.

Both sides trade the same rule at the same costs on the same bars, with their own calibrated quantiles, at snapshots at
which the asked forecasts are calibrated. Forecast gates are left out on both sides, since they would judge the asked
forecasts by their outcomes and the free ones not at all.

*Units*: P&L in bp of a symbol's unit of capital, summed over symbols; values of a day in the currency of
`worth.notional`, or in bp where it is null.
*Time*: a day's value is known at its close.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import fsum
from typing import NamedTuple

import numpy as np
import polars as pl

from stages.params.worth import WorthParams
from stages.sessions.calendar import FULL_SESSION_MIN
from stages.tables.forecasts import MIX
from stages.trading.strategy import Strategy
from stages.worth.evidence import Floats

BP = 1e4
ASKED = "asked"
LEAST_BP = 1.0  # planned deviation where no symbol may trade


@dataclass(frozen=True, kw_only=True)
class MoneyDays:
    """By session: what the asked side earns more before (`gross`) and after (`net`) the price of its `calls`.

    *Tables*: `Calls`. *Shapes*: (sessions,). `sd` is the planned deviation of a day.
    """

    calls: pl.DataFrame
    gross: Floats
    net: Floats
    sd: float


class Swing(NamedTuple):
    """What one trade in a symbol may win or lose, as known in this session, its first with a `sigma_5m`."""

    session: date
    bp: float


def swing_of(forecasts: pl.DataFrame, rule: Strategy, symbol: str) -> Swing | None:
    """What one trade in the symbol may win or lose: to its farther barrier, or less where it must end before.

    So a day counts by what it risked, not by how calm the days before it were: a rule that wins little and often, and
    loses much and rarely, looks calm until it loses.
    *Time*: from the snapshots of the first session with a `sigma_5m`, before any outcome is known. None without one.
    """
    known = forecasts.filter(pl.col("sigma_5m").is_not_null())
    first = known.filter(pl.col("session") == pl.col("session").min())
    if first.is_empty():
        return None
    tick = rule.costs.tick_size.get(symbol, 0.0) / first["last"].to_numpy()
    sigma_5m = np.maximum(first["sigma_5m"].to_numpy(), tick)  # as the rule takes it
    usual_move = float(np.sqrt((rule.hold_min(symbol) or FULL_SESSION_MIN) / 5))
    barrier = max(rule.rules.s_stop, rule.rules.s_take)
    return Swing(first["session"][0], BP * float(sigma_5m.mean()) * min(barrier, usual_move))


def planned_swing_bp(swings: Collection[Swing], symbols: int, begins: date) -> float:
    """What one trade in each of the symbols may win or lose together, as known when money's days begin.

    A symbol that was not asked by then counts as the mean of those that were: were it added when it comes, the evidence
    of earlier days would change. 0 where none was ever asked.
    """
    known_by = max(begins, min((one.session for one in swings), default=begins))
    known = [one.bp for one in swings if one.session <= known_by]
    return fsum(known) * (symbols / len(known)) if known else 0.0


def rules_of_sides(strategy: Strategy, kinds: Mapping[str, tuple[str, int]]) -> dict[str, Strategy]:
    """The stated rule on each side's forecasts, by its model and history; every symbol of the whitelist trades them."""
    return {
        side: replace(strategy.with_rules(history_days=days), model=model).ungated()
        for side, (model, days) in kinds.items()
        if strategy.whitelist
    }


def money_days(
    net_bp: Mapping[str, pl.DataFrame], planned_bp: float, calls: pl.DataFrame, params: WorthParams
) -> MoneyDays:
    """Every session of table `Calls`: those with calibrated asked forecasts, from the first with one that may trade on.

    `planned_bp` is what one trade in each symbol may win or lose together (`planned_swing_bp`).
    *Tables*: `net_bp` has by side what each symbol of the whitelist earns by `session`, after costs, as `net_bp`.
    """
    earned = {side: _by_day(rows, calls["session"].to_list()) for side, rows in net_bp.items()}
    none = np.zeros(calls.height)
    unit = 1.0 if params.notional is None else params.notional / BP
    gross = (earned.get(ASKED, none) - earned.get(MIX, none)) * unit
    net = gross - _price_of_days(calls, params)
    return MoneyDays(calls=calls, gross=gross, net=net, sd=(planned_bp or LEAST_BP) * unit)


def _by_day(rows: pl.DataFrame, sessions: Sequence[date]) -> Floats:
    """The sum over symbols in each of these sessions."""
    mine = rows.filter(pl.col("session").is_in(list(sessions)))
    summed = mine.group_by("session").agg(pl.col("net_bp").sort().sum()).sort("session")
    return np.asarray(summed["net_bp"].to_numpy())


def _price_of_days(calls: pl.DataFrame, params: WorthParams) -> Floats:
    """What each day's calls cost; 0 without a stated price, or where P&L has no currency."""
    if params.notional is None:
        return np.zeros(calls.height)
    if params.price_per_million_tokens is not None:
        return np.asarray(calls["tokens"].to_numpy() * params.price_per_million_tokens / 1e6)
    return np.asarray(calls["calls"].to_numpy() * (params.price_per_call or 0.0))
