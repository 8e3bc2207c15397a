"""Filtered historical simulation: past shocks, replayed at today's volatility.

Returns are divided by the usual size of their half hour and by an exponentially weighted volatility; the quotients are
the shocks. Simulated paths draw shocks with replacement, update the volatility after each, and add up to h-minute
moves. The draws are seeded by the question's key: the same question always has the same answer.

*Time*: the volatility that scales a return is the one known before it.
*Source*: Barone-Adesi, Giannopoulos and Vosper (1999), J. Futures Markets 19(5), with the EWMA of RiskMetrics (1996) in
place of GARCH.
"""

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.naive import session_starts
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Window

BUCKET_MIN = 30
SMALLEST_BP = 1e-3  # a half hour without any move still gets a scale


def ewma_fhs(question: Question, window: Window, ahead: NDArray[np.int64], params: LocalWindows) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, steps); paths go on to the horizon of the question, so that steps do not move draws."""
    first = session_starts(window)[:-1][-params.lookback_sessions :]
    rows = slice(first[0] if len(first) else 0, None)
    bucket = window.minute[rows] // BUCKET_MIN
    returns = window.returns[rows] / UNITS_PER_BP
    usual = usual_size(returns, bucket)
    decay = 0.5 ** (1 / params.ewma_half_life_min)
    relative = returns / usual[bucket]
    variance = ewma_before(relative**2, decay)
    shocks = relative / np.sqrt(variance[:-1])
    shocks -= shocks.mean()

    random = np.random.default_rng(int(question.key, 16))
    draws = random.choice(shocks, size=(question.horizon_min, params.fhs_paths))
    buckets = (window.minute[-1] + np.arange(1, question.horizon_min + 1)) // BUCKET_MIN
    moves = np.cumsum(simulate(draws, variance[-1], decay) * usual[buckets][:, None], axis=0)
    in_order = np.sort(moves[ahead - 1])  # numpy finds the same quantiles faster in sorted data
    quantiles: NDArray[np.float64] = np.quantile(in_order, np.array(question.levels) / 100, axis=1)
    return quantiles


def usual_size(returns: NDArray[np.float64], bucket: NDArray[np.int32]) -> NDArray[np.float64]:
    """Root mean square return of each half hour; one that the window does not hold takes the overall value."""
    count = np.bincount(bucket, minlength=13)
    total = np.bincount(bucket, weights=returns**2, minlength=13)
    overall = total.sum() / count.sum()
    mean = np.divide(total, count, out=np.full(len(count), overall), where=count > 0)
    sizes: NDArray[np.float64] = np.maximum(np.sqrt(mean), SMALLEST_BP)
    return sizes


def ewma_before(squares: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """Weighted mean of the squares before each element, and after the last: n+1 values, the first the overall mean."""
    return ewma_from(max(squares.mean(), SMALLEST_BP**2), squares, decay)


def ewma_from(start: float, squares: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
    """The same from a given first value."""
    from scipy.signal import lfilter  # a slow import

    filtered, _ = lfilter([1 - decay], [1, -decay], squares, zi=[decay * start])
    return np.concatenate([[start], filtered])


def simulate(draws: NDArray[np.float64], variance: float, decay: float) -> NDArray[np.float64]:
    """Relative returns (horizon, paths): each step's shock times the volatility that the path has reached."""
    current = np.full(draws.shape[1], variance)
    steps = np.empty_like(draws)
    for step, shocks in enumerate(draws):
        steps[step] = shocks * np.sqrt(current)
        current = decay * current + (1 - decay) * steps[step] ** 2
    return steps
