"""What holds for every strategy on every market: one position at a time, no look-ahead, no lost millionth."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stages.tables.trades import PORTFOLIO
from stages.trading.daily import daily_table
from stages.trading.simulate import simulate
from stages.trading.strategy import Strategy
from tests.trading.made_markets import prices_of, random_market, strategy

SYMBOLS = ("A", "B", "C")
BARS, FORECASTS, CALENDAR = random_market(SYMBOLS, 20, seed=5)
SESSIONS = CALENDAR["session"].to_list()
ALL_BARS = pl.concat([frame.with_columns(symbol=pl.lit(symbol)) for symbol, frame in BARS.items()])

some_strategy = st.builds(
    lambda k, stop, take, hold, delay, cap, cooldown: strategy(
        *SYMBOLS,
        k_sigma=k,
        s_stop=stop,
        s_take=take,
        max_hold_min=hold,
        entry_delay_bars=delay,
        daily_trade_cap=cap,
        cooldown_bars=cooldown,
    ),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.5, 2.0, 8.0]),
    st.sampled_from([0.5, 1.0, 8.0]),
    st.sampled_from([None, "horizon", 45]),
    st.integers(0, 4),
    st.integers(1, 4),
    st.sampled_from([0, 5, 60]),
)
every = settings(max_examples=6, deadline=None)


def traded(one: Strategy, bars=BARS, forecasts=FORECASTS) -> pl.DataFrame:
    return simulate(bars, forecasts, CALENDAR, one).trades


@given(some_strategy)
@every
def test_a_symbol_holds_at_most_one_position_and_waits_after_it(one):
    for _, trades in traded(one).group_by("symbol", "session"):
        ordered = trades.sort("entry_ts")
        pause = (ordered["entry_ts"].shift(-1) - ordered["exit_ts"]).drop_nulls().dt.total_minutes()
        assert (pause > one.rules.cooldown_bars).all()
        assert ordered.height <= one.rules.daily_trade_cap


@given(some_strategy)
@every
def test_trades_are_filled_only_on_real_bars(one):
    trades = traded(one)
    bars = ALL_BARS.select("symbol", "ts", "open", "high", "low")
    trades = (
        traded(one)
        .join(bars, left_on=["symbol", "entry_ts"], right_on=["symbol", "ts"])
        .join(bars, left_on=["symbol", "exit_ts"], right_on=["symbol", "ts"], suffix="_x")
        .join(CALENDAR, on="session")
    )
    assert trades.height == traded(one).height
    assert (trades["entry_px"] == trades["open"]).all()
    assert (trades["exit_ts"] >= trades["entry_ts"]).all()
    assert (trades["exit_ts"] < trades["close_utc"]).all()
    assert (trades["entry_ts"] >= trades["snapshot_utc"] + timedelta(minutes=one.rules.entry_delay_bars)).all()
    assert (trades["entry_ts"] < trades["snapshot_utc"] + timedelta(minutes=one.rules.horizon_min)).all()
    inside = trades["exit_px"].is_between(trades["low_x"] - 1e-6, trades["high_x"] + 1e-6)
    better_than_target = (trades["exit_reason"] == "target").to_numpy()
    assert (inside.to_numpy() | better_than_target).all()


@given(some_strategy)
@every
def test_costs_are_never_negative_and_net_is_gross_less_costs(one):
    trades = traded(one)
    assert (trades["cost_bp"] > 0.0).all()
    exact = (trades["gross_bp"] - trades["cost_bp"]).round(6)
    assert (exact == trades["net_bp"]).all()


@given(some_strategy)
@every
def test_profit_and_loss_is_conserved_from_trades_to_days_to_the_portfolio(one):
    trades = traded(one)
    daily = daily_table(trades, SESSIONS, SYMBOLS, SYMBOLS)
    symbols, book = daily.filter(pl.col("symbol") != PORTFOLIO), daily.filter(symbol=PORTFOLIO)
    assert (symbols.height, book.height) == (len(SESSIONS) * len(SYMBOLS), len(SESSIONS))
    for name in ("gross_bp", "cost_bp", "net_bp", "turnover"):
        of_symbols = symbols.group_by("session").agg(pl.col(name).sum().round(6)).sort("session")
        assert_frame_equal(of_symbols, book.select("session", (pl.col(name) * len(SYMBOLS)).round(6)), check_exact=True)
    for name in ("gross_bp", "cost_bp", "net_bp"):
        assert whole(symbols[name]) == whole(trades[name])
    assert book["trades"].sum() == trades.height


def whole(values: pl.Series) -> int:
    """A sum in millionths, exact."""
    return int((values * 1e6).round().cast(pl.Int64).sum())


@given(st.integers(0, 19), st.integers(0, 389), st.integers(0, 2**32 - 1))
@every
def test_no_decision_or_closed_trade_changes_when_the_future_is_scrambled(session, minute, seed):
    one = strategy(*SYMBOLS, k_sigma=0.0, s_stop=2.0, s_take=2.0)
    start: datetime = CALENDAR["open_utc"][session] + timedelta(minutes=minute)
    rng = np.random.default_rng(seed)
    scrambled = {symbol: scramble(frame, start, rng) for symbol, frame in BARS.items()}
    before, after = (simulate(bars, FORECASTS, CALENDAR, one) for bars in (BARS, scrambled))
    known = pl.col("snapshot_utc") <= start
    assert_frame_equal(before.signals.filter(known), after.signals.filter(known), check_exact=True)
    closed = pl.col("exit_ts") < start
    assert_frame_equal(before.trades.filter(closed), after.trades.filter(closed), check_exact=True)


def test_scrambling_the_future_does_change_later_trades():
    start = CALENDAR["open_utc"][10]
    rng = np.random.default_rng(0)
    scrambled = {symbol: scramble(frame, start, rng) for symbol, frame in BARS.items()}
    assert not traded(strategy(*SYMBOLS)).equals(traded(strategy(*SYMBOLS), scrambled))


def scramble(frame: pl.DataFrame, start: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """Other prices from `start` on; which bars are real stays, for a missing bar is itself news of its minute."""
    factor = pl.Series(np.exp(rng.normal(0.0, 0.01, frame.height)))
    later = pl.col("ts") >= start
    return frame.with_columns(
        [pl.when(later).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name) for name in prices_of(frame)]
    )


@given(st.randoms(use_true_random=False))
@every
def test_the_order_of_symbols_and_rows_changes_no_byte(random):
    order = list(SYMBOLS)
    random.shuffle(order)
    shuffled = FORECASTS.sample(fraction=1.0, shuffle=True, seed=random.randrange(2**32))
    bars = {symbol: BARS[symbol].sample(fraction=1.0, shuffle=True, seed=1) for symbol in order}
    one = strategy(*SYMBOLS, k_sigma=0.2)
    first, second = simulate(BARS, FORECASTS, CALENDAR, one), simulate(bars, shuffled, CALENDAR, one)
    assert_frame_equal(first.trades, second.trades, check_exact=True)
    assert_frame_equal(first.signals, second.signals, check_exact=True)


def test_a_symbol_trades_the_same_alone_and_among_others():
    among = traded(strategy(*SYMBOLS)).filter(symbol="B")
    alone = traded(strategy("B"), {"B": BARS["B"]}, FORECASTS.filter(symbol="B"))
    assert_frame_equal(among, alone, check_exact=True)


def test_appending_sessions_changes_no_earlier_trade():
    cut: date = SESSIONS[12]
    earlier = pl.col("session") < cut
    bars = {symbol: frame.filter(earlier) for symbol, frame in BARS.items()}
    short = simulate(bars, FORECASTS.filter(earlier), CALENDAR.filter(earlier), strategy(*SYMBOLS)).trades
    assert_frame_equal(short, traded(strategy(*SYMBOLS)).filter(earlier), check_exact=True)
