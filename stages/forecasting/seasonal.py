"""Seasonal mean: what this symbol did, on average, at this minute of the last sessions.

The middle is the mean h-minute move that began at the snapshot's minute, over the last `forecaster.lookback_sessions`
sessions of the window; the other levels add the quantiles of the same moves around their median, widened for having
estimated the mean from n moves.

*Source*: the seasonal average method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2
and 5.5; the factor sqrt(1 + 1/n) sqrt(n / (n - 1)) is that of a new observation around an estimated mean.
"""

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.forecasting.params import ForecasterParams
from stages.forecasting.past_moves import past_moves, spread
from stages.requests.question import Question
from stages.requests.window import Window


def seasonal(question: Question, window: Window, params: ForecasterParams) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, horizon)."""
    minute = int(window.minute[-1])
    moves = past_moves(window, range(minute, minute + 1), question.horizon_min, params.lookback_sessions)
    n = len(moves)
    if n < 2:
        raise DataContractError(
            f"seasonal: {question.symbol} at {question.snapshot_utc} has {n} past session(s) with this minute, and a "
            "mean with a spread needs 2: raise requests.history_days or forecaster.lookback_sessions."
        )
    widening = np.sqrt((1 + 1 / n) * n / (n - 1))
    quantiles: NDArray[np.float64] = moves.mean(axis=0) + widening * spread(moves, question.levels)
    return quantiles
