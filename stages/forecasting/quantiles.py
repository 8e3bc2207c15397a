"""Quantiles of numbers in order, with the very bits of `np.quantile`.

Local forecasters ask for a handful of quantiles of a thousand numbers, thousands of times; most of what `np.quantile`
takes there is not arithmetic.

*Shapes*: `in_order` (rows, n), each row ascending; `levels` in percent; results (levels, rows).
*Source*: Hyndman and Fan (1996), The American Statistician 50(4), definitions 6 and 7.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def linear(in_order: Floats, levels: tuple[int, ...]) -> Floats:
    """Definition 7, numpy's own."""
    return _at(in_order, *_linear(in_order.shape[1], levels))


def weibull(in_order: Floats, levels: tuple[int, ...]) -> Floats:
    """Definition 6: rank p(n+1), so that the next number is below the quantile with probability p, also for small n."""
    return _at(in_order, *_weibull(in_order.shape[1], levels))


@lru_cache
def _linear(n: int, levels: tuple[int, ...]) -> tuple[Ints, Floats]:
    return _ranks(n, (n - 1) * (np.array(levels) / 100))


@lru_cache
def _weibull(n: int, levels: tuple[int, ...]) -> tuple[Ints, Floats]:
    shares = np.array(levels) / 100
    return _ranks(n, n * shares + shares - 1)


def _ranks(n: int, places: Floats) -> tuple[Ints, Floats]:
    """The ranks around these places, (2, levels), and how far each place is from the lower one, (levels, 1).

    Beyond an end, it is the number at that end.
    """
    places = np.minimum(np.maximum(places, 0), n - 1)
    below = places.astype(np.int64)
    return np.stack([below, np.minimum(below + 1, n - 1)]), (places - below)[:, None]


def _at(in_order: Floats, ranks: Ints, part: Floats) -> Floats:
    """The numbers between these ranks."""
    lower, upper = in_order.T[ranks]
    step = upper - lower
    found: Floats = np.where(part < 0.5, lower + step * part, upper - step * (1 - part))
    return found
