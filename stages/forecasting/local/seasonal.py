"""Seasonal mean: the market moves as it usually did from this minute of the session on.

The median is the mean h-minute move that began at the snapshot's minute in the last `forecaster.lookback_sessions`
sessions; the other levels add the quantiles of these moves around their median. With fewer than two such moves, the
answer is that of persistence.

*Source*: the seasonal average method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2.
"""

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.local.persistence import persistence
from stages.forecasting.moves import past_moves, spread
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import Window


def seasonal(question: Question, window: Window, ahead: NDArray[np.int64], params: LocalWindows) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, steps)."""
    minute = int(window.minute[-1])
    moves = past_moves(window, range(minute, minute + 1), question.horizon_min, ahead, params.lookback_sessions)
    if len(moves) < 2:
        return persistence(question, window, ahead, params)
    mean = np.ascontiguousarray(moves).mean(axis=0)  # summed move by move, in whatever order they lie
    quantiles: NDArray[np.float64] = mean + spread(moves, question.levels)
    return quantiles
