"""Quantiles in order.

*Shapes*: `q` is (n, 5), one row a forecast, columns q05 q25 q50 q75 q95.
*Source*: Chernozhukov, Fernandez-Val, Galichon (2010): sorting a crossed row never worsens its summed pinball loss.
"""

import numpy as np
from numpy.typing import NDArray

AROUND_MEDIAN = [0, 1, 3, 4]
MEDIAN = 2


def in_order(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row sorted."""
    return np.sort(q, axis=1)


def in_order_around_median(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four outer levels sorted, then the median moved, if it must be, to the nearest end of [q25, q75].

    Sorting all five would let a median outside a narrowed interval widen that interval again.
    """
    out = q.copy()
    out[:, AROUND_MEDIAN] = np.sort(q[:, AROUND_MEDIAN], axis=1)
    out[:, MEDIAN] = np.clip(q[:, MEDIAN], out[:, 1], out[:, 3])
    return out
