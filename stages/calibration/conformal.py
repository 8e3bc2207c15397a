"""Conformal corrections: the score, the rank that is picked among past scores, and how it moves the levels.

*Shapes*: `q` is (5, n); scores, ranks and offsets are (4, n) for q05, q25, q75, q95. Both intervals, [q25, q75] and
[q05, q95], are corrected in the same way, each towards its nominal coverage of 50 and 90 %.
*Units*: `u` bp per unit of score (the volatility over the horizon, so that calm and volatile days may be pooled).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL_PERCENT = np.array([5, 25, 75, 95])[:, None]
COVERAGE_PERCENT = np.array([90, 50, 50, 90])[:, None]
SIDE_PERCENT = np.array([95, 75, 75, 95])[:, None]
SCORE_DECIMALS = 6  # of a score that is compared with a stated grid


@dataclass(frozen=True)
class Conformal:
    """One correction method. `settle` rounds a picked score to an allowed value."""

    scores: Callable[[Floats, Floats, Floats], Floats]
    ranks: Callable[[Ints], Ints]
    settle: Callable[[Floats, tuple[float, ...]], Floats]
    apply: Callable[[Floats, Floats, Floats], Floats]


def conformal_rank(n: Ints) -> Ints:
    """ceil((n + 1) * coverage), in integers, since in floats 0.9 * 70 need not be 63."""
    return _ceil(COVERAGE_PERCENT * (n + 1))


def coverage_rank(n: Ints) -> Ints:
    """ceil(n * coverage): the rank at which the past scores reach nominal coverage."""
    return _ceil(COVERAGE_PERCENT * n)


def side_rank(n: Ints) -> Ints:
    """ceil((n + 1) * (1 - alpha / 2)): each side accounts for half of the misses."""
    return _ceil(SIDE_PERCENT * (n + 1))


def level_rank(n: Ints) -> Ints:
    """floor((n + 1) * level) below the median, ceil above it: outwards on both sides."""
    exact = LEVEL_PERCENT * (n + 1)
    return np.where(LEVEL_PERCENT < 50, exact // 100, _ceil(exact))


def as_picked(picked: Floats, grid: tuple[float, ...]) -> Floats:
    """The picked score itself; the grid is not used."""
    return picked


def next_on_grid(picked: Floats, grid: tuple[float, ...]) -> Floats:
    """The smallest value of the grid that is at least the picked score; the largest if none is.

    Scores count to a millionth: an outcome exactly on a quantile, which is rounded, needs no more.
    """
    values = np.sort(np.array(grid))
    return values[np.minimum(np.searchsorted(values, np.round(picked, SCORE_DECIMALS)), len(values) - 1)]


def distance_outside(q: Floats, y: Floats, u: Floats) -> Floats:
    """CQR's score: how far the outcome is outside the interval (negative inside), in units of u.

    *Source*: Romano, Patterson, Candes (2019), equation 6.
    """
    outer = np.maximum(q[0] - y, y - q[4]) / u
    inner = np.maximum(q[1] - y, y - q[3]) / u
    return np.stack([outer, inner, inner, outer])


def widening_needed(q: Floats, y: Floats, u: Floats) -> Floats:
    """The smallest alpha for which [q50 - (1 + alpha)(q50 - lo), q50 + (1 + alpha)(hi - q50)] contains y."""
    median = q[2]

    def needed(lo: Floats, hi: Floats) -> Floats:
        distance = np.abs(y - median)
        width = np.where(y < median, median - lo, hi - median)
        ratio = np.divide(distance, width, out=np.full_like(distance, np.inf), where=width > 0)
        return np.where(np.isnan(y + u), np.nan, np.where(distance == 0, 0.0, ratio)) - 1.0

    outer, inner = needed(q[0], q[4]), needed(q[1], q[3])
    return np.stack([outer, inner, inner, outer])


def stretch(q: Floats, u: Floats, offsets: Floats) -> Floats:
    """Every level moved away from the median by the share `offsets` of its distance."""
    moved = q.copy()
    for level, offset in zip((0, 1, 3, 4), offsets, strict=True):
        moved[level] = q[2] + (1.0 + offset) * (q[level] - q[2])
    return moved


def distance_outside_by_side(q: Floats, y: Floats, u: Floats) -> Floats:
    """How far the outcome is beyond each level, outwards (negative inside), in units of u."""
    return np.stack([q[0] - y, q[1] - y, y - q[3], y - q[4]]) / u


def distance_from_median(q: Floats, y: Floats, u: Floats) -> Floats:
    """Split conformal's score: the signed error of the median, the same for all levels, in units of u."""
    return np.stack([(y - q[2]) / u] * 4)


def move_each_outwards(q: Floats, u: Floats, offsets: Floats) -> Floats:
    """Each level moved by its own offset; an interval that would be reversed collapses to its midpoint."""
    moved = q.copy()
    for lower, upper, below, above in ((0, 4, offsets[0], offsets[3]), (1, 3, offsets[1], offsets[2])):
        lo, hi = q[lower] - below * u, q[upper] + above * u
        middle = (lo + hi) / 2
        moved[lower], moved[upper] = np.minimum(lo, middle), np.maximum(hi, middle)
    return moved


def around_median(q: Floats, u: Floats, offsets: Floats) -> Floats:
    """Levels at a distance from the median that does not depend on the answered levels."""
    moved = np.repeat(q[2:3], 5, axis=0)
    moved[[0, 1, 3, 4]] += offsets * u
    return moved


def _ceil(percent: Ints) -> Ints:
    return -(-percent // 100)


WIDEN = Conformal(widening_needed, coverage_rank, next_on_grid, stretch)
SPLIT = Conformal(distance_from_median, level_rank, as_picked, around_median)
CQR = Conformal(distance_outside, conformal_rank, as_picked, move_each_outwards)
CQR_SIDES = Conformal(distance_outside_by_side, side_rank, as_picked, move_each_outwards)
