"""Trade many variants of a strategy at once: what they share is worked out once.

How a position ends depends on its snapshot, side, stop, target and holding time, not on who opens it. So first touches
are found once a symbol for all levels, exits once a way of leaving (stop, target, hold), views once a kind of forecast;
only the walk through the book is done per variant, and variants that differ in `k_sigma` share even that where they
can. Symbols come one after the other, so memory does not grow with their number.

*Tables*: one `Book` a variant, in the order given; the same, to the last unit, as `simulate` gives for each.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.backtesting.kernels import Desk, Ledger, Plan, Static, add_to_ledger, fill_exits, fill_touches
from stages.backtesting.market import SymbolMarket
from stages.backtesting.positions import desk_of, empty_exits, empty_touches, enters_in_time, late_of, static_of
from stages.backtesting.strategy import Strategy
from stages.backtesting.summary import Book
from stages.rules.costs import SymbolCosts, symbol_costs
from stages.rules.expected_value import lost_to_target, saved_by_stop
from stages.rules.signals import Views, views

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Kind(NamedTuple):
    """Which forecasts are traded, and the multiple of costs they must clear."""

    history_days: int
    horizon_min: int
    method: str
    cost_mult: float


class Leaving(NamedTuple):
    """How positions end, and the multiple of costs they pay."""

    s_stop: float
    s_take: float
    hold_min: int
    cost_mult: float


class Levels(NamedTuple):
    """All stops and targets of a grid, ascending."""

    stops: Floats
    takes: Floats


@dataclass(frozen=True)
class Outlook:
    """One kind of forecasts seen from the desk: tests without barriers, and the parts of the expected value."""

    static: Static
    wanted: Bools  # (2, snapshots): positions that some variant could open
    in_time: Bools
    view: Views
    saved_bp: Mapping[float, Floats]  # by stop
    lost_bp: Mapping[float, Floats]  # by target

    def with_barriers(self, leaving: Leaving, risk_aversion: float) -> Static:
        """The tests, now that the expected value is known; summed in the order of `rules.signals`."""
        kept = self.view.mu_bp + self.saved_bp[leaving.s_stop] - self.lost_bp[leaving.s_take]
        ev_bp = kept - self.view.cost_bp - risk_aversion * self.view.sd_bp
        return self.static._replace(late=late_of(ev_bp, self.in_time))


def trade_grid(markets: Sequence[SymbolMarket], sessions: int, strategies: Sequence[Strategy]) -> list[Book]:
    """The book of every strategy; they share model, whitelist and all rules that `SweepParams.grid` cannot change."""
    ledger = Ledger(np.zeros((sessions, len(strategies)), np.int64), *np.zeros((6, len(strategies)), np.int64))
    for market in markets:
        _trade_symbol(market, strategies, ledger)
    totals = zip(*(array.tolist() for array in ledger[1:]), strict=True)
    return [Book(ledger.net_units[:, n].copy(), *total) for n, total in enumerate(totals)]


def _trade_symbol(market: SymbolMarket, strategies: Sequence[Strategy], ledger: Ledger) -> None:
    """Add one symbol's trades to the ledger, a column a variant."""
    variants = _variants(market, strategies)
    costs = symbol_costs(strategies[0].costs, market.symbol)
    if not variants or costs is None:
        return
    rules = strategies[0].rules
    desk = desk_of(market.tape, market.snaps, rules, costs)
    levels = Levels(*(np.array(sorted({leaving[i] for leaving in variants})) for i in range(2)))
    kinds = {kind for columns in variants.values() for kind in columns}
    outlooks = {kind: _outlook(market, desk, kind, costs, levels) for kind in kinds}
    wanted = np.logical_or.reduce([outlook.wanted for outlook in outlooks.values()])
    touches = empty_touches(len(desk.sigma), *map(len, levels))
    exits = empty_exits(len(desk.sigma))
    fill_touches(desk, wanted, *levels, touches)
    for leaving, columns in variants.items():
        stop, take = (int(np.searchsorted(*pair)) for pair in zip(levels, leaving[:2], strict=True))
        plan = Plan(stop, take, *leaving[:3], costs.fees_bps, costs.half_spread_px, leaving.cost_mult)
        fill_exits(desk, wanted, touches, plan, exits)
        for kind, numbers in columns.items():
            work = (desk, outlooks[kind].with_barriers(leaving, rules.risk_aversion), exits)
            strengths = np.array([strategies[n].rules.k_sigma for n in numbers])
            book = (rules.daily_trade_cap, rules.cooldown_bars)
            add_to_ledger(work, book, strengths, np.array(numbers), ledger)


def _variants(market: SymbolMarket, strategies: Sequence[Strategy]) -> Mapping[Leaving, Mapping[Kind, list[int]]]:
    """The numbers of the strategies that may trade a symbol, by what they share, weakest `k_sigma` first."""
    symbol = market.symbol
    found: dict[Leaving, dict[Kind, list[int]]] = defaultdict(lambda: defaultdict(list))
    for n in sorted(range(len(strategies)), key=lambda n: strategies[n].rules.k_sigma):
        rules, mult = strategies[n].rules, strategies[n].costs.cost_mult
        kind = Kind(rules.history_days, strategies[n].horizon_min(symbol), strategies[n].method, mult)
        if strategies[n].may_trade(symbol) and kind[:3] in market.feeds:
            found[Leaving(rules.s_stop, rules.s_take, strategies[n].hold_min(symbol) or 0, mult)][kind].append(n)
    return found


def _outlook(market: SymbolMarket, desk: Desk, kind: Kind, costs: SymbolCosts, levels: Levels) -> Outlook:
    feed = market.feeds[kind[:3]]
    view = views(feed.quartiles, desk.snaps.last, desk.sigma, replace(costs, mult=kind.cost_mult))
    in_time = enters_in_time(desk, kind.horizon_min) & ~np.isnan(desk.sigma)
    return Outlook(
        static=static_of(desk, feed, view, gate_is_open=True),
        wanted=np.stack([in_time & (view.side > 0), in_time & (view.side < 0)]),
        in_time=in_time,
        view=view,
        saved_bp={s: saved_by_stop(view.mu_bp, view.sd_bp, 1e4 * s * desk.sigma) for s in levels.stops.tolist()},
        lost_bp={t: lost_to_target(view.mu_bp, view.sd_bp, 1e4 * t * desk.sigma) for t in levels.takes.tolist()},
    )
