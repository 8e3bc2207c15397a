"""Persistence: the price stays where it is; the benchmark of every run.

The middle is 0. The other levels are the quantiles, around their median, of past h-minute moves that began within a
quarter of an hour of the same minute, over the last `forecaster.lookback_sessions` sessions: so the spread follows the
session's own rhythm of volatility, wide after the open and narrow at noon. Where hardly any session holds those minutes
(a short history of half days), moves from any minute stand in.

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
WHOLE_SESSION_MIN = 390
FEWEST_MOVES = 20


def persistence(question: Question, window: Window, params: ForecasterParams) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, horizon)."""
    minute = int(window.minute[-1])
    for reach in (NEIGHBOURHOOD_MIN, WHOLE_SESSION_MIN):
        around = range(max(0, minute - reach), minute + reach + 1)
        moves = past_moves(window, around, question.horizon_min, params.lookback_sessions)
        if len(moves) >= FEWEST_MOVES:
            return spread(moves, question.levels)
    raise DataContractError(
        f"persistence: {question.symbol} at {question.snapshot_utc:%Y-%m-%dT%H:%MZ} holds {len(moves)} past moves of "
        f"{question.horizon_min} min, and needs {FEWEST_MOVES}: raise requests.history_days."
    )
