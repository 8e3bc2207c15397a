"""Quantiles of numbers in order, with the very bits of `np.quantile`.

Local forecasters ask for a handful of quantiles of a thousand numbers, thousands of times; most of what `np.quantile`
takes there is not arithmetic.

*Shapes*: `in_order` (rows, n), each row ascending; `levels` in percent; results (levels, rows).
*Source*: Hyndman and Fan (1996), The American Statistician 50(4), definitions 6 and 7.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def linear(in_order: Floats, levels: tuple[int, ...]) -> Floats:
    """Definition 7, numpy's own."""
    return _at(in_order, (in_order.shape[1] - 1) * (np.array(levels) / 100))


def weibull(in_order: Floats, levels: tuple[int, ...]) -> Floats:
    """Definition 6: rank p(n+1), so that the next number is below the quantile with probability p, also for small n."""
    shares = np.array(levels) / 100
    return _at(in_order, in_order.shape[1] * shares + shares - 1)


def _at(in_order: Floats, places: Floats) -> Floats:
    """The numbers at these places, which lie between ranks; beyond an end, the number at that end."""
    last = in_order.shape[1] - 1
    places = np.minimum(np.maximum(places, 0), last)
    below = places.astype(np.int64)
    lower, upper = in_order.T[below], in_order.T[np.minimum(below + 1, last)]
    part, step = (places - below)[:, None], upper - lower
    found: Floats = np.where(part < 0.5, lower + step * part, upper - step * (1 - part))
    return found
