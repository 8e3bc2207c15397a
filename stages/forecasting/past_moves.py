"""Past moves of a window: how far the price went in the h minutes after a given minute of a session.

*Shapes*: `(moves, horizon)`, column h-1 the move over h minutes.
*Units*: bp of log return. *Time*: within sessions of the window only, so every move was over at the snapshot.
"""

import numpy as np
from numpy.typing import NDArray

from stages.requests.window import UNITS_PER_BP, Window


def session_starts(window: Window) -> NDArray[np.int64]:
    """Row of the first bar of each session that the window holds from its open on, today's included."""
    return np.flatnonzero(window.minute == 0)


def past_moves(window: Window, minutes: range, horizon: int, sessions: int) -> NDArray[np.float64]:
    """Moves that began at the close of each of `minutes` in the last complete `sessions`, session by session.

    A session too short for the move (a half day) is left out.
    """
    starts = session_starts(window)
    lengths = np.diff(starts)
    starts = starts[:-1][-sessions:]
    lengths = lengths[-sessions:]
    begins = starts[:, None] + np.array(minutes)
    fits = np.array(minutes) + horizon < lengths[:, None]
    rows = begins[fits]
    level = np.cumsum(window.returns)
    units = level[rows[:, None] + np.arange(1, horizon + 1)] - level[rows][:, None]
    moves: NDArray[np.float64] = units / UNITS_PER_BP
    return moves


def spread(moves: NDArray[np.float64], levels: tuple[int, ...]) -> NDArray[np.float64]:
    """Quantiles of the moves around their median, one row a level: the median's row is 0, rows never cross.

    Rank p(n+1), so that the next move falls below the quantile with probability p, also when n is small.
    *Source*: Hyndman and Fan (1996), The American Statistician 50(4), definition 6.
    """
    in_order = np.sort(moves.T)  # numpy finds the same quantiles three times as fast in what is sorted
    quantiles = np.quantile(in_order, np.array([*levels, 50]) / 100, axis=1, method="weibull")
    around_median: NDArray[np.float64] = quantiles[:-1] - quantiles[-1]
    return around_median
