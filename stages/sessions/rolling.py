"""Rolling windows over the usable sessions before a session, and their median.

*Shapes*: a table has one entry a session along its first axis, in order, and NaN where nothing is known; `usable` has
one flag a session.
*Time*: a session is compared with earlier ones only, never with itself.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def windows_before(table: Floats, usable: NDArray[np.bool_], count: int) -> tuple[Floats, NDArray[np.int64]]:
    """The last `count` usable sessions along a new last axis, and the index of each session's window.

    NaN stands for sessions before the first one.
    """
    none_yet = np.full((count, *table.shape[1:]), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([none_yet, table[usable]]), count, axis=0)
    return windows, np.cumsum(usable) - usable


def median(values: Floats, at_least: int = 1) -> Floats:
    """Median of the numbers along the last axis; NaN where there are fewer than `at_least`."""
    ordered = np.sort(values)  # NaN last
    count = values.shape[-1] - np.isnan(ordered).sum(axis=-1)

    def at(rank: NDArray[np.int64]) -> Floats:
        return np.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]

    return np.where(count >= at_least, (at((count - 1) // 2) + at(count // 2)) / 2, np.nan)


def median_before(table: Floats, usable: NDArray[np.bool_], count: int, at_least: int) -> Floats:
    """Median of the last `count` usable sessions before each session; NaN where fewer than `at_least` are known.

    Two windows in a row share all values but one each. What they share is sorted once: the value of rank k among it and
    one more is that one, kept between the shared values of ranks k - 1 and k. Windows that lack a value are sorted one
    by one.
    """
    windows, before = windows_before(table, usable, count)
    middle = np.full(windows.shape[:-1], np.nan)
    if count > 2:  # below, there is no value on either side
        shared = np.sort(windows[:-1:2, ..., 1:])
        complete = ~np.isnan(shared[..., -1])
        for found, own in ((middle[:-1:2], windows[:-1:2, ..., 0]), (middle[1::2], windows[1::2, ..., -1])):
            low, high = (
                np.minimum(np.maximum(own, shared[..., rank - 1]), shared[..., rank])
                for rank in ((count - 1) // 2, count // 2)
            )
            found[:] = np.where(complete, (low + high) / 2, np.nan)
    lacking = np.isnan(middle)
    middle[lacking] = median(windows[lacking], at_least)
    return middle[before]
