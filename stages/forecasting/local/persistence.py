"""Persistence, the benchmark of every run: the price stays where it is, within its usual spread at this time of day.

The median is 0. The other levels are the quantiles, around their median, of past h-minute moves that began within a
quarter of an hour of the same minute in the last `forecaster.lookback_sessions` sessions. So the spread follows the
session's volatility pattern, wide after the open and narrow at noon. With too few such moves (a short history of half
days), moves from any minute are used.

*Source*: the naive method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2.
"""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.forecasting.moves import past_moves, spread
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import Window

NEIGHBOURHOOD_MIN = 15
WHOLE_SESSION_MIN = 390
FEWEST_MOVES = 20


def persistence(
    question: Question, window: Window, ahead: NDArray[np.int64], params: LocalWindows
) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, steps)."""
    minute = int(window.minute[-1])
    for reach in (NEIGHBOURHOOD_MIN, WHOLE_SESSION_MIN):
        around = range(max(0, minute - reach), minute + reach + 1)
        moves = past_moves(window, around, question.horizon_min, ahead, params.lookback_sessions)
        if len(moves) >= FEWEST_MOVES:
            return spread(moves, question.levels)
    raise too_few_moves(question.symbol, question.snapshot_utc, len(moves), question.horizon_min)


def too_few_moves(symbol: str, snapshot_utc: datetime, moves: int, horizon_min: int) -> DataContractError:
    """The refusal of a question whose complete sessions hold fewer than `FEWEST_MOVES` moves."""
    return DataContractError(
        f"persistence: {symbol} at {snapshot_utc:%Y-%m-%dT%H:%MZ} has {moves} past moves of {horizon_min} min, and "
        f"needs at least {FEWEST_MOVES}: raise requests.history_days. If forecaster.input_size cuts the history, "
        "name a column in requests.hist_exog, so that all of it is sent; if requests.exog_policy cuts it, raise "
        "forecaster.min_rows, so that the question is not asked."
    )
