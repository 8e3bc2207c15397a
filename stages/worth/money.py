"""The question of money: what the stated rule earns more a day with the asked forecasts than with the free ones.

Both sides trade the same rule at the same costs on the same bars, with their own calibrated quantiles. Forecast gates
are left out on both sides, since they would judge the asked forecasts by their outcomes and the free ones not at all.

*Units*: P&L in bp of a symbol's unit of capital, summed over symbols; values of a day in the currency of
`worth.notional`, or in bp where it is null.
*Time*: a day's value is known at its close.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

import numpy as np
import polars as pl

from stages.params.worth import WorthParams
from stages.tables.forecasts import MIX
from stages.tables.trades import PORTFOLIO
from stages.trading.book import SpanInputs
from stages.trading.daily import daily_table
from stages.trading.strategy import Strategy
from stages.worth.evidence import Floats

BP = 1e4
ASKED = "asked"
PAIRED = ("ewma_fhs", "har", "persistence", "seasonal")  # the two that are nearest to each other first
LEAST_SD = 1.0  # bp of one symbol's capital a day, where the rule trades neither side


@dataclass(frozen=True)
class Bought:
    """What was asked by session, oldest first: requests at one a snapshot, and their tokens. *Shapes*: (sessions,)."""

    sessions: Sequence[date]
    calls: Floats
    tokens: Floats

    @classmethod
    def of(cls, calls: pl.DataFrame) -> Self:
        """From table `Calls`."""
        of_days = (calls[name].to_numpy().astype(np.float64) for name in ("calls", "tokens"))
        return cls(calls["session"].to_list(), *of_days)

    def until(self, session: date | None) -> int:
        """The calls up to and with this session."""
        return int(
            sum(calls for day, calls in zip(self.sessions, self.calls, strict=True) if session and day <= session)
        )

    def only(self, sessions: Iterable[date]) -> Self:
        """The same for some of the sessions."""
        wanted = set(sessions)
        kept = np.array([day in wanted for day in self.sessions], dtype=bool)
        days = [day for day, keep in zip(self.sessions, kept, strict=True) if keep]
        return replace(self, sessions=days, calls=self.calls[kept], tokens=self.tokens[kept])


@dataclass(frozen=True, kw_only=True)
class MoneyDays:
    """By session: what the asked side earns more before (`gross`) and after (`net`) the price of its calls.

    *Shapes*: (sessions,). `sd` is the planned deviation of a day, from two free forecasts.
    """

    bought: Bought
    gross: Floats
    net: Floats
    sd: float


def money_days(
    asked: SpanInputs, free: Mapping[str, pl.DataFrame], strategy: Strategy, bought: Bought, params: WorthParams
) -> MoneyDays:
    """Every session of `asked` in which its forecasts are calibrated; `free` by name, `free_mix` among them.

    The planned deviation is that between two free forecasts, which is known without any answer that was paid.
    """
    bought = bought.only(asked.forecasts.filter("calibrated")["session"].unique())
    names = [name for name in PAIRED if name in free]
    first, second = (*names, MIX)[:2]

    sides = {ASKED: asked.forecasts, **{name: free[name] for name in (MIX, first, second)}}
    net_bp = daily_net_bp(asked, sides, strategy, bought.sessions)
    unit = 1.0 if params.notional is None else params.notional / BP
    gross = (net_bp[ASKED] - net_bp[MIX]) * unit
    apart = (net_bp[first] - net_bp[second]) * unit
    sd = float(np.std(apart, ddof=1)) if len(apart) > 1 else 0.0
    return MoneyDays(bought=bought, gross=gross, net=gross - _price_of_days(bought, params), sd=sd or LEAST_SD * unit)


def daily_net_bp(
    inputs: SpanInputs, sides: Mapping[str, pl.DataFrame], strategy: Strategy, sessions: Sequence[date]
) -> dict[str, Floats]:
    """By side: what the rule earns on its forecasts in each of these sessions, after costs, summed over its symbols.

    Forecasts of a side are of one model and history; every symbol of the whitelist trades them, whatever gates say.
    """
    earned = {name: np.zeros(len(sessions)) for name in sides}
    trading = {name: rows for name, rows in sides.items() if rows.height and strategy.whitelist}
    if not trading:
        return earned
    own = [
        replace(strategy.with_rules(history_days=rows["history_days"][0]), model=rows["model"][0]).ungated()
        for rows in trading.values()
    ]
    together = replace(inputs, forecasts=pl.concat(trading.values()))
    for name, one, trades in zip(trading, own, together.traded(own), strict=True):
        daily = daily_table(trades, list(sessions), one.whitelist, one.trading).filter(pl.col("symbol") != PORTFOLIO)
        summed = daily.group_by("session").agg(pl.col("net_bp").sort().sum()).sort("session")
        earned[name] = summed["net_bp"].to_numpy()
    return earned


def _price_of_days(bought: Bought, params: WorthParams) -> Floats:
    """What each day's calls cost; 0 without a stated price, or where P&L has no currency."""
    if params.notional is None:
        return np.zeros(len(bought.calls))
    if params.price_per_million_tokens is not None:
        return np.asarray(bought.tokens * params.price_per_million_tokens / 1e6)
    return np.asarray(bought.calls * (params.price_per_call or 0.0))
