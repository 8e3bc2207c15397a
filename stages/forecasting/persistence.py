"""Persistence: the price stays where it is; the benchmark of every run.

The middle is 0. The other levels are the quantiles of past h-minute moves that began within a quarter of an hour of the
same minute, over the last `forecaster.lookback_sessions` sessions: so the spread follows the session's own rhythm of
volatility, wide after the open and narrow at noon.

*Source*: the naive method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2.
"""

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.forecasting.params import ForecasterParams
from stages.forecasting.past_moves import past_moves, spread
from stages.requests.question import Question
from stages.requests.window import Window

NEIGHBOURHOOD_MIN = 15


def persistence(question: Question, window: Window, params: ForecasterParams) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, horizon)."""
    minute = int(window.minute[-1])
    around = range(max(0, minute - NEIGHBOURHOOD_MIN), minute + NEIGHBOURHOOD_MIN + 1)
    moves = past_moves(window, around, question.horizon_min, params.lookback_sessions)
    if len(moves) < 2:
        raise DataContractError(
            f"persistence: {question.symbol} at {question.snapshot_utc} has {len(moves)} past moves near this minute; "
            "raise requests.history_days."
        )
    return spread(moves, question.levels)
