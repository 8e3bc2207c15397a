"""How well one strategy did: figures of one series of daily P&L, each in its textbook form.

*Shapes*: `daily` (sessions,): every session of the span, days without a trade as zeros. *Units*: bp of capital a day.
Nothing is annualised but the Sharpe ratio and its standard error.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SESSIONS_PER_YEAR = 252
MIN_SESSIONS = 20
VARIANTS_AT_ONCE = 512


def sharpe(daily: Floats) -> float | None:
    """Annualised mean over standard deviation (ddof 1); None under 20 sessions or where nothing varies."""
    if len(daily) < MIN_SESSIONS or np.ptp(daily) == 0.0:
        return None
    return float(np.sqrt(SESSIONS_PER_YEAR) * daily.mean() / daily.std(ddof=1))


def varies(daily: Floats) -> NDArray[np.bool_]:
    """Which of several strategies have two different days. *Shapes*: `daily` (sessions, strategies)."""
    return np.asarray((daily != daily[:1]).any(axis=0))


def moving(daily: Floats) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """The strategies with two different days, some at a time: their numbers and their days."""
    numbers = np.flatnonzero(varies(daily))
    for first in range(0, len(numbers), VARIANTS_AT_ONCE):
        some = numbers[first : first + VARIANTS_AT_ONCE]
        yield some, daily[:, some]


def lo_standard_error(annual_sharpe: float | None, sessions: int) -> float | None:
    """Standard error of an annualised Sharpe ratio of independent daily returns.

    *Source*: Lo (2002), "The Statistics of Sharpe Ratios", eq. 9, times the square root of 252.
    """
    if annual_sharpe is None:
        return None
    per_day = annual_sharpe / np.sqrt(SESSIONS_PER_YEAR)
    return float(np.sqrt(SESSIONS_PER_YEAR * (1.0 + 0.5 * per_day**2) / sessions))


def max_drawdown(daily: Floats) -> float:
    """The deepest fall of cumulative P&L below its highest point so far, the start at 0 included; positive bp."""
    path = np.concatenate([[0.0], np.cumsum(daily)])
    return float(np.max(np.maximum.accumulate(path) - path))
