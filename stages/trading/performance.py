"""Performance figures of a daily P&L series, and the row of key figures of a variant.

Figures have their textbook definitions. P&L is in bp of a capital that is invested anew at every entry, so days add up
and nothing is compounded. Sharpe and Sortino ratio, their errors and the volatility are annualised by 252 sessions.

*Tables*: the row of `bt_summary.csv`, whose figures `ranking.csv` repeats; floats have six decimals. A frame `daily`
has one row a session, with `session` and `net_bp`.
*Shapes*: `daily` (sessions,): every session of the span, zeros on days without a trade.
*Units*: bp of the total capital (a day); `mean_trade_bp` bp of entry notional; `turnover` traded notional over capital
a day; `exposure` share of the minutes.
*Source*: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework", with target 0; definitions
as in quantstats 0.0.86, whose figures the tests repeat.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.trading.daily import UNITS, Floats, in_units
from stages.trading.strategy import Strategy

SESSIONS_PER_YEAR = 252
MIN_SESSIONS = 20
HALF_A_YEAR, MONTH = 126, 21
VARIANTS_AT_ONCE = 512


def sharpe(daily: Floats) -> float | None:
    """Annualised mean over standard deviation (ddof 1); None below 20 sessions or where nothing varies."""
    if len(daily) < MIN_SESSIONS or np.ptp(daily) == 0.0:
        return None
    return float(np.sqrt(SESSIONS_PER_YEAR) * daily.mean() / daily.std(ddof=1))


def varies(daily: Floats) -> NDArray[np.bool_]:
    """Which strategies have two different days. *Shapes*: `daily` (sessions, strategies)."""
    return np.asarray((daily != daily[:1]).any(axis=0))


def varying_blocks(daily: Floats) -> Iterator[Floats]:
    """The series of the strategies with two different days, in blocks. *Shapes*: (sessions, at most 512)."""
    numbers = np.flatnonzero(varies(daily))
    for first in range(0, len(numbers), VARIANTS_AT_ONCE):
        yield daily[:, numbers[first : first + VARIANTS_AT_ONCE]]


def lo_standard_error(annual_sharpe: float | None, sessions: int) -> float | None:
    """Standard error of an annualised Sharpe ratio of independent daily returns.

    *Source*: Lo (2002), "The Statistics of Sharpe Ratios", eq. 9, times the square root of 252.
    """
    if annual_sharpe is None:
        return None
    per_day = annual_sharpe / np.sqrt(SESSIONS_PER_YEAR)
    return float(np.sqrt(SESSIONS_PER_YEAR * (1.0 + 0.5 * per_day**2) / sessions))


def max_drawdown(daily: Floats) -> float:
    """The largest fall of cumulative P&L below its running maximum, which starts at 0; positive bp."""
    path = np.concatenate([[0.0], np.cumsum(daily)])
    return float(np.max(np.maximum.accumulate(path) - path))


def sortino(daily: Floats) -> float | None:
    """Annualised mean over downside deviation, the root mean square of the losing days among all days.

    None below 20 sessions or without a losing day.
    """
    losses = np.minimum(daily, 0.0)
    if len(daily) < MIN_SESSIONS or not losses.any():
        return None
    return float(np.sqrt(SESSIONS_PER_YEAR) * daily.mean() / np.sqrt(np.mean(losses**2)))


def volatility(daily: Floats) -> float | None:
    """Annualised standard deviation (ddof 1); None below two sessions."""
    return float(np.sqrt(SESSIONS_PER_YEAR) * daily.std(ddof=1)) if len(daily) > 1 else None


def beta(daily: Floats, market: Floats) -> float | None:
    """Covariance with the market over its variance; None below 20 sessions or where the market stands still."""
    if len(daily) < MIN_SESSIONS or np.ptp(market) == 0.0:
        return None
    return float(np.cov(daily, market)[0, 1] / np.var(market, ddof=1))


def rolling_window(sessions: int) -> int | None:
    """Sessions of a rolling ratio: half a year where the span holds two of them, else a month; None for less than two.

    A ratio of fewer days says even less.
    """
    return next((days for days in (HALF_A_YEAR, MONTH) if sessions >= 2 * days), None)


def rolling_sharpe(daily: pl.DataFrame, window: int) -> pl.DataFrame:
    """`session`, `sharpe`, and its standard error `se` after Lo (2002), of the last `window` sessions each.

    Windows in which nothing varies are left out.
    """
    mean, deviation = (getattr(pl.col("net_bp"), name)(window) for name in ("rolling_mean", "rolling_std"))
    per_day = mean / deviation
    rolled = daily.sort("session").select(
        "session",
        sharpe=(per_day * np.sqrt(SESSIONS_PER_YEAR)).round(6),
        se=(SESSIONS_PER_YEAR * (1.0 + 0.5 * per_day**2) / window).sqrt().round(6),
    )
    return rolled.filter(pl.col("sharpe").is_finite())


def monthly(daily: pl.DataFrame) -> pl.DataFrame:
    """`year`, `month` and the sum of `net_bp`, in order."""
    day = pl.col("session")
    by_month = daily.group_by(year=day.dt.year(), month=day.dt.month()).agg(pl.col("net_bp").sum().round(6))
    return by_month.sort("year", "month")


SUMMARY = "bt_summary.csv"
ROWS_AT_ONCE = 500
DECIMALS = 6
BP_DECIMALS = 9


@dataclass(frozen=True)
class Book:
    """Totals of one variant in whole millionths, summed over its symbols. *Shapes*: `net_units` (sessions,)."""

    net_units: NDArray[np.int64]
    gross_units: int
    cost_units: int
    turnover_units: int
    trades: int
    wins: int
    exposure_min: int

    @classmethod
    def combined(cls, books: Iterable[Self]) -> Self:
        """The sum of books of other symbols over the same sessions."""
        every = list(books)
        net_units = np.sum([book.net_units for book in every], axis=0)
        return cls(net_units, *(sum(column) for column in zip(*(book.totals for book in every), strict=True)))

    @property
    def totals(self) -> tuple[int, ...]:
        """Everything except the daily series."""
        return self.gross_units, self.cost_units, self.turnover_units, self.trades, self.wins, self.exposure_min

    def net_bp(self, capital: int) -> Floats:
        """Daily P&L in bp of the total capital, as in the `PORTFOLIO` rows of `Daily`."""
        return np.round(self.net_units / UNITS / capital, BP_DECIMALS)


def book_of(trades: pl.DataFrame, calendar: pl.DataFrame) -> Book:
    """The book of these trades over the sessions of `calendar`."""
    units = in_units(trades)
    by_session = units.group_by("session").agg(pl.col("net_bp").sum())
    days = calendar.select("session").join(by_session, on="session", how="left").sort("session")
    totals = units.select(pl.col("gross_bp", "cost_bp", "turnover", "exposure_min", "trades").sum()).row(0, named=True)
    return Book(
        net_units=days["net_bp"].fill_null(0).to_numpy(),
        gross_units=totals["gross_bp"],
        cost_units=totals["cost_bp"],
        turnover_units=totals["turnover"],
        trades=totals["trades"],
        wins=int((units["net_bp"] > 0).sum()),
        exposure_min=totals["exposure_min"],
    )


def kpis(book: Book, calendar: pl.DataFrame, symbols: int) -> dict[str, float | int | None]:
    """Key figures of a book over the sessions of `calendar`, with one unit of capital for each of `symbols`."""
    capital, sessions = max(symbols, 1), len(book.net_units)
    daily = book.net_bp(capital)
    ratio = sharpe(daily)
    earned = book.gross_units - book.cost_units
    figures = {
        "sessions": sessions,
        "trades": book.trades,
        "gross_bp": book.gross_units / UNITS / capital,
        "cost_bp": book.cost_units / UNITS / capital,
        "net_bp": earned / UNITS / capital,
        "mean_trade_bp": earned / UNITS / book.trades if book.trades else None,
        "sharpe": ratio,
        "sharpe_se": lo_standard_error(ratio, sessions),
        "max_drawdown_bp": max_drawdown(daily),
        "hit_rate": book.wins / book.trades if book.trades else None,
        "turnover": book.turnover_units / UNITS / capital / max(sessions, 1),
        "exposure": book.exposure_min / (capital * max(int(calendar["n_bars"].sum()), 1)),
    }
    return {name: rounded(value) if isinstance(value, float) else value for name, value in figures.items()}


def rounded(value: float | None, decimals: int = DECIMALS) -> float | None:
    """The number rounded, and no zero with a sign; None stays None."""
    return None if value is None else round(value, decimals) + 0.0


def summaries(strategies: Sequence[Strategy], books: Sequence[Book], calendar: pl.DataFrame) -> pl.DataFrame:
    """One row a variant: its id, every param that defines it, and its key figures."""
    rows = [_summary(strategy, book, calendar) for strategy, book in zip(strategies, books, strict=True)]
    return pl.DataFrame(rows, infer_schema_length=None)


def summary(strategy: Strategy, book: Book, calendar: pl.DataFrame) -> pl.DataFrame:
    """The one row of one variant."""
    return summaries([strategy], [book], calendar)


def in_folders(
    strategies: Sequence[Strategy], books: Sequence[Book], calendar: pl.DataFrame, most: int
) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
    """Files of summaries in parts: a folder a variant, or one table of all variants above `most`."""
    if len(strategies) > most:
        starts = range(0, len(strategies), ROWS_AT_ONCE)
        slices = (slice(first, first + ROWS_AT_ONCE) for first in starts)
        yield SUMMARY, (summaries(strategies[some], books[some], calendar) for some in slices)
    else:
        for strategy, book in zip(strategies, books, strict=True):
            yield f"{strategy.combo}/{SUMMARY}", iter([summary(strategy, book, calendar)])


def _summary(strategy: Strategy, book: Book, calendar: pl.DataFrame) -> dict[str, Any]:
    params = strategy.params()
    named = params.pop("rules") | params.pop("costs") | params
    cells = {name: _cell(value) for name, value in named.items()}
    if named["max_hold_min"] is not None:
        cells["max_hold_min"] = str(named["max_hold_min"])  # minutes or `horizon`
    return {"combo": strategy.combo} | cells | kpis(book, calendar, len(strategy.trading))


def _cell(value: Any) -> Any:
    """A param as one CSV cell; lists and mappings as JSON."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value
