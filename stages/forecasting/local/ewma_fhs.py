"""Filtered historical simulation: past shocks, replayed at today's volatility.

Returns are divided by the usual size of their half hour and by an exponentially weighted volatility; the quotients are
the shocks. Simulated paths draw shocks with replacement, update the volatility after each, and add up to h-minute
moves. The draws are seeded by the question's key: the same question always has the same answer.

*Time*: the volatility that scales a return is the one known before it.
*Source*: Barone-Adesi, Giannopoulos and Vosper (1999), J. Futures Markets 19(5), with the EWMA of RiskMetrics (1996) in
place of GARCH.
"""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.quantiles import linear
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Window

BUCKET_MIN = 30
SMALLEST_BP = 1e-3  # a half hour without any move still gets a scale
BLOCK, MOST_HALVINGS = 390, 500  # of a weighted mean: rows at once, and how often their weight is halved
LEAST_DECAY = 1e-300


@np.errstate(divide="ignore", over="ignore", invalid="ignore")  # `answering` refuses what is not finite
def ewma_fhs(question: Question, window: Window, ahead: NDArray[np.int64], params: LocalWindows) -> NDArray[np.float64]:
    """Quantiles in bp, (levels, steps); paths go on to the horizon of the question, so that steps do not move draws."""
    past = window.past.latest(params.lookback_sessions)
    rows = slice(window.today.start - len(past.minute), None)
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
    steps = simulate(draws, variance[-1], decay) * usual[buckets][:, None]
    moves = np.stack(list(accumulate(steps, np.add)))  # faster than cumsum, which goes path by path
    return linear(np.sort(moves[ahead - 1]), question.levels)


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
    """`ewma_before` with a given first value.

    Within a block the squares are divided by their weight, summed up and multiplied again: every term is positive, so
    nothing cancels, and a block ends before a weight is too small for a float. `scipy.signal` would take longer to
    import than all filters of a small study to run.
    """
    length = int(np.clip(MOST_HALVINGS / -np.log2(max(decay, LEAST_DECAY)), 1, BLOCK))
    weights = decay ** np.arange(length)
    blocks = -(-len(squares) // length)
    padded = np.zeros((blocks, length))
    padded.reshape(-1)[: len(squares)] = squares
    within = np.cumsum(padded * ((1 - decay) / weights), axis=1)
    within *= weights
    fading = weights * decay
    ends = accumulate(within[:, -1].tolist(), lambda before, new: before * fading[-1] + new, initial=start)
    within += np.array(list(ends)[:-1])[:, None] * fading
    return np.concatenate([[start], within.reshape(-1)[: len(squares)]])


def simulate(draws: NDArray[np.float64], variance: float, decay: float) -> NDArray[np.float64]:
    """Relative returns (horizon, paths): each step's shock times the volatility that the path has reached."""
    growth = decay + (1 - decay) * draws**2
    reached = np.stack(list(accumulate(growth[:-1], np.multiply, initial=np.full(draws.shape[1], variance))))
    steps: NDArray[np.float64] = draws * np.sqrt(reached)
    return steps
