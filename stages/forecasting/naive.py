"""Naive forecasters from past moves of the window: persistence, the benchmark of every run, and the seasonal mean.

Persistence: the median is 0. The other levels are the quantiles, around their median, of past h-minute moves that began
within a quarter of an hour of the same minute in the last `forecaster.lookback_sessions` sessions. So the spread
follows the session's volatility pattern, wide after the open and narrow at noon. Where hardly any session holds those
minutes (a short history of half days), moves from any minute are used.

Seasonal mean: the median is the mean h-minute move that began at the snapshot's minute in the same sessions; the other
levels add the quantiles of these moves around their median. With fewer than two such moves, the answer is that of
persistence.

*Shapes*: `ahead` (steps,), minutes; moves (moves, steps), a column for each of them.
*Units*: bp of log return. *Time*: only moves within sessions of the window, so every move was over at the snapshot.
*Source*: the naive and the seasonal average method, Hyndman and Athanasopoulos, Forecasting: Principles and Practice
(3rd ed.), 5.2.
"""

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.forecasting.quantiles import weibull
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Window


def past_moves(
    window: Window, minutes: range, horizon: int, ahead: NDArray[np.int64], sessions: int
) -> NDArray[np.float64]:
    """Moves that began at the close of each of `minutes` in the last complete `sessions`, session by session.

    A session too short for the whole horizon (a half day) is left out.
    """
    opens = window.opens[-sessions - 1 :]
    starts, lengths = opens[:-1], np.diff(opens)
    begins = starts[:, None] + np.array(minutes)
    fits = np.array(minutes) + horizon < lengths[:, None]
    rows = begins[fits]
    level = window.level
    units = level.take(rows[:, None] + ahead) - level.take(rows)[:, None]
    moves: NDArray[np.float64] = units / UNITS_PER_BP
    return moves


def spread(moves: NDArray[np.float64], levels: tuple[int, ...]) -> NDArray[np.float64]:
    """Quantiles of the moves around their median, one row a level: the median's row is 0, and rows never cross."""
    quantiles = weibull(np.sort(moves.T), np.array([*levels, 50]) / 100)
    around_median: NDArray[np.float64] = quantiles[:-1] - quantiles[-1]
    return around_median


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
    raise DataContractError(
        f"persistence: {question.symbol} at {question.snapshot_utc:%Y-%m-%dT%H:%MZ} holds {len(moves)} past moves of "
        f"{question.horizon_min} min, and needs at least {FEWEST_MOVES}: raise requests.history_days."
    )


def seasonal(question: Question, window: Window, ahead: NDArray[np.int64], params: LocalWindows) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, steps)."""
    minute = int(window.minute[-1])
    moves = past_moves(window, range(minute, minute + 1), question.horizon_min, ahead, params.lookback_sessions)
    if len(moves) < 2:
        return persistence(question, window, ahead, params)
    quantiles: NDArray[np.float64] = moves.mean(axis=0) + spread(moves, question.levels)
    return quantiles
