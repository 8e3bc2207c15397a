"""The rule engine against other ways to trade the same rules: same bars, same trades, one thread, one run.

Run: python -m tests.benchmarks.bench_engine [largest grid, 1000 unless told]; tests/benchmarks/bench_sweep.py goes on.

The rivals (tests/benchmarks/rivals.py): our own plain loop; a numba walk of the bars for every combo; vectorbt with an
order function that follows the rules to the minute; backtesting.py for a single combo. The last two cannot express the
tests of a forecast, so they are handed the verdict on each signal ready made, and vectorbt's clock stops before it has
added up a trade. Ours and the walk run from the arrays of bars and quantiles to the daily P&L of every combo; the walk
is handed the entry bar of each snapshot, ours finds it. A single combo is also traded from tables to daily P&L, where
the walk's arrays are cut out of the tables for it alone.
"""

import sys
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from time import process_time

import numpy as np
import pandas as pd
import polars as pl

from stages.trading.market import MICROSECONDS, markets_of
from stages.trading.performance import book_of
from stages.trading.rules import time_stops
from stages.trading.simulate import simulate
from stages.trading.strategy import Strategy
from stages.trading.trade_grid import trade_grid
from tests.benchmarks import rivals
from tests.trading.loop import minutes_of as minutes_by_start
from tests.trading.loop import terms_of, trade_session
from tests.trading.made_markets import random_market, strategy

FEW, MANY, SESSIONS = ("A", "B", "C"), tuple(f"S{n:02d}" for n in range(50)), 250
FEES, HALF_SPREAD = 0.5, 0.01
# horizons, k_sigma, stops, targets
GRIDS = {1: (1, 1, 1, 1), 100: (2, 5, 5, 2), 1000: (2, 10, 10, 5)}
VECTORBT_COLUMNS = 150  # as many at once as memory allows; more are no faster
LOOP_COMBOS = 10


def grid(symbols: tuple[str, ...], combos: int) -> list[Strategy]:
    """A grid of this size around the default rules."""
    horizons, strengths, stops, takes = GRIDS[combos]
    axes = product(
        (10, 5)[:horizons],
        np.linspace(0.5, 2.0, strengths).tolist(),
        np.linspace(1.0, 3.0, stops).tolist(),
        np.linspace(1.0, 2.0, takes).tolist(),
    )
    return [strategy(*symbols, horizon_min=h, k_sigma=k, s_stop=s, s_take=t) for h, k, s, t in axes]


def best(function: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of a few runs: everyone runs on one thread, and the machine may be busy."""
    seconds = []
    for _ in range(repeats):
        start = process_time()
        function()
        seconds.append(process_time() - start)
    return min(seconds)


class Benchmark:
    """One market, prepared for each contestant outside the clock."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.bars, self.forecasts, self.calendar = random_market(names, SESSIONS, seed=1)
        self.markets = list(markets_of(self.bars, self.forecasts, self.calendar, strategy(*names)))
        self.minutes = {symbol: minutes_by_start(frame) for symbol, frame in self.bars.items()}
        asked = self.forecasts.sort("snapshot_utc").partition_by("horizon_min", "symbol", "session", as_dict=True)
        self.looks = {key: frame.rows(named=True) for key, frame in asked.items()}
        clock = time_stops(self.calendar, strategy(*names).rules)
        stamps = clock.select(pl.col("open_utc", "time_stop_utc", "close_utc").dt.epoch("us") // MICROSECONDS)
        self.sessions = stamps.rows()
        self.vbt = rivals.vectorbt()
        self.follow_rules = rivals.order_function(self.vbt)

    def ours(self, combos: Sequence[Strategy]) -> np.ndarray:
        """Daily net P&L of every combo in millionths."""
        return np.array([book.net_units for book in trade_grid(self.markets, SESSIONS, combos, threads=1)])

    def walk(self, combos: Sequence[Strategy], symbols: Sequence[rivals.Symbol]) -> np.ndarray:
        """The numba walk of bars, a combo after the other, from quantiles to daily P&L."""
        rules = [one.rules for one in combos]
        kinds = sorted({(one.history_days, one.horizon_min, "cqr") for one in rules})
        number = {kind[1]: n for n, kind in enumerate(kinds)}
        rows = np.array([[number[one.horizon_min], one.k_sigma, one.s_stop, one.s_take] for one in rules])
        horizons = np.array([kind[1] for kind in kinds])
        terms = (rules[0].daily_trade_cap, rules[0].cooldown_bars, FEES, HALF_SPREAD, horizons)
        net = np.zeros((len(combos), SESSIONS), np.int64)
        for market, one in zip(self.markets, symbols, strict=True):
            feeds = [market.feeds[kind] for kind in kinds]
            forecasts = np.array([[*feed.quartiles, feed.calibrated] for feed in feeds])
            rivals.walk_bars((one.bar_array, one.looks), forecasts, rows, terms, net)
        return net

    def ours_from_tables(self, one: Strategy) -> np.ndarray:
        """The days of one strategy, from the tables that `seal` writes."""
        markets = markets_of(self.bars, self.forecasts, self.calendar, one)
        return np.array([book.net_units for book in trade_grid(markets, SESSIONS, [one], threads=1)])

    def walk_from_tables(self, one: Strategy) -> np.ndarray:
        """The same by the numba walk, whose arrays are cut out of the same tables."""
        rules, net = one.rules, np.zeros((1, SESSIONS), np.int64)
        combo = np.array([[0, rules.k_sigma, rules.s_stop, rules.s_take]])
        terms = (rules.daily_trade_cap, rules.cooldown_bars, FEES, HALF_SPREAD, np.array([rules.horizon_min]))
        clock = time_stops(self.calendar, rules).with_row_index("number")
        asked = self.forecasts.filter(model=one.model, history_days=rules.history_days, horizon_min=rules.horizon_min)
        for symbol in self.names:
            market, forecasts = rivals.read_by_hand(self.bars[symbol], asked.filter(symbol=symbol), clock, one)
            rivals.walk_bars(market, forecasts, combo, terms, net)
        return net

    def loop(self, combos: Sequence[Strategy]) -> np.ndarray:
        """The plain loop, a combo after the other, on bars and forecasts that lie ready as Python values."""
        net = np.zeros((len(combos), SESSIONS), np.int64)
        sessions = self.calendar.rows(named=True)
        for n, one in enumerate(combos):
            for symbol, (day, session) in product(self.names, enumerate(sessions)):
                today = self.looks.get((one.rules.horizon_min, symbol, session["session"]), [])
                trades, _ = trade_session(self.minutes[symbol], today, session, terms_of(one, symbol))
                net[n, day] += sum(round(trade["net_bp"] * rivals.UNITS) for trade in trades)
        return net

    def vectorbt(self, combos: Sequence[Strategy], symbols: Sequence[rivals.Symbol], minutes: rivals.Minutes):
        """The portfolio of every combo and symbol, a column each, as vectorbt leaves the simulation."""
        width = len(combos) * len(self.names)
        sides = np.zeros((len(minutes.entries), width), np.int8)
        for s, one in enumerate(symbols):
            sides[: len(one.looks), s :: len(self.names)] = one.sides.T
        columns = rivals.columns_of([(one.rules.s_stop, one.rules.s_take) for one in combos for _ in self.names])
        terms = (combos[0].rules.daily_trade_cap, combos[0].rules.cooldown_bars, FEES / 1e4, HALF_SPREAD)
        return self.vbt.Portfolio.from_order_func(
            np.broadcast_to(minutes.rows["open"][:, :1], (len(minutes.rows), width)),
            self.follow_rules,
            *(minutes.rows, minutes.entries, sides, columns, terms),
            init_cash=1e6,
            segment_mask=minutes.active,
            max_orders=8 * SESSIONS * width,
            update_value=False,
            ffill_val_price=False,
            fill_pos_record=False,
            freq="1min",
        )


def main() -> None:
    """Print combos per second of everyone, the ratios, and that the trades are the same."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else max(GRIDS)
    shorten = Benchmark(FEW)
    for size in (size for size in GRIDS if size <= largest):
        compare(shorten, grid(FEW, size))
    one_strategy(shorten)
    beside_backtesting(shorten)
    if largest >= 100:
        many = Benchmark(MANY)
        compare(many, grid(MANY, 100))
        for combos in (100, 1000):
            extra = extra_megabytes(partial(trade_grid, many.markets, SESSIONS, grid(MANY, combos), threads=1))
            print(f"       extra memory at n={combos}: {extra:.1f} MB (at most 64)")


def compare(bench: Benchmark, combos: Sequence[Strategy]) -> None:
    """One line of results."""
    size = len(combos)
    symbols = rivals.verdicts(bench.markets, combos)
    minutes = rivals.minutes_of(symbols, bench.sessions)
    chunk = slice(0, min(size, max(1, VECTORBT_COLUMNS // len(bench.names))))
    shorten = [one.of(chunk) for one in symbols]
    some = combos[:: max(1, size // LOOP_COMBOS)][:LOOP_COMBOS]

    same_days(bench.ours(combos), bench.walk(combos, symbols))
    same_days(bench.ours(some), bench.loop(some))
    same_trades(bench, combos[chunk], bench.vectorbt(combos[chunk], shorten, minutes))

    ours = size / best(lambda: bench.ours(combos), 20)
    walk = size / best(lambda: bench.walk(combos, symbols), 5)
    loop = len(some) / best(lambda: bench.loop(some), 1)
    vectorbt = len(combos[chunk]) / best(lambda: bench.vectorbt(combos[chunk], shorten, minutes), 2)
    print(f"{len(bench.names)} symbols x {SESSIONS} days, n={size}, combos/s: ", end="")
    print(f"ours {ours:,.0f}  numba walk {walk:,.0f}  vectorbt {vectorbt:,.1f}  loop {loop:,.1f}")
    print(f"       ours is {ours / walk:.1f} x walk, {ours / vectorbt:,.0f} x vectorbt, {ours / loop:,.0f} x loop")


def one_strategy(bench: Benchmark) -> None:
    """One strategy, where nothing can be shared: from the same arrays and from the same tables, to its days."""
    (one,) = combos = grid(bench.names, 1)
    symbols = rivals.verdicts(bench.markets, combos)
    ways = {
        "arrays and entry bars": (partial(bench.ours, combos), partial(bench.walk, combos, symbols)),
        "tables": (partial(bench.ours_from_tables, one), partial(bench.walk_from_tables, one)),
    }
    for name, (ours, walk) in ways.items():
        same_days(ours(), walk())
        fast, slow = best(ours, 20), best(walk, 20)
        print(f"n=1, from {name}: ours {1e3 * fast:.2f} ms, walk {1e3 * slow:.2f} ms, ratio {slow / fast:.2f}")


def beside_backtesting(bench: Benchmark) -> None:
    """One combo in backtesting.py: the same minutes, and prices where no open jumps over a target."""
    from tests.benchmarks import rival_backtesting

    (one,) = combos = grid(bench.names, 1)
    symbols = rivals.verdicts(bench.markets, combos)
    ready = [rival_backtesting.prepare(symbol) for symbol in symbols]
    barriers = (one.rules.s_stop, one.rules.s_take)
    terms = (one.rules.daily_trade_cap, one.rules.cooldown_bars)

    def run() -> list[pd.DataFrame]:
        return [rival_backtesting.run(*pair, barriers, terms) for pair in zip(symbols, ready, strict=True)]

    trades = simulate(bench.bars, bench.forecasts, bench.calendar, one).trades
    better = 0
    for symbol, prepared, theirs in zip(bench.names, ready, run(), strict=True):
        ours = trades.filter(symbol=symbol)
        for ours_at, row in (("entry_ts", "EntryBar"), ("exit_ts", "ExitBar")):
            stamps = ours[ours_at].dt.epoch("us").to_numpy() // MICROSECONDS
            assert np.array_equal(stamps, prepared.minutes[theirs[row]])
        side, left = ours["side"].to_numpy(), ours["exit_px"].to_numpy()
        assert np.array_equal(side, theirs["Size"])
        assert np.array_equal(ours["entry_px"].to_numpy(), theirs["EntryPrice"].to_numpy().round(6))
        jumped = (ours["exit_reason"] == "target").to_numpy() & (side * (theirs["ExitPrice"].to_numpy() - left) > 1e-6)
        assert np.array_equal(left[~jumped], theirs["ExitPrice"].to_numpy()[~jumped].round(6))
        better += jumped.sum()
    ours, rival = best(lambda: bench.ours(combos), 20), best(run, 1)
    print(
        f"n=1: ours is {rival / ours:,.0f} x backtesting.py, which makes the same {trades.height} trades, "
        f"{better} of them at the open that jumped over their target"
    )


def extra_megabytes(function: Callable[[], object]) -> float:
    """The most that Python and numpy hold at once while the function runs, beyond what they held before."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def same_days(first: np.ndarray, second: np.ndarray) -> None:
    """Every day of every combo, to the last millionth."""
    assert first.any()
    assert np.array_equal(first, second)


def same_trades(bench: Benchmark, combos: Sequence[Strategy], portfolio) -> None:
    """Every fill of every combo at the same price and minute (one later where it left the minute it entered in)."""
    records = portfolio.exit_trades.records
    starts = np.concatenate([np.arange(opens, closes) for opens, _, closes in bench.sessions])
    for n, one in enumerate(combos):
        trades = simulate(bench.bars, bench.forecasts, bench.calendar, one).trades
        assert "session_end" not in set(trades["exit_reason"])
        for s, symbol in enumerate(bench.names):
            ours = trades.filter(symbol=symbol)
            theirs = records[records["col"] == n * len(bench.names) + s]
            entry, left = (ours[name].dt.epoch("us").to_numpy() // MICROSECONDS for name in ("entry_ts", "exit_ts"))
            assert np.array_equal(entry, starts[theirs["entry_idx"]])
            assert np.array_equal(np.where(left == entry, left + 1, left), starts[theirs["exit_idx"]])
            for price, name in (("entry_px", "entry_price"), ("exit_px", "exit_price")):
                assert np.array_equal(ours[price].to_numpy(), theirs[name].to_numpy().round(6))
            assert np.allclose(ours["net_bp"].to_numpy(), 1e4 * theirs["pnl"], rtol=0, atol=1e-5)
    assert book_of(simulate(bench.bars, bench.forecasts, bench.calendar, combos[0]).trades, bench.calendar).trades


if __name__ == "__main__":
    main()
