"""The grid engine: trades many variants of a strategy at once, in blocks that share their common work.

How a position ends depends on its snapshot, side, stop, target and holding time, not on the variant that opens it. So
first touches are found once a symbol for all levels, exits once an exit rule (stop, target, hold), and views once a
forecast kind. Only the walk through the book is done per variant, and variants that differ only in `k_sigma` share
parts of that too. Symbols are processed one after the other, so memory does not grow with their number. Within a
symbol, threads share its sessions, each with its own ledger. Blocks of variants are independent and may run in any
number of processes or machines.

*Tables*: one `Book` a variant, in the given order, exactly equal to that of `simulate`. Sums are of whole millionths,
so threads, blocks and the order of symbols do not change them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Self

import numba
import numpy as np
import polars as pl

from stages.errors import at_work_on
from stages.params.rules import RulesParams
from stages.sessions.spans import Span, within
from stages.tables.scores import Cell
from stages.trading.kernels import DayRules, add_to_ledger, fill_exits, fill_touches
from stages.trading.market import (
    CANDIDATE,
    OF_TOTAL,
    TOTAL,
    Bools,
    Feed,
    Floats,
    Ints,
    Records,
    SymbolMarket,
    markets_of,
    records,
)
from stages.trading.performance import Book
from stages.trading.positions import SymbolContext, context_of, empty_exits, empty_touches, may_order
from stages.trading.rules import lost_to_target, saved_by_stop, symbol_costs
from stages.trading.strategy import Strategy


class Kind(NamedTuple):
    """The kind of forecasts that is traded, and the cost multiple that they must clear."""

    history_days: int
    horizon_min: int
    method: str
    cost_mult: float


class ExitRule(NamedTuple):
    """How positions end, and the cost multiple they pay."""

    s_stop: float
    s_take: float
    hold_min: int
    cost_mult: float


class Levels(NamedTuple):
    """All stops and targets of a grid, ascending."""

    stops: Floats
    takes: Floats


@dataclass(frozen=True)
class Candidates:
    """The forecasts of one kind for a symbol: which are candidates, and what each level costs or saves them."""

    candidates: Records
    wanted: Bools  # (2, snapshots): positions that some variant could open
    saved_bp: Mapping[float, Floats]  # by stop
    lost_bp: Mapping[float, Floats]  # by target


@dataclass(frozen=True)
class Family:
    """Strategies that differ only in `k_sigma`, ascending: their rows, and one of them for all other params."""

    strategy: Strategy
    strengths: Floats
    rows: Ints


def trade_grid(
    markets: Iterable[SymbolMarket], sessions: int, strategies: Sequence[Strategy], threads: int | None = None
) -> list[Book]:
    """The book of every strategy. They share model, whitelist and all rules that `SweepParams.grid` cannot change.

    `threads` defaults to the number that numba would use.
    """
    count = threads or numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    net_units = np.zeros((len(strategies), sessions), np.int64)
    totals = np.zeros((count, len(strategies)), TOTAL)
    families = _families(strategies)
    ledgers = [(net_units, own) for own in totals]  # each day belongs to one part, so all parts may share the array
    with ThreadPoolExecutor(count) if count > 1 else nullcontext() as pool:
        each = pool.map if pool else map
        for market in markets:
            with at_work_on(market.symbol):
                list(each(partial(_trade_part, families), market.in_parts(count), ledgers))
    whole = {name: totals[name].sum(axis=0).tolist() for name in OF_TOTAL}
    return [Book(net, *total) for net, *total in zip(net_units, *whole.values(), strict=True)]


def _trade_part(families: Sequence[Family], market: SymbolMarket, ledger: tuple[Ints, Records]) -> None:
    """Add one symbol's trades in some sessions to the ledger, one row a strategy."""
    rules, costs = families[0].strategy.rules, symbol_costs(families[0].strategy.costs, market.symbol)
    shared = _by_exit_rule(market, families)
    if not shared or costs is None:
        return
    context = context_of(market, rules, costs)
    stops, takes = levels = Levels(*(np.array(sorted({exit_rule[i] for exit_rule in shared})) for i in range(2)))
    kinds = {kind for members in shared.values() for kind, _ in members}
    candidates_by_kind = {kind: _candidates(context, market.feeds[kind[:3]], kind, levels, rules) for kind in kinds}
    wanted = np.logical_or.reduce([candidates.wanted for candidates in candidates_by_kind.values()])
    touches = empty_touches(len(context.snapshots), len(stops), len(takes))
    exits = empty_exits(len(context.snapshots))
    fill_touches(context.arrays, wanted, stops, takes, touches)
    day_rules = DayRules.of(rules)
    for exit_rule, members in shared.items():
        stop, take = ((int(np.searchsorted(*pair)), pair[1]) for pair in zip(levels, exit_rule[:2], strict=True))
        paid = (costs.fees_bps, costs.half_spread_px, exit_rule.cost_mult)
        fill_exits(context.arrays, wanted, touches, (stop, take, exit_rule.hold_min, paid), exits)
        for kind, family in members:
            candidates = candidates_by_kind[kind]
            cuts = (candidates.saved_bp[exit_rule.s_stop], candidates.lost_bp[exit_rule.s_take])
            add_to_ledger(candidates.candidates, cuts, exits, (day_rules, family.strengths, family.rows), ledger)


def _families(strategies: Sequence[Strategy]) -> list[Family]:
    members: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for n, strategy in enumerate(strategies):
        rules = strategy.rules
        own = tuple(sorted(rules.horizon_min_by_symbol.items()))
        forecasts = (rules.history_days, rules.horizon_min, own, strategy.method, strategy.costs.cost_mult)
        members[(*forecasts, rules.s_stop, rules.s_take, rules.max_hold_min)].append(n)
    families = []
    for numbers in members.values():
        strengths = np.array([strategies[n].rules.k_sigma for n in numbers])
        order = np.argsort(strengths, kind="stable")
        families.append(Family(strategies[numbers[0]], strengths[order], np.array(numbers)[order]))
    return families


def _by_exit_rule(market: SymbolMarket, families: Sequence[Family]) -> Mapping[ExitRule, Sequence[tuple[Kind, Family]]]:
    """The families that may trade a symbol, each with its forecast kind, by exit rule."""
    symbol = market.symbol
    shared: dict[ExitRule, list[tuple[Kind, Family]]] = defaultdict(list)
    for family in families:
        strategy = family.strategy
        rules, mult = strategy.rules, strategy.costs.cost_mult
        kind = Kind(rules.history_days, strategy.horizon_min(symbol), strategy.method, mult)
        if strategy.may_trade(symbol) and kind[:3] in market.feeds:
            exit_rule = ExitRule(rules.s_stop, rules.s_take, strategy.hold_min(symbol) or 0, mult)
            shared[exit_rule].append((kind, family))
    return shared


def _candidates(context: SymbolContext, feed: Feed, kind: Kind, levels: Levels, rules: RulesParams) -> Candidates:
    snapshots = context.snapshots
    view = context.views(feed, replace(context.costs, mult=kind.cost_mult), rules)
    live = np.flatnonzero(may_order(context, feed, view, kind.horizon_min))
    fills = context.enters_in_time(kind.horizon_min)[live]
    mu, sd, sigma_bp = view.mu_bp[live], view.sd_bp[live], 1e4 * snapshots["sigma"][live]
    side = (view.side[live] < 0).astype(np.int64)
    wanted = np.zeros((2, len(snapshots)), np.bool_)
    wanted[side, live] = fills
    candidates = records(
        CANDIDATE,
        session=snapshots["session"][live],
        minute=snapshots["minute"][live],
        snapshot=live,
        fills=fills,
        waits=context.waits_until(kind.horizon_min)[live],
        side=side,
        strength=view.strength[live],
        mu_bp=mu,
        cost_bp=view.cost_bp[live],
        spread_charge_bp=view.spread_charge_bp[live],
    )
    return Candidates(
        candidates=candidates,
        wanted=wanted,
        saved_bp={stop: saved_by_stop(mu, sd, stop * sigma_bp) for stop in levels.stops.tolist()},
        lost_bp={take: lost_to_target(mu, sd, take * sigma_bp) for take in levels.takes.tolist()},
    )


# Grid neighbours share most of their work, and each block reads the market again.
COMBOS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Market:
    """The inputs of a grid. `bars` may read each symbol lazily."""

    bars: Mapping[str, pl.DataFrame]
    forecasts: pl.DataFrame
    calendar: pl.DataFrame

    def on(self, span: Span) -> Self:
        """The same market with forecasts in these sessions only."""
        return replace(self, forecasts=within(span, self.forecasts), calendar=within(span, self.calendar))

    def common_to(self, strategies: Iterable[Strategy]) -> Self:
        """The market from the first session on which all of these can trade: some need a longer history first."""
        # Strategies of one history, horizon and method trade the same cells, so one of each is enough.
        kinds = {(one.rules.history_days, one.rules.horizon_min, one.method): one for one in strategies}.values()
        schema = {name: self.forecasts.schema[name] for name in Cell._fields}
        traded = pl.LazyFrame([one.cell(symbol) for one in kinds for symbol in one.trading], schema, orient="row")
        able = self.forecasts.lazy().filter("calibrated").join(traded, on=Cell._fields, how="semi")
        begins = able.group_by("history_days", "method").agg(pl.col("session").min()).collect()["session"]
        if begins.n_unique() < 2:
            return self
        common = self.calendar.filter(pl.col("session") >= begins.max())["session"].sort()
        return self.on(Span("common", tuple(common)))


Trade = Callable[[Sequence[Strategy], Market], list[Book]]
Run = Callable[..., Mapping[str, list[Book]]]


def blocks_of(strategies: Sequence[Strategy], at_once: int = COMBOS_AT_ONCE) -> dict[str, Sequence[Strategy]]:
    """Blocks of `at_once` strategies in their order; sorted by name, the blocks are in the same order."""
    digits = len(str(len(strategies)))
    return {
        f"combos {first + 1:0{digits}}-{min(first + at_once, len(strategies)):0{digits}}": strategies[
            first : first + at_once
        ]
        for first in range(0, len(strategies), at_once)
    }


def trade_block(_: str, strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of one block; depends only on its arguments."""
    symbols = markets_of(market.bars, market.forecasts, market.calendar, strategies[0])
    return trade_grid(symbols, market.calendar.height, strategies)


def trade_in_blocks(run: Run, strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of a grid, in order. `run` is the engine, for which a block is a partition."""
    traded = run(partial(trade_block, market=market), blocks_of(strategies), "trading")
    return [book for books in traded.values() for book in books]
