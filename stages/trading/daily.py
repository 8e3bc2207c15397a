"""Daily P&L, by symbol and for the whole book.

Capital is one unit a symbol that may trade, and each trade invests its symbol's unit at entry. So P&L adds up: the
portfolio earns the sum of the symbols divided by the number of those that may trade; a symbol that the forecast gates
keep out holds no capital. Sums are taken over whole millionths, so the order of summation does not matter. The
portfolio keeps three more decimals: times the number of symbols that may trade, it is exactly their sum.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stages.tables.contract import rounded
from stages.tables.trades import PORTFOLIO, Daily

UNITS = 1_000_000
UNITS_OF_TURNOVER = 10_000
AT_OPEN = ("time_stop", "max_hold", "gap")
MONEY = ("gross_bp", "cost_bp", "net_bp", "turnover")
COUNTS = ("trades", "exposure_min")


def daily_table(
    trades: pl.DataFrame, sessions: Sequence[date], symbols: Sequence[str], trading: Sequence[str]
) -> pl.DataFrame:
    """`Daily` of every session and symbol, with zeros on days without a trade, and the `PORTFOLIO` rows.

    `trading` are the symbols that may trade: they hold the capital.
    """
    by_symbol = pl.DataFrame({"symbol": symbols}, schema={"symbol": pl.String})
    by_session = pl.DataFrame({"session": sessions}, schema={"session": pl.Date})
    sums = in_units(trades).group_by("symbol", "session").agg(pl.col(*MONEY, *COUNTS).sum())
    each = by_symbol.join(by_session, how="cross").join(sums, on=["symbol", "session"], how="left")
    book = by_session.join(each, on="session", how="left").group_by("session").agg(pl.col(*MONEY, *COUNTS).sum())
    capital = max(len(trading), 1)
    rows = [
        _in_bp(each.select("symbol", "session", *(pl.col(name).fill_null(0) for name in (*MONEY, *COUNTS))), 1),
        _in_bp(book.select(pl.lit(PORTFOLIO).alias("symbol"), "session", *MONEY, *COUNTS), capital),
    ]
    return Daily.of(pl.concat(rows))


def with_curves(daily: pl.DataFrame) -> pl.DataFrame:
    """Daily rows with `equity_bp`, the running sum from 0, and `drawdown_bp`, its distance below its maximum so far."""
    equity = rounded(pl.col("net_bp").cum_sum().over("symbol"), 6)
    by_symbol = daily.sort("symbol", "session").with_columns(equity_bp=equity)
    peak = pl.max_horizontal(pl.lit(0.0), pl.col("equity_bp").cum_max().over("symbol"))
    return by_symbol.with_columns(drawdown_bp=rounded(pl.col("equity_bp") - peak, 6))


def book_curve(daily: pl.DataFrame) -> pl.DataFrame:
    """Equity and drawdown of the whole book, one row a session."""
    book = with_curves(daily).filter(pl.col("symbol") == PORTFOLIO)
    return book.select("session", "net_bp", "equity_bp", "drawdown_bp")


def exposure_min() -> pl.Expr:
    """Minutes from entry to exit; a bar in which the position ended counts in full."""
    whole = (pl.col("exit_ts") - pl.col("entry_ts")).dt.total_minutes()
    return whole + (~pl.col("exit_reason").is_in(AT_OPEN)).cast(pl.Int64)


def in_units(trades: pl.DataFrame) -> pl.DataFrame:
    """P&L and traded notional as whole millionths of a bp and of the capital."""
    units = {name: (pl.col(name) * UNITS).round().cast(pl.Int64) for name in ("gross_bp", "cost_bp", "net_bp")}
    signed = (pl.col("side").cast(pl.Int64) * units["gross_bp"]).floordiv(UNITS_OF_TURNOVER)
    return trades.select(
        "symbol",
        "session",
        turnover=2 * UNITS + signed,
        exposure_min=exposure_min(),
        trades=pl.lit(1, dtype=pl.Int64),
        **units,
    )


def _in_bp(sums: pl.DataFrame, capital: int) -> pl.DataFrame:
    return sums.with_columns(pl.col(MONEY) / UNITS / capital)
