"""The simulator: trades one strategy over a span, with every fill and one decision a forecast.

It is a pure function: the order of rows and symbols and the number of threads change no byte.

*Tables*: `trades` is a `Trades`, `signals` a `Signals`, each sorted by its key.
*Time*: a decision knows the forecast and the book, but no bar from its snapshot on (only `no_bar` and the book itself
come from bars, each at the time they happen).
*Errors*: `DataContractError` when bars, forecasts and calendar do not match.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import polars as pl

from stages.tables.contract import UTC_MICROSECONDS, Table
from stages.tables.trades import Signals, Trades
from stages.trading.kernels import EXITS, UNITS, DayRules, decide, fill_exits, fill_touches
from stages.trading.market import MICROSECONDS, Floats, Ints, Records, SymbolMarket, bars_of, clock_of, market_of
from stages.trading.positions import SymbolContext, context_of, empty_exits, empty_touches, verdicts_of
from stages.trading.rules import LONG, SHORT, Reason, SymbolCosts, expected_value_bp, late_tests, symbol_costs
from stages.trading.strategy import Strategy


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
    """Trade a `strategy` that `require_tradable` has passed on every session of `calendar`.

    Symbols or sessions may lack the forecasts that it trades.
    """
    trades, signals = [], []
    for _, rows, walked in _walks(bars, forecasts, calendar, [strategy]):
        if walked is not None:
            trades.append(_trades(walked, rows))
        signals.append(_untraded(rows) if walked is None else _signals(walked, rows))
    return Result(_whole(Trades, trades), _whole(Signals, signals))


def trade_each(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategies: Sequence[Strategy]
) -> list[pl.DataFrame]:
    """The trades of each strategy; `require_tradable` has passed it, and some symbols may be missing here."""
    trades: list[list[pl.DataFrame]] = [[] for _ in strategies]
    for n, rows, walked in _walks(bars, forecasts, calendar, strategies):
        if walked is not None:
            trades[n].append(_trades(walked, rows))
    return [_whole(Trades, parts) for parts in trades]


def _walks(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategies: Sequence[Strategy]
) -> Iterator[tuple[int, pl.DataFrame, _Walked | None]]:
    """By symbol and strategy: the strategy's number, its forecasts, and its walk; None for a symbol without costs.

    The bars of a symbol are read once, and only if one of the strategies trades it.
    """
    rows = [_rows_by_symbol(forecasts, strategy) for strategy in strategies]
    clocks = [clock_of(calendar, strategy.rules) for strategy in strategies]
    for symbol in sorted(set().union(*rows)):
        read = cache(partial(bars_of, symbol, bars))
        for n, strategy in enumerate(strategies):
            if symbol in rows[n]:
                used, costs = rows[n][symbol], symbol_costs(strategy.costs, symbol)
                if costs is None:
                    yield n, used, None
                else:
                    yield n, used, _walk(market_of(symbol, read(), used, clocks[n]), strategy, costs)


def _whole(table: type[Table], parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return table.of(pl.concat(parts or [table.create_empty()]))


def _rows_by_symbol(forecasts: pl.DataFrame, strategy: Strategy) -> dict[str, pl.DataFrame]:
    """The forecasts that this strategy uses by symbol, oldest first."""
    kind = {"model": strategy.model, "method": strategy.method, "history_days": strategy.rules.history_days}
    used = forecasts.filter(**kind).sort("snapshot_utc")
    of_symbols = {symbol: rows for (symbol,), rows in used.partition_by("symbol", as_dict=True).items()}
    traded = {symbol: rows.filter(horizon_min=strategy.horizon_min(symbol)) for symbol, rows in of_symbols.items()}
    return {symbol: rows for symbol, rows in traded.items() if rows.height}


def _walk(market: SymbolMarket, strategy: Strategy, costs: SymbolCosts) -> _Walked:
    rules, symbol = strategy.rules, market.symbol
    context = context_of(market, rules, costs)
    (feed,) = market.feeds.values()
    view = context.views(feed, costs, rules)
    barriers = (rules.s_stop, rules.s_take)
    ev_bp = expected_value_bp(view, context.snapshots["sigma"], barriers)
    horizon_min = strategy.horizon_min(symbol)
    in_time = context.enters_in_time(horizon_min)
    order = (late_tests(ev_bp, in_time), context.waits_until(horizon_min))
    verdicts = verdicts_of(context, feed, view, order, strategy.may_trade(symbol))
    wanted = np.stack([in_time & (view.side > 0), in_time & (view.side < 0)])
    touches, exits = empty_touches(len(context.snapshots), 1, 1), empty_exits(len(context.snapshots))
    paid = (costs.fees_bps, costs.half_spread_px, costs.mult)
    plan = ((0, rules.s_stop), (0, rules.s_take), strategy.hold_min(symbol) or 0, paid)
    fill_touches(context.arrays, wanted, np.array([rules.s_stop]), np.array([rules.s_take]), touches)
    fill_exits(context.arrays, wanted, touches, plan, exits)
    decision = decide(context.snapshots, verdicts, exits, rules.k_sigma, DayRules.of(rules))
    known_ev = np.where(view.side == 0, np.nan, ev_bp)
    return _Walked(context, decision, verdicts["side"], known_ev, view.cost_bp, exits, barriers)


def _trades(walked: _Walked, rows: pl.DataFrame) -> pl.DataFrame:
    at = np.flatnonzero(walked.decision == Reason.ENTER)
    done = walked.exits[walked.side[at], at]
    snapshots, bar_array = walked.context.snapshots[at], walked.context.bar_array
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
    labels = np.array([reason.label for reason in sorted(Reason)])[walked.decision]
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
