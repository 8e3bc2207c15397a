"""The question of money: the stated rule's extra earnings a day with the asked forecasts over the free ones.

Both sides trade the same rule at the same costs on the same bars, with their own calibrated quantiles, at snapshots
whose asked forecasts are calibrated. Neither side uses forecast gates, which judge only the asked forecasts.

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
    """The asked side's extra earnings by session, before (`gross`) and after (`net`) the price of its `calls`.

    *Tables*: `Calls`. *Shapes*: (sessions,). `sd` is the planned deviation of a day.
    """

    calls: pl.DataFrame
    gross: Floats
    net: Floats
    sd: float


class Swing(NamedTuple):
    """The swing of a symbol, what one trade may win or lose, known from its first session with a `sigma_5m`."""

    session: date
    bp: float


def swing_of(forecasts: pl.DataFrame, rule: Strategy, symbol: str) -> Swing | None:
    """What one trade in the symbol may win or lose: the move to its farther barrier, or the usual one if smaller.

    It scales a day by what was risked, not by how calm earlier days were: a rule with frequent small wins and rare
    large losses looks calm until it loses.
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
    """The sum over symbols of what one trade may win or lose, as known when money's days begin.

    A symbol that is asked only later counts as the mean of the others; adding its own swing later would change the
    evidence of earlier days. 0 if none was ever asked.
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
    """The money of every session in `calls`, from the first with a calibrated forecast of a symbol that may trade.

    *Tables*: `net_bp` holds by side the P&L of each symbol of the whitelist after costs: `session`, `net_bp`.
    *Units*: `planned_bp` as `planned_swing_bp` returns it.
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
    """The price of each day's calls; 0 without a stated price, or if P&L has no currency."""
    if params.notional is None:
        return np.zeros(calls.height)
    if params.price_per_million_tokens is not None:
        return np.asarray(calls["tokens"].to_numpy() * params.price_per_million_tokens / 1e6)
    return np.asarray(calls["calls"].to_numpy() * (params.price_per_call or 0.0))
