"""A book's days as sheets of a strategy show them: Sortino ratio, rolling Sharpe ratio, months and beta.

P&L is in bp of a capital that is invested anew at every entry, so days add up and nothing is compounded.

*Tables*: `Daily`-like series have one row a session. *Shapes*: `daily` (sessions,). *Units*: bp of the capital; ratios
are annual.
*Source*: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework", with target 0; definitions
and annualisation by 252 as in quantstats 0.0.86, whose figures the tests repeat.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.trading.performance import MIN_SESSIONS, SESSIONS_PER_YEAR

Floats = NDArray[np.float64]

HALF_A_YEAR, MONTH = 126, 21


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

    *Tables*: `daily` has `session` and `net_bp`. Windows in which nothing varies are left out.
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
    """`year`, `month` and the sum of `net_bp`, in order. *Tables*: `daily` has `session` and `net_bp`."""
    day = pl.col("session")
    by_month = daily.group_by(year=day.dt.year(), month=day.dt.month()).agg(pl.col("net_bp").sum().round(6))
    return by_month.sort("year", "month")
