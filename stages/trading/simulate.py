"""The simulator: trades one strategy over a span, with every fill and one decision a forecast.

It is a pure function: the order of rows and symbols and the number of threads change no byte.

*Tables*: `trades` is a `Trades`, `signals` a `Signals`, each sorted by its key.
*Time*: a decision knows the forecast and the book, but no bar from its snapshot on (only `no_bar` and the book itself
come from bars, each at the time they happen).
*Errors*: `ConfigurationError` when params ask for forecasts that do not exist or a symbol has no costs;
`DataContractError` when bars, forecasts and calendar do not match.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.tables.contract import UTC_MICROSECONDS
from stages.tables.trades import Signals, Trades
from stages.trading.kernels import EXITS, UNITS, decide, fill_exits, fill_touches
from stages.trading.market import MICROSECONDS, Floats, Ints, Records, SymbolMarket, market_of
from stages.trading.positions import SymbolContext, context_of, empty_exits, empty_touches, late_tests, verdicts_of
from stages.trading.rules import LONG, SHORT, Reason, SymbolCosts, expected_value_bp, symbol_costs
from stages.trading.strategy import Strategy, require_tradable


@dataclass(frozen=True)
class Result:
    """What a strategy traded, and why it did not trade the rest."""

    trades: pl.DataFrame
    signals: pl.DataFrame


@dataclass(frozen=True)
class _Walked:
    """One symbol after the walk. *Shapes*: (snapshots,); `exits` (2, snapshots) records `EXIT`."""

    context: SymbolContext
    decision: Ints
    side: Ints  # 0 long, 1 short
    ev_bp: Floats
    cost_bp: Floats
    exits: Records
    barriers: tuple[float, float]


def simulate(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategy: Strategy
) -> Result:
    """Trade `strategy` on every session of `calendar`."""
    made = forecasts.filter(model=strategy.model)
    require_tradable(strategy, made)
    trades, signals = [], []
    for symbol, rows in _rows_by_symbol(made, strategy):
        costs = symbol_costs(strategy.costs, symbol)
        if costs is None:
            signals.append(_untraded(rows))
            continue
        market = market_of(symbol, bars, rows, calendar, strategy.rules)
        walked = _walk(market, strategy, costs)
        trades.append(_trades(walked, rows))
        signals.append(_signals(walked, rows))
    return Result(
        Trades.of(pl.concat(trades or [Trades.create_empty()])),
        Signals.of(pl.concat(signals or [Signals.create_empty()])),
    )


def _rows_by_symbol(made: pl.DataFrame, strategy: Strategy) -> Iterator[tuple[str, pl.DataFrame]]:
    """The forecasts that this strategy uses, symbol by symbol, oldest first."""
    for symbol in made["symbol"].unique().sort():
        rows = made.filter(
            symbol=symbol,
            method=strategy.method,
            history_days=strategy.rules.history_days,
            horizon_min=strategy.horizon_min(symbol),
        )
        if rows.height:
            yield symbol, rows.sort("snapshot_utc")


def _walk(market: SymbolMarket, strategy: Strategy, costs: SymbolCosts) -> _Walked:
    rules, symbol = strategy.rules, market.symbol
    context = context_of(market, rules, costs)
    (feed,) = market.feeds.values()
    view = context.views(feed, costs)
    barriers = (rules.s_stop, rules.s_take)
    ev_bp = expected_value_bp(view, context.snapshots["sigma"], barriers, rules.risk_aversion)
    in_time = context.enters_in_time(strategy.horizon_min(symbol))
    verdicts = verdicts_of(context, feed, view, late_tests(ev_bp, in_time), strategy.may_trade(symbol))
    wanted = np.stack([in_time & (view.side > 0), in_time & (view.side < 0)])
    touches, exits = empty_touches(len(context.snapshots), 1, 1), empty_exits(len(context.snapshots))
    paid = (costs.fees_bps, costs.half_spread_px, costs.mult)
    plan = ((0, rules.s_stop), (0, rules.s_take), strategy.hold_min(symbol) or 0, paid)
    fill_touches(context.arrays, wanted, np.array([rules.s_stop]), np.array([rules.s_take]), touches)
    fill_exits(context.arrays, wanted, touches, plan, exits)
    decision = decide(context.snapshots, verdicts, exits, rules.k_sigma, (rules.daily_trade_cap, rules.cooldown_bars))
    known_ev = np.where(view.side == 0, np.nan, ev_bp)
    return _Walked(context, decision, verdicts["side"], known_ev, view.cost_bp, exits, barriers)


def _trades(walked: _Walked, rows: pl.DataFrame) -> pl.DataFrame:
    at = np.flatnonzero(walked.decision == Reason.ENTER)
    done, snapshots, bar_array = (
        walked.exits[walked.side[at], at],
        walked.context.snapshots[at],
        walked.context.bar_array,
    )
    side = 1 - 2 * walked.side[at]
    entry = bar_array["open"][snapshots["entry"]]
    away = [side * barrier * snapshots["sigma"] for barrier in walked.barriers]
    return (
        rows[at]
        .select("symbol", "session", "snapshot_utc")
        .with_columns(
            entry_ts=_instants(bar_array["minute"][snapshots["entry"]]),
            side=pl.Series(side),
            entry_px=pl.Series(entry),
            stop_px=pl.Series(entry * (1.0 - away[0])),
            take_px=pl.Series(entry * (1.0 + away[1])),
            exit_ts=_instants(done["minute"]),
            exit_px=pl.Series(done["price"]),
            exit_reason=pl.Series([EXITS[reason] for reason in done["reason"]], dtype=pl.String),
            gross_bp=pl.Series(done["gross_units"] / UNITS),
            cost_bp=pl.Series(done["cost_units"] / UNITS),
            net_bp=pl.Series((done["gross_units"] - done["cost_units"]) / UNITS),
        )
    )


def _signals(walked: _Walked, rows: pl.DataFrame) -> pl.DataFrame:
    sides = np.array([LONG, SHORT])[walked.side]
    labels = np.array([reason.label for reason in Reason])[walked.decision]
    return rows.with_columns(
        decision=pl.Series(np.where(walked.decision == Reason.ENTER, sides, labels), dtype=pl.String),
        ev_bp=pl.Series(walked.ev_bp).fill_nan(None),
        cost_bp=pl.Series(walked.cost_bp),
    )


def _untraded(rows: pl.DataFrame) -> pl.DataFrame:
    """A symbol without costs is not on the whitelist: it is neither traded nor evaluated."""
    null = pl.lit(None, dtype=pl.Float64)
    return rows.with_columns(decision=pl.lit(Reason.SYMBOL_GATE.label), ev_bp=null, cost_bp=null)


def _instants(minutes: Ints) -> pl.Series:
    return pl.Series(minutes * MICROSECONDS).cast(UTC_MICROSECONDS)
