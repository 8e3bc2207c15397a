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

    NaN stands for sessions before the first one. No window is longer than all of them, however large `count` is.
    """
    count = min(count, max(1, int(usable.sum())))
    none_yet = np.full((count, *table.shape[1:]), np.nan)
    windows = sliding_window_view(np.concatenate([none_yet, table[usable]]), count, axis=0)
    return windows, np.cumsum(usable) - usable


def median(values: Floats, at_least: int = 1) -> Floats:
    """Median of the numbers along the last axis; NaN where there are fewer than `at_least`."""
    ordered = np.sort(values)  # NaN last
    count = values.shape[-1] - np.isnan(values).sum(axis=-1, dtype=np.int32)

    def at(rank: NDArray[np.int64]) -> Floats:
        return np.take_along_axis(ordered, rank[..., None], axis=-1)[..., 0]

    return np.where(count >= at_least, (at((count - 1) // 2) + at(count // 2)) / 2, np.nan)


def medians_before(table: Floats, usable: NDArray[np.bool_], count: int, at_least: int) -> Floats:
    """`median` of the window of `windows_before` of each session.

    Windows that follow each other differ in one session: what two of them share is sorted once.
    """
    count = min(count, max(1, int(usable.sum())))
    none = np.full((count + 1, *table.shape[1:]), np.nan)
    past = np.concatenate([none, table[usable], none[:1]])
    seen, past = np.cumsum(~np.isnan(past), axis=0), past[1:]
    numbers = seen[count:] - seen[:-count]
    shared = sliding_window_view(past, count + 1, axis=0)[::2].copy()
    shared[..., [0, -1]] = np.nan
    shared.sort()  # NaN last
    medians = np.empty((2 * len(shared), *table.shape[1:]))
    for turn, own in enumerate((past[:-count:2], past[count::2])):  # the oldest of the first, the newest of the second
        known = numbers[turn::2][: len(own)]
        ranks = [(known - 1) // 2 + step for step in (-1, 0, 1)]
        below, at, above = (np.take_along_axis(shared, rank[..., None], axis=-1)[..., 0] for rank in ranks)
        lower, upper = np.fmax(below, np.fmin(at, own)), np.fmax(at, np.fmin(above, own))
        middle = (lower + np.where(known % 2, lower, upper)) / 2
        medians[turn::2] = np.where(known >= at_least, middle, np.nan)
    return medians[np.cumsum(usable) - usable]
