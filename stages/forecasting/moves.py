"""Past moves of a window, and their spread, for the naive forecasters.

*Shapes*: `ahead` (steps,), minutes; moves (moves, steps), a column for each of them.
*Units*: bp of log return. *Time*: only moves within sessions of the window, so every move was over at the snapshot.
"""

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.quantiles import weibull
from stages.questions.window import UNITS_PER_BP, Window


def past_moves(
    window: Window, minutes: range, horizon: int, ahead: NDArray[np.int64], sessions: int
) -> NDArray[np.float64]:
    """Moves that began at the close of each of `minutes` in the last complete `sessions`, session by session.

    A session too short for the whole horizon (a half day) is left out.
    """
    past = window.past.latest(sessions)
    rows = past.starts[:-1, None] + np.array(minutes)
    rows = rows[rows + horizon < past.starts[1:, None]]
    units = past.level.take(ahead[:, None] + rows) - past.level.take(rows)
    moves: NDArray[np.float64] = units / UNITS_PER_BP
    return moves.T


def spread(moves: NDArray[np.float64], levels: tuple[int, ...]) -> NDArray[np.float64]:
    """Quantiles of the moves around their median, one row a level: the median's row is 0, and rows never cross."""
    quantiles = weibull(np.sort(moves.T), (*levels, 50))
    around_median: NDArray[np.float64] = quantiles[:-1] - quantiles[-1]
    return around_median
