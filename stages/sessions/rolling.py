"""Rolling windows over the usable sessions before a session, and their median.

*Shapes*: a table has one entry a session along its first axis, in order, and NaN where nothing is known; `usable` has
one flag a session.
*Time*: a session is compared with earlier ones only, never with itself.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def windows_before(table: Floats, usable: NDArray[np.bool_], count: int) -> tuple[Floats, NDArray[np.int64]]:
    """The last `count` usable sessions along a new last axis, and the index of each session's window.

    Places before the first session hold NaN. No window is longer than the record, however large `count` is.
    """
    count = min(count, max(1, int(usable.sum())))
    none_yet = np.full((count, *table.shape[1:]), np.nan)
    windows = sliding_window_view(np.concatenate([none_yet, table[usable]]), count, axis=0)
    return windows, np.cumsum(usable) - usable


def median(values: Floats, at_least: int = 1) -> Floats:
    """Median of the numbers along the last axis; NaN where there are fewer than `at_least`."""
    ordered = values.copy()  # each window in one piece
    ordered.sort()  # NaN last
    count = values.shape[-1] - np.isnan(values).sum(axis=-1, dtype=np.int32)
    first = np.arange(count.size).reshape(count.shape) * values.shape[-1]
    middle: Floats = ordered.take(first + (count - 1) // 2) + ordered.take(first + count // 2)
    return np.where(count >= at_least, middle / 2, np.nan)
