"""Corrections that pick an order statistic of past scores: what is scored, which rank, how it moves the levels.

*Shapes*: `q` is (5, n); scores, ranks and offsets are (4, n) for q05, q25, q75, q95: both intervals, [q25, q75] and
[q05, q95], are corrected alike, each towards its own nominal coverage of 50 and 90 %.
*Units*: `u` bp per unit of score (the volatility over the horizon, so that calm and wild days may be pooled).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COVERAGE_PERCENT = np.array([90, 50, 50, 90])[:, None]


@dataclass(frozen=True)
class Conformal:
    """One way of correcting. `settle` rounds a picked score to a value that is allowed."""

    scores: Callable[[Floats, Floats, Floats], Floats]
    ranks: Callable[[Ints], Ints]
    settle: Callable[[Floats, tuple[float, ...]], Floats]
    apply: Callable[[Floats, Floats, Floats], Floats]


def conformal_rank(n: Ints) -> Ints:
    """ceil((n + 1) * coverage), in whole numbers: in floats 0.9 * 70 need not be 63."""
    return -(-COVERAGE_PERCENT * (n + 1) // 100)


def coverage_rank(n: Ints) -> Ints:
    """ceil(n * coverage): the rank at which the past itself reaches nominal coverage."""
    return -(-COVERAGE_PERCENT * n // 100)


def as_picked(picked: Floats, grid: tuple[float, ...]) -> Floats:
    """The picked score itself; the grid is not used."""
    return picked


def next_on_grid(picked: Floats, grid: tuple[float, ...]) -> Floats:
    """The smallest value of the grid that is at least the picked score; the largest if none is."""
    values = np.sort(np.array(grid))
    return values[np.minimum(np.searchsorted(values, picked), len(values) - 1)]


def distance_outside(q: Floats, y: Floats, u: Floats) -> Floats:
    """CQR's score: how far the outcome lies outside the interval (negative inside), in units of u.

    *Source*: Romano, Patterson, Candes (2019), equation 6.
    """
    outer = np.maximum(q[0] - y, y - q[4]) / u
    inner = np.maximum(q[1] - y, y - q[3]) / u
    return np.stack([outer, inner, inner, outer])


def move_outwards(q: Floats, u: Floats, offsets: Floats) -> Floats:
    """Each interval grown by its offset on both sides; one that would turn inside out collapses to its midpoint."""
    moved = q.copy()
    for lower, upper, offset in ((0, 4, offsets[0]), (1, 3, offsets[1])):
        lo, hi = q[lower] - offset * u, q[upper] + offset * u
        middle = (lo + hi) / 2
        moved[lower], moved[upper] = np.minimum(lo, middle), np.maximum(hi, middle)
    return moved


def widening_needed(q: Floats, y: Floats, u: Floats) -> Floats:
    """The smallest alpha whose interval [q50 - (1 + alpha)(q50 - lo), q50 + (1 + alpha)(hi - q50)] holds y."""
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


WIDEN = Conformal(widening_needed, coverage_rank, next_on_grid, stretch)
CQR = Conformal(distance_outside, conformal_rank, as_picked, move_outwards)
