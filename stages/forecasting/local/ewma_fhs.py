"""Filtered historical simulation: past shocks, replayed at today's volatility.

Returns are divided by the usual size of their half hour and by an exponentially weighted volatility; the quotients are
the shocks. Simulated paths draw shocks with replacement, update the volatility after each, and add up to h-minute
moves. The draws are seeded by the question's key: the same question always has the same answer.

The usual sizes change with every bar. Within a half hour they are one number, so what the squares of a half hour add to
the volatility is summed up once for the questions of a day, and scaled for each.

*Shapes*: a half hour is a column: (30, half hours), oldest first, with 0 beyond the end of a short one.
*Time*: the volatility that scales a return is the one known before it.
*Source*: Barone-Adesi, Giannopoulos and Vosper (1999), J. Futures Markets 19(5), with the EWMA of RiskMetrics (1996) in
place of GARCH.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.forecasting.quantiles import linear
from stages.params.forecaster import LocalWindows
from stages.questions.question import Question
from stages.questions.window import UNITS_PER_BP, Past, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BUCKET_MIN = 30
BUCKETS = 13  # of a session
SMALLEST_BP = 1e-3  # a half hour without any move still gets a scale


def ewma_fhs(question: Question, window: Window, ahead: Ints, params: LocalWindows) -> Floats:
    """Quantiles in bp, (levels, steps); paths go on to the horizon of the question, so that steps do not move draws."""
    decay = 0.5 ** (1 / params.ewma_half_life_min)
    past = window.past.latest(params.lookback_sessions)
    today = half_hours(Past(window.minute[window.today], window.returns[window.today]), decay)
    parts = [past.once(half_hours, decay), today] if len(past) else [today]
    usual = usual_size(np.sum([part.count for part in parts], axis=0), np.sum([part.total for part in parts], axis=0))
    shocks, variance = standardised(parts, usual, decay)

    random = np.random.default_rng(int(question.key, 16))
    draws = random.choice(shocks, size=(question.horizon_min, params.fhs_paths))
    buckets = (window.minute[-1] + np.arange(1, question.horizon_min + 1)) // BUCKET_MIN
    moves = simulate(draws, variance, decay)
    moves *= usual[buckets][:, None]
    add_up(np.add, moves)
    return linear(np.sort(moves[ahead - 1]), question.levels)


@dataclass(frozen=True, eq=False)
class HalfHours:
    """Returns in bp by half hour, and weighted sums of the squares of each alone: before its minutes, and at its end.

    *Shapes*: `count` and `total`, rows and squares by half hour of the session, (13,); `bucket`, which of them it is,
    and `end` (half hours,); `returns` and `recent` (30, half hours); `rows` (rows,), their places in these, flat;
    `fading`, what is left of a value 1, 2, 4 and so on half hours later, for each half hour that far from the first.
    """

    count: NDArray[Any]
    total: NDArray[Any]
    bucket: NDArray[np.int32]
    returns: Floats
    recent: Floats
    end: Floats
    rows: Ints
    fading: list[Floats]

    def weighted(self, start: float, size: Floats) -> Floats:
        """The weighted mean of squares per `size` before each half hour, and after the last, (half hours + 1,).

        Each round adds what twice as many half hours before have added.
        """
        means = np.append(start, self.end / size)
        for fading in self.fading:
            back = len(means) - len(fading)
            means[back:] += fading * means[:-back]
        return means


def half_hours(past: Past, decay: float) -> HalfHours:
    """The half hours of these rows; the first may have begun before them."""
    first = np.flatnonzero(past.minute % BUCKET_MIN == 0)
    if not len(first) or first[0] > 0:
        first = np.append(0, first)
    stops = np.append(first, len(past.minute))
    minutes = np.diff(stops)
    column = np.repeat(np.arange(len(first)), minutes)
    rows = (np.arange(len(column)) - np.repeat(first, minutes)) * len(first) + column
    returns = np.zeros((BUCKET_MIN, len(first)))
    returns.reshape(-1)[rows] = past.returns / UNITS_PER_BP
    squares = returns**2
    bucket = past.minute[first] // BUCKET_MIN
    count, total = (np.bincount(bucket, of_each, BUCKETS) for of_each in (minutes, squares.sum(axis=0)))
    recent = _weights(decay) @ squares
    end = recent[minutes, np.arange(len(first))]
    fading = [decay ** (stops[back:] - stops[:-back]) for back in 2 ** np.arange(len(first).bit_length())]
    return HalfHours(count, total, bucket, returns, recent[:-1], end, rows, fading)


@cache
def _weights(decay: float) -> Floats:
    """What each minute of a half hour weighs before each later one, and at its end, (31, 30)."""
    since = np.arange(BUCKET_MIN + 1)[:, None] - np.arange(1, BUCKET_MIN + 1)
    weights: Floats = np.where(since >= 0, (1 - decay) * decay ** np.maximum(since, 0), 0)
    return weights


def usual_size(count: NDArray[Any], total: NDArray[Any]) -> Floats:
    """Root mean square return of each half hour; one that the window does not hold takes the overall value."""
    mean = np.divide(total, count, out=np.full(len(count), total.sum() / count.sum()), where=count > 0)
    sizes: Floats = np.maximum(np.sqrt(mean), SMALLEST_BP)
    return sizes


def standardised(parts: Sequence[HalfHours], usual: Floats, decay: float) -> tuple[Floats, float]:
    """The shocks (rows,), of mean 0, and the variance after the last row, which begins with the overall mean."""
    squared, shocks = usual**2, []
    relative = sum(float((part.total / squared).sum()) for part in parts)
    variance = max(relative / sum(len(part.rows) for part in parts), SMALLEST_BP**2)
    fading = decay ** np.arange(BUCKET_MIN)[:, None]
    for part in parts:
        size = squared[part.bucket]
        means = part.weighted(variance, size)
        variance = float(means[-1])
        reached = fading * (means[:-1] * size)
        reached += part.recent
        np.divide(part.returns, np.sqrt(reached, out=reached), out=reached)
        shocks.append(reached.take(part.rows))
    found = np.concatenate(shocks)
    found -= found.mean()
    return found, variance


def simulate(draws: Floats, variance: float, decay: float) -> Floats:
    """Relative returns (horizon, paths): each step's shock times the volatility that the path has reached."""
    reached = np.empty_like(draws)
    reached[0] = variance
    np.square(draws[:-1], out=reached[1:])
    reached[1:] *= 1 - decay
    reached[1:] += decay
    add_up(np.multiply, reached)
    np.sqrt(reached, out=reached)
    reached *= draws
    return reached


def add_up(operation: np.ufunc, rows: Floats) -> None:
    """Accumulate row by row, in place; `operation.accumulate` goes column by column, which takes longer."""
    for before, row in pairwise(rows):
        operation(before, row, out=row)
