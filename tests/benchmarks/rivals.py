"""The same rules traded by other means, each as well as it can be asked to.

All rivals are handed the side of every signal that passes the tests of its forecast, ready made. They follow the rest
bar by bar: one position, cooldown, cap, entry at the first real bar, gap, stop before target, time stop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partialmethod

import numpy as np
import plotly.graph_objects as go
import polars as pl
from numba import njit

from stages.tables.market import PRICES
from stages.trading.market import BAR, MICROSECONDS, SNAPSHOT, SymbolMarket, records
from stages.trading.positions import context_of
from stages.trading.rules import expected_value_bp, symbol_costs
from stages.trading.strategy import Strategy

UNITS, NEVER = 1_000_000, -(1 << 40)


@dataclass(frozen=True)
class Symbol:
    """One symbol's arrays, and per strategy the side (+1, -1, 0) of every look. *Shapes*: (strategies, looks)."""

    bar_array: np.ndarray
    looks: np.ndarray
    sides: np.ndarray

    def of(self, strategies: slice) -> "Symbol":
        """The same for some of the strategies."""
        return Symbol(self.bar_array, self.looks, self.sides[strategies])


def verdicts(markets: Sequence[SymbolMarket], strategies: Sequence[Strategy]) -> list[Symbol]:
    """The side of every signal that passes the tests of its forecast; only vectorbt needs it ready made."""
    symbols = []
    for market in markets:
        costs = symbol_costs(strategies[0].costs, market.symbol)
        context = context_of(market, strategies[0].rules, costs)
        sides = np.zeros((len(strategies), len(context.snapshots)), np.int8)
        for n, one in enumerate(strategies):
            feed = market.feeds[one.rules.history_days, one.horizon_min(market.symbol), one.method]
            view = context.views(feed, costs, one.rules)
            barriers = (one.rules.s_stop, one.rules.s_take)
            pays = expected_value_bp(view, context.snapshots["sigma"], barriers) > 0.0
            passes = pays & (view.strength >= one.rules.k_sigma) & feed.calibrated
            sides[n] = view.side * (passes & context.enters_in_time(one.horizon_min(market.symbol)))
        symbols.append(Symbol(context.bar_array, context.snapshots, sides))
    return symbols


def read_by_hand(
    bars: pl.DataFrame, forecasts: pl.DataFrame, clock: pl.DataFrame, strategy: Strategy
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """What `walk_bars` needs of one symbol, cut out of its tables for one strategy and for nothing else.

    *Tables*: `Bars`; forecasts of this strategy; sessions with `number` and `time_stop_utc`.
    """
    rules = strategy.rules
    real = bars.filter(~pl.col("is_filled") & pl.all_horizontal(pl.col(PRICES).is_not_null()))
    rows = forecasts.sort("snapshot_utc").join(clock, on="session", how="left", maintain_order="left")
    columns = real["ts"], *(rows[name] for name in ("snapshot_utc", "time_stop_utc", "close_utc"))
    minutes, asked, stop, close = (column.dt.epoch("us").to_numpy() // MICROSECONDS for column in columns)
    planned = asked + rules.entry_delay_bars
    entry = np.searchsorted(minutes, planned)
    entry_minute = minutes.take(entry, mode="clip")
    latest = np.minimum(planned + rules.max_entry_delay_bars, stop - 1)
    last, tick = rows["last"].to_numpy(), symbol_costs(strategy.costs, rows["symbol"][0]).tick_px
    looks = records(
        SNAPSHOT,
        minute=asked,
        session=rows["number"],
        time_stop=stop,
        planned=planned,
        entry=np.where((entry < len(minutes)) & (entry_minute <= latest), entry, -1),
        entry_minute=entry_minute,
        latest=latest,
        limit=np.searchsorted(minutes, stop),
        end=np.searchsorted(minutes, close),
        last=last,
        sigma=np.maximum(rows["sigma_5m"].fill_null(float("nan")), tick / last),
    )
    bar_array = records(BAR, minute=minutes, **{name: real[name] for name in PRICES})
    quartiles = rows.select("q25", "q50", "q75", pl.col("calibrated").cast(pl.Float64)).to_numpy().T
    return (bar_array, looks), np.ascontiguousarray(quartiles)[None]


@njit
def walk_bars(market, forecasts, combos, terms, net_units):  # noqa: C901, PLR0912, PLR0915
    """A numba walk of the bars for every combo: nothing is shared, each position is followed to its end.

    `combos` rows are (feed, k_sigma, s_stop, s_take); `forecasts` (feeds, 4, looks) hold q25, q50, q75, calibrated.
    """
    bar_array, looks = market
    cap, cooldown, fees_bps, half_spread, horizons = terms
    for n in range(len(combos)):
        feed, k_sigma, s_stop, s_take = int(combos[n, 0]), combos[n, 1], combos[n, 2], combos[n, 3]
        entries, exit_minute = 0, NEVER
        for c in range(len(looks)):
            if c > 0 and looks.session[c] != looks.session[c - 1]:
                entries, exit_minute = 0, NEVER
            q25, q50, q75 = 1e4 * np.expm1(forecasts[feed, :3, c] / 1e4)
            calibrated = forecasts[feed, 3, c]
            sigma, first = looks.sigma[c], looks.entry[c]
            if not calibrated or np.isnan(sigma) or first < 0:
                continue
            if looks.entry_minute[c] >= looks.minute[c] + horizons[feed] or exit_minute >= looks.minute[c]:
                continue
            if entries >= cap or looks.planned[c] - exit_minute <= cooldown:
                continue
            cost_bp = 2.0 * (fees_bps + 1e4 * half_spread / looks.last[c])
            if q25 > cost_bp:
                side = 1.0
            elif q75 < -cost_bp:
                side = -1.0
            else:
                continue
            if abs(q50) / (1e4 * sigma) < k_sigma:
                continue
            mu, sd = side * ((q25 + q50 + q75) / 3.0), (q75 - q25) / 1.34898
            kept = mu + mean_above_zero(-s_stop * 1e4 * sigma - mu, sd) - mean_above_zero(mu - s_take * 1e4 * sigma, sd)
            if kept - cost_bp <= 0.0:
                continue
            entry = bar_array.open[first]
            stop, take = entry * (1.0 - side * s_stop * sigma), entry * (1.0 + side * s_take * sigma)
            bar = first
            while True:
                if bar >= looks.end[c]:
                    bar -= 1
                    price = bar_array.close[bar]
                    break
                if bar >= looks.limit[c] or side * (bar_array.open[bar] - stop) < 0.0:
                    price = bar_array.open[bar]
                    break
                worst, best = (
                    (bar_array.low[bar], bar_array.high[bar]) if side > 0 else (bar_array.high[bar], bar_array.low[bar])
                )
                if side * (worst - stop) <= 0.0:
                    price = stop
                    break
                if side * (best - take) >= 0.0:
                    price = take
                    break
                bar += 1
            gross = np.int64(np.rint(1e4 * side * (price - entry) / entry * UNITS))
            cost = np.int64(np.rint((fees_bps * (entry + price) + 2e4 * half_spread) / entry * UNITS))
            net_units[n, looks.session[c]] += gross - cost
            entries += 1
            exit_minute = bar_array.minute[bar]


@njit
def mean_above_zero(mean, sd):
    """E[max(N(mean, sd), 0)]."""
    z = mean / sd
    return mean * 0.5 * math.erfc(-z / math.sqrt(2.0)) + sd * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def vectorbt():
    """vectorbt, imported past its themes, which name a map layer that plotly no longer has."""
    template = go.layout.Template
    strict = template.__init__
    template.__init__ = partialmethod(strict, skip_invalid=True)
    import vectorbt as vbt

    template.__init__ = strict
    return vbt


# What vectorbt is handed: a row a minute of the calendar, a column a symbol.
MINUTE = np.dtype(
    [
        *((name, "f8") for name in ("open", "high", "low")),
        ("real", "i8"),
        ("look", "i8"),  # number of the look at this minute, else -1
        ("session", "i8"),
        ("stop_row", "i8"),
    ]
)
ENTRY = np.dtype([("row", "i8"), ("sigma", "f8")])  # a row a look, a column a symbol
COLUMN = np.dtype(
    [
        *((name, "f8") for name in ("s_stop", "s_take", "stop_px", "take_px", "late_exit")),
        *((name, "i8") for name in ("session", "entries", "exit_row", "pending")),
    ]
)


@dataclass(frozen=True)
class Minutes:
    """The calendar for vectorbt. *Shapes*: (rows, symbols), (looks, symbols), (rows, 1)."""

    rows: np.ndarray
    entries: np.ndarray
    active: np.ndarray  # minutes in which anything may happen


def minutes_of(symbols: Sequence[Symbol], sessions: Sequence[tuple[int, int, int]]) -> Minutes:
    """The calendar's minutes; `sessions` = (open, time stop, close) minutes."""
    starts = np.concatenate([np.arange(opens, closes) for opens, _, closes in sessions])
    number = np.concatenate([np.full(closes - opens, n) for n, (opens, _, closes) in enumerate(sessions)])
    stops = np.concatenate([np.full(closes - opens, stop) for opens, stop, closes in sessions])
    rows = np.zeros((len(starts), len(symbols)), MINUTE)
    rows["look"], rows["session"], rows["stop_row"] = -1, number[:, None], np.searchsorted(starts, stops)[:, None]
    entries = np.zeros((max(len(one.looks) for one in symbols), len(symbols)), ENTRY)
    for s, one in enumerate(symbols):
        at = np.searchsorted(starts, one.bar_array["minute"])
        rows["real"][at, s] = 1
        for name in ("open", "high", "low"):
            rows[name][at, s] = one.bar_array[name]
        rows["look"][np.searchsorted(starts, one.looks["minute"]), s] = np.arange(len(one.looks))
        here = entries[: len(one.looks), s]
        in_time = one.looks["entry"] >= 0
        here["row"] = np.where(in_time, np.searchsorted(starts, one.looks["entry_minute"]), -1)
        here["sigma"] = one.looks["sigma"]
    asked = np.where((rows["look"] >= 0).any(axis=1), starts, 1 << 40)
    first_look = np.minimum.reduceat(asked, np.unique(number, return_index=True)[1])
    return Minutes(rows, entries, (starts >= first_look[number])[:, None])


def columns_of(barriers: Sequence[tuple[float, float]]) -> np.ndarray:
    """The empty book of every column."""
    columns = np.zeros(len(barriers), COLUMN)
    columns["s_stop"], columns["s_take"] = np.array(barriers).T
    columns["session"], columns["pending"], columns["late_exit"] = -1, -1, np.nan
    return columns


def order_function(vbt):
    """The rules as vectorbt's order function, called for every minute of every column.

    It may place one order a minute. A position that ends in the minute it began in is therefore closed in the next, at
    the right price: vectorbt's flexible order function could do it in time, but costs more. The work is done in a
    function that does not see vectorbt's context, whose many arrays would make each call nine times dearer.
    """
    order_nb, nothing_nb = vbt.portfolio.nb.order_nb, vbt.portfolio.nb.order_nothing_nb

    @njit
    def follow_rules(c, rows, entries, sides, columns, terms):  # noqa: PLR0917
        is_idle = c.position_now == 0.0 and rows[c.i, c.col % rows.shape[1]].look < 0 and columns[c.col].pending < 0
        if is_idle:
            return nothing_nb()
        size, price = next_order((c.i, c.col, c.position_now), rows, entries, sides, columns, terms)
        if size == 0.0:
            return nothing_nb()
        return order_nb(size, price, fees=terms[2], fixed_fees=terms[3] * abs(size))

    return follow_rules


@njit
def next_order(at, rows, entries, sides, columns, terms):  # noqa: PLR0917
    """Size and price of the order of one column at one minute, 0 for none."""
    (i, col, position), (cap, cooldown, _, _) = at, terms
    symbol = col % rows.shape[1]
    bar, mine = rows[i, symbol], columns[col]
    if mine.session != bar.session:
        mine.session, mine.entries, mine.exit_row, mine.pending = bar.session, 0, NEVER, -1
    if position != 0.0:
        price = mine.late_exit
        if np.isnan(price) and bar.real:
            price = exit_price(bar, np.sign(position), mine, i >= bar.stop_row)
            mine.exit_row = i
        if np.isnan(price):
            return 0.0, 0.0
        mine.late_exit = np.nan
        return -position, price
    n = bar.look
    if n >= 0 and sides[n, col] != 0 and mine.entries < cap and i - mine.exit_row > cooldown:
        mine.pending = n
    n = mine.pending
    if n < 0 or entries[n, symbol].row != i:
        return 0.0, 0.0
    side, sigma = float(sides[n, col]), entries[n, symbol].sigma
    mine.stop_px = bar.open * (1.0 - side * mine.s_stop * sigma)
    mine.take_px = bar.open * (1.0 + side * mine.s_take * sigma)
    mine.entries += 1
    mine.pending = -1
    mine.exit_row = i
    mine.late_exit = exit_price(bar, side, mine, False)
    return side / bar.open, bar.open


@njit
def exit_price(bar, side, mine, is_late):
    """Where a position is left within a bar, NaN if it is not."""
    worst, best = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
    price = np.nan
    if is_late or side * (bar.open - mine.stop_px) < 0.0:
        price = bar.open
    elif side * (worst - mine.stop_px) <= 0.0:
        price = mine.stop_px
    elif side * (best - mine.take_px) >= 0.0:
        price = mine.take_px
    return price
