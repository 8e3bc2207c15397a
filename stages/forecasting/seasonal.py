"""Seasonal mean: what this symbol did, on average, at this minute of the last sessions.

The middle is the mean h-minute move that began at the snapshot's minute, over the last `forecaster.lookback_sessions`
sessions of the window; the other levels add the quantiles of the same moves around their median. With fewer than two
such moves there is no season to see, and the answer is that of persistence.

*Source*: the seasonal average method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2.
"""

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.params import ForecasterParams
from stages.forecasting.past_moves import past_moves, spread
from stages.forecasting.persistence import persistence
from stages.requests.question import Question
from stages.requests.window import Window


def seasonal(question: Question, window: Window, params: ForecasterParams) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, horizon)."""
    minute = int(window.minute[-1])
    moves = past_moves(window, range(minute, minute + 1), question.horizon_min, params.lookback_sessions)
    if len(moves) < 2:
        return persistence(question, window, params)
    quantiles: NDArray[np.float64] = moves.mean(axis=0) + spread(moves, question.levels)
    return quantiles
