"""Engine, plain loop and grid say the same: every decision, every fill, every millionth of a basis point."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stages.params.rules import RulesParams
from stages.trading.kernels import EXITS
from stages.trading.market import markets_of
from stages.trading.performance import Book, book_of
from stages.trading.rules import LONG, SHORT, Reason
from stages.trading.simulate import simulate
from stages.trading.strategy import Strategy
from stages.trading.trade_grid import Market, blocks_of, trade_block, trade_grid, trade_in_blocks
from tests.trading.loop import simulate_by_loop
from tests.trading.made_markets import FULL, bars, calendar, forecast, random_market, strategy, table, trade_here

SYMBOLS = ("A", "B", "C")
SESSIONS = 13
BARS, FORECASTS, CALENDAR = random_market(SYMBOLS, SESSIONS, seed=3, methods=("cqr", "identity"), histories=(20, 40))

DRAWN = {
    "horizon_min": st.sampled_from([5, 10, 20]),
    "horizon_min_by_symbol": st.sampled_from([{}, {"B": 5}]),
    "history_days": st.sampled_from([20, 40]),
    "k_sigma": st.sampled_from([0.0, 0.3, 1.0]),
    "s_stop": st.sampled_from([0.3, 1.0, 4.0]),
    "s_take": st.sampled_from([0.3, 1.0, 6.0]),
    "risk_aversion": st.sampled_from([0.0, 0.3]),
    "max_hold_min": st.sampled_from([None, "horizon", 1, 33]),
    "entry_delay_bars": st.integers(0, 6),
    "max_entry_delay_bars": st.integers(0, 3),
    "cooldown_bars": st.sampled_from([0, 5, 50]),
    "daily_trade_cap": st.integers(1, 4),
    "time_stop_et": st.sampled_from(["15:55", "13:31", "10:31"]),
    "time_stop_before_close_min": st.sampled_from([1, 5, 30]),
}
rules = st.fixed_dictionaries(DRAWN)


def everything(**changed) -> Strategy:
    return strategy(*SYMBOLS, methods=("cqr", "identity"), histories=(20, 40), **changed)


@given(rules, st.sampled_from([0.0, 1.0, 2.5]), st.sampled_from([SYMBOLS, ("B",)]))
@settings(max_examples=10, deadline=None)
def test_engine_and_grid_trade_exactly_as_the_plain_loop(changed, cost_mult, whitelist):
    variant = replace(everything(**changed), whitelist=whitelist).with_costs(cost_mult=cost_mult)
    fast, plain = (trade(BARS, FORECASTS, CALENDAR, variant) for trade in (simulate, simulate_by_loop))
    assert_frame_equal(fast.trades, plain.trades, check_exact=True)
    assert_frame_equal(fast.signals, plain.signals, check_exact=True)
    (book,) = trade_here([variant], Market(BARS, FORECASTS, CALENDAR))
    assert_same_books([book], [book_of(plain.trades, CALENDAR)])


def test_every_key_of_the_rules_is_drawn():
    assert set(DRAWN) == set(RulesParams.model_fields), "DRAWN, above, draws a value for each key of the rules"


def test_the_random_market_shows_every_exit_and_every_reason():
    short_day = everything(time_stop_et="13:31", s_stop=3.0, s_take=4.0, k_sigma=0.1, cooldown_bars=60)
    patient = everything(s_stop=1.0, s_take=0.5, max_hold_min=3, daily_trade_cap=2, max_entry_delay_bars=0)
    nervous = everything(s_stop=0.4, s_take=9.0, k_sigma=0.0, cooldown_bars=0, max_entry_delay_bars=0)
    results = [simulate(BARS, FORECASTS, CALENDAR, one) for one in (short_day, patient, nervous)]
    exits = set(pl.concat([result.trades["exit_reason"] for result in results]))
    decisions = set(pl.concat([result.signals["decision"] for result in results]))
    reasons = {reason.label for reason in Reason} - {"enter", "symbol_gate"}
    assert {*EXITS} - exits == {"session_end"}
    assert (reasons | {LONG, SHORT}) - decisions == set(), "change one of the three strategies so that it meets these"


AXES = {
    "history_days": (20, 40),
    "horizon_min": (5, 10),
    "k_sigma": (0.0, 0.4, 0.41, 1.5),
    "s_stop": (0.5, 3.0),
    "s_take": (0.5, 1.0),
    "max_hold_min": (None, "horizon"),
}


def variants() -> list[Strategy]:
    """A grid over every axis, calibration method and cost multiple included."""
    return [
        replace(everything(**dict(zip(AXES, values, strict=True))), method=method).with_costs(cost_mult=mult)
        for *values, method, mult in product(*AXES.values(), ("cqr", "identity"), (1.0, 3.0))
    ]


def assert_same_books(some: list[Book], others: list[Book]) -> None:
    assert [book.totals for book in some] == [book.totals for book in others]
    assert all(np.array_equal(a.net_units, b.net_units) for a, b in zip(some, others, strict=True))


def test_every_variant_of_a_grid_has_the_book_that_simulate_gives_it():
    chosen = variants()[::17]
    books = trade_grid(markets_of(BARS, FORECASTS, CALENDAR, chosen[0]), CALENDAR.height, chosen)
    for variant, book in zip(chosen, books, strict=True):
        alone = book_of(simulate(BARS, FORECASTS, CALENDAR, variant).trades, CALENDAR)
        assert book.totals == alone.totals
        assert np.array_equal(book.net_units, alone.net_units)
    assert len({book.net_units.tobytes() for book in books}) > len(books) / 2


def coarse_market() -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """Prices on a grid of ten cents, forecasts of four kinds every two minutes: barriers and strengths are met exactly.

    At 100.00 and sigmas of 10 bp a stop and a target of one sigma lie on that grid. Two minutes in seven have no bar:
    some orders still wait in vain at the next snapshot.
    """
    rng, days = np.random.default_rng(8), [date(2024, 3, 11) + timedelta(days=n) for n in range(2)]
    kinds = [(5.0, 20.0, 36.0), (5.0, 10.0, 15.0), (-36.0, -20.0, -5.0), (-15.0, -10.0, -5.0)]
    parts, rows = [], []
    for day in days:
        close = 100.0 + 0.1 * np.clip(np.cumsum(rng.integers(-1, 2, FULL)), -2, 2)
        opening = np.concatenate([[100.0], close[:-1]])
        prices = np.column_stack([opening, np.maximum(opening, close), np.minimum(opening, close), close])
        parts.append(bars(day, prices, np.arange(FULL) % 7 < 2))
        for m in range(5, FULL - 15, 2):
            clock = (datetime.combine(day, time(9, 30)) + timedelta(minutes=m)).strftime("%H:%M")
            rows.append(forecast("A", day, clock, kinds[rng.integers(4)], last=float(close[m - 1])))
    return {"A": pl.concat(parts)}, table(rows), calendar(dict.fromkeys(days, FULL))


@pytest.mark.parametrize(("cooldown", "delay"), [(0, 0), (0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (9, 2)])
def test_grid_and_loop_agree_where_barriers_and_strengths_tie_and_a_cooldown_ends_before_the_entry(cooldown, delay):
    market = coarse_market()
    timing = {"cooldown_bars": cooldown, "entry_delay_bars": delay, "max_entry_delay_bars": 1, "daily_trade_cap": 40}
    swept = {"k_sigma": (0.5, 1.0005), "s_stop": (1.0, 2.0), "s_take": (1.0, 2.0), "max_hold_min": (None, 5)}
    half = [values for at, values in enumerate(product(*swept.values())) if at.bit_count() % 2]  # all pairs of values
    chosen = [strategy("A", **timing, **dict(zip(swept, values, strict=True))) for values in half]
    plain = [simulate_by_loop(*market, one).trades for one in chosen]
    assert_same_books(trade_here(chosen, Market(*market)), [book_of(trades, market[2]) for trades in plain])
    trades = pl.concat(plain)
    assert set(trades["exit_reason"]) >= {"stop", "target", "max_hold"}
    for why in ("stop", "target"):
        at = trades.filter(exit_reason=why)["exit_px"] * 10
        assert ((at - at.round()).abs() < 1e-9).any()


def test_the_order_of_variants_changes_no_book():
    chosen = variants()[::19]
    markets = list(markets_of(BARS, FORECASTS, CALENDAR, chosen[0]))
    forwards = trade_grid(markets, CALENDAR.height, chosen)
    assert_same_books(forwards, trade_grid(markets[::-1], CALENDAR.height, chosen[::-1])[::-1])


@pytest.mark.parametrize("threads", [2, 3, 50])
def test_the_number_of_threads_changes_no_book(threads):
    chosen = variants()[::23]

    def books(count):
        return trade_grid(markets_of(BARS, FORECASTS, CALENDAR, chosen[0]), CALENDAR.height, chosen, count)

    assert_same_books(books(1), books(threads))


def test_threads_share_out_whole_sessions_and_every_snapshot_once():
    (market,) = markets_of(BARS, FORECASTS, CALENDAR, replace(everything(), whitelist=("B",)))
    assert [len(market.in_parts(count)) for count in (1, 2, 5)] == [1, 2, 5]
    for count in (1, 2, 5, 100):
        parts = market.in_parts(count)
        sessions = [set(part.snaps.session.tolist()) for part in parts]
        assert len(parts) <= count
        assert all(sessions), "no part is empty"
        assert sum(map(len, sessions)) == len(set().union(*sessions)) == len(set(market.snaps.session.tolist()))
        assert np.array_equal(np.concatenate([part.snaps.minute for part in parts]), market.snaps.minute)


def test_a_grid_is_its_blocks_one_after_the_other():
    chosen, market = variants()[::11], Market(BARS, FORECASTS, CALENDAR)
    pieces = blocks_of(chosen, 5)
    assert [*pieces][::9] == ["combos 01-05", "combos 46-47"]
    shuffled = {name: trade_block(name, pieces[name], market) for name in reversed(pieces)}
    assert_same_books([book for name in sorted(shuffled) for book in shuffled[name]], trade_here(chosen, market))
    assert trade_here([], market) == []


def test_an_engine_trades_a_grid_as_it_is_traded_here():
    def run(work, blocks, _):
        return {name: work(name, block) for name, block in blocks.items()}

    chosen, market = variants()[::23], Market(BARS, FORECASTS, CALENDAR)
    assert_same_books(trade_in_blocks(run, chosen, market), trade_here(chosen, market))


def test_a_symbol_whose_cell_is_closed_earns_nothing_in_the_grid():
    only_a = replace(everything(), eligible=frozenset(cell for cell in everything().eligible if cell.symbol == "A"))
    (book,) = trade_grid(markets_of(BARS, FORECASTS, CALENDAR, only_a), CALENDAR.height, [only_a])
    trades = simulate(BARS, FORECASTS, CALENDAR, everything()).trades
    assert book.totals == book_of(trades.filter(symbol="A"), CALENDAR).totals


@pytest.mark.scale  # ten thousand variants; on larger markets `bench_engine` holds the same engines to each other
def test_engine_loop_and_grid_agree_on_a_grid_of_ten_thousand():
    symbols = tuple(f"S{n:02d}" for n in range(12))
    bars, forecasts, calendar = random_market(symbols, 80, seed=11)
    variant = strategy(*symbols, k_sigma=0.2)
    fast = simulate(bars, forecasts, calendar, variant)
    plain = simulate_by_loop(bars, forecasts, calendar, variant)
    assert fast.trades.height > 1_000
    assert_frame_equal(fast.trades, plain.trades, check_exact=True)
    assert_frame_equal(fast.signals, plain.signals, check_exact=True)
    grid = full_grid(variant)
    books = trade_here(grid, Market(bars, forecasts, calendar))
    assert len(books) == 10_001
    for n in (0, 1, 2_345, 7_890, 10_000):
        trades = fast.trades if n == 0 else simulate(bars, forecasts, calendar, grid[n]).trades
        assert_same_books([books[n]], [book_of(trades, calendar)])


def full_grid(variant: Strategy) -> list[Strategy]:
    """A strategy and ten thousand more around it."""
    axes = (5, 10), np.linspace(0.0, 1.9, 20), np.linspace(0.5, 2.9, 25), np.linspace(0.5, 2.3, 10)
    names = ("horizon_min", "k_sigma", "s_stop", "s_take")
    return [variant, *(variant.with_rules(**dict(zip(names, chosen, strict=True))) for chosen in product(*axes))]
