"""Daily P&L, by symbol, for the whole book, and of its benchmark: buying and holding.

Capital is one unit a symbol that may trade, and each trade invests its symbol's unit at entry. So P&L adds up: the
portfolio earns the sum of the symbols divided by the number of those that may trade; a symbol that the forecast gates
keep out holds no capital. Sums are taken over whole millionths, so the order of summation does not matter. The
portfolio keeps three more decimals: times the number of symbols that may trade, it is exactly their sum.

The benchmark is a unit of capital for each symbol of the book, invested at the symbol's first open of the span and kept
to its last close, without costs. Its days add up to what it earned on the capital at the start of the span. Prices are
those delivered, so a split in unadjusted bars looks like a loss.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.tables.contract import rounded
from stages.tables.market import NEW_YORK
from stages.tables.trades import HOLDING, MARKET, PORTFOLIO, Benchmark, Daily

Floats = NDArray[np.float64]
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


def earned(bars: pl.DataFrame, sessions: pl.Series) -> Floats | None:
    """P&L so far of one symbol's unit of capital at the close of each session; None without any price.

    It is bought at the first open. A session without a price leaves the value where it was. *Units*: bp of what was
    paid.
    """
    session = pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date().alias("session")
    closes = (
        bars.lazy()
        .group_by(session)
        .agg(pl.col("open").drop_nulls().first(), pl.col("close").drop_nulls().last())
        .collect()
    )
    prices = sessions.to_frame("session").join(closes, on="session", how="left", maintain_order="left")
    paid = prices["open"].drop_nulls()
    if paid.is_empty():
        return None
    close = prices["close"].forward_fill().fill_null(paid[0])
    value: Floats = (1e4 * (close / paid[0] - 1.0)).to_numpy()
    return value


def buy_and_hold(values: Sequence[Floats | None], sessions: pl.Series) -> pl.DataFrame:
    """Daily P&L of the mean of what symbols `earned`: `session` and `net_bp`; no row if no symbol has a price.

    A symbol without any price keeps its unit in cash. The first day counts from the first open to its close, each later
    day from close to close.
    """
    days, priced = sessions.to_frame("session"), [value for value in values if value is not None]
    if not priced:
        return days.clear().with_columns(net_bp=pl.lit(0.0))
    mean = np.sum(priced, axis=0) / len(values)
    return days.with_columns(net_bp=pl.Series(np.diff(mean, prepend=0.0)).round(6))


def benchmark(
    spans: Mapping[str, pl.Series], values: Mapping[str, Mapping[str, Floats | None]], symbols: Sequence[str]
) -> pl.DataFrame:
    """`Benchmark` of each span from its sessions and what its symbols `earned`: buy and hold of `symbols`, and of SPY.

    SPY is left out if the span has no bars of it.
    """
    parts: list[pl.DataFrame] = [Benchmark.create_empty()]
    for name, sessions in spans.items():
        known = values[name]
        for benchmark, members in {HOLDING: symbols, **({MARKET: [MARKET]} if MARKET in known else {})}.items():
            days = buy_and_hold([known[symbol] for symbol in members], sessions)
            parts.append(days.select(pl.lit(name).alias("span"), pl.lit(benchmark).alias("name"), "session", "net_bp"))
    return Benchmark.of(pl.concat(parts))
