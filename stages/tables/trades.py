"""Tables of trading: decisions, trades, daily P&L, and the variants of a sweep."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number
from stages.tables.forecasts import ForecastKey


class Signals(ForecastKey):
    """One row a forecast that the strategy could have traded.

    `decision` is `long`, `short` or the first failing rule. *Units*: `ev_bp`, `cost_bp` (round trip) in bp of `last`;
    both null where params state no costs for the symbol, `ev_bp` also where the forecast takes no side.
    *Time*: everything is known at `snapshot_utc`, except reasons that depend on open positions.
    """

    method = dy.String(primary_key=True, nullable=False)
    decision = dy.String(nullable=False)
    ev_bp = number(6, nullable=True)
    cost_bp = number(6, nullable=True)


PORTFOLIO = "PORTFOLIO"


class Trades(Table):
    """One row a round trip. *Units*: prices; P&L in bp of entry notional; `side` +1 long, -1 short.

    *Time*: `entry_ts` is the start of the bar at whose open the position began, `exit_ts` that of the bar it ended in.
    """

    symbol = dy.String(primary_key=True, nullable=False)
    entry_ts = instant(key=True)
    session = dy.Date(nullable=False)
    snapshot_utc = instant()
    side = dy.Int8(nullable=False)
    entry_px = number(6)
    stop_px = number(6)
    take_px = number(6)
    exit_ts = instant()
    exit_px = number(6)
    exit_reason = dy.String(nullable=False)
    gross_bp = number(6)
    cost_bp = number(6)
    net_bp = number(6)

    @dy.rule()
    def leaves_no_earlier_than_it_enters(cls) -> pl.Expr:
        """`exit_ts >= entry_ts`."""
        return pl.col("exit_ts") >= pl.col("entry_ts")


class Daily(Table):
    """One row a symbol (or `PORTFOLIO`) and session, zeros on days without a trade.

    *Units*: bp of the capital per symbol (the portfolio row: of the total capital); `exposure_min` position-minutes;
    `turnover` traded notional over capital. A symbol's P&L is a sum of whole millionths of a bp. The portfolio's is the
    sum of the symbols divided by their number, kept to nine decimals, so with up to 999 symbols multiplying gives the
    sum exactly.
    """

    symbol = dy.String(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    gross_bp = number(9)
    cost_bp = number(9)
    net_bp = number(9)
    trades = dy.Int32(nullable=False, min=0)
    exposure_min = dy.Int32(nullable=False, min=0)
    turnover = number(9)


HOLDING, MARKET = "buy and hold", "SPY"


class Benchmark(Table):
    """One row a span, benchmark and session: what holding it earned. `name` is `buy and hold` or `SPY`.

    *Units*: `net_bp` in bp of the capital at the start of the span.
    """

    span = dy.String(primary_key=True, nullable=False)
    name = dy.String(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    net_bp = number(6)


class GridDaily(Table):
    """One row a combo and session, zeros included. *Units*: `net_bp` in bp of the total capital, as in `Daily`."""

    combo = dy.String(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    net_bp = number(9)
