"""The rows that the compiled engine reads and writes, as numpy record types.

Plain record arrays and tuples cross the border to compiled code, never classes: numba pickles the types of arguments
into its cache on disk, and a class that was renamed since would make an old cache unreadable.

*Units*: minutes count from 1970-01-01 UTC; `*_units` are 1e-6 bp of entry notional, `turnover_units` 1e-6 of it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Records = NDArray[np.void]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A real bar of one symbol; `minute` is its start.
BAR = np.dtype([("minute", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8")])

# A snapshot seen from the desk: when, and between which bars of the tape a position taken there would live.
LOOK = np.dtype(
    [
        ("minute", "i8"),
        ("session", "i8"),  # counts the calendar's sessions from 0
        ("time_stop", "i8"),
        ("planned", "i8"),  # minute of the bar one wants to enter at
        ("entry", "i8"),  # first real bar from then on, -1 if it comes too late
        ("entry_minute", "i8"),  # of that bar
        ("limit", "i8"),  # first real bar at or after the time stop; at least `end` if there is none
        ("end", "i8"),  # one past the session's last real bar
        ("last", "f8"),
        ("sigma", "f8"),  # floored at one tick, NaN where unknown
    ]
)

# What a snapshot's forecast says by itself: a `Reason` for the tests before the book (`gate`), between the book and
# `k_sigma` (`early`) and after it (`late`), or `ENTER`; `side` is 0 long, 1 short, read where nothing is refused.
VERDICT = np.dtype([("gate", "i8"), ("early", "i8"), ("late", "i8"), ("side", "i8"), ("strength", "f8")])

# How a position ends.
EXIT = np.dtype(
    [
        ("minute", "i8"),
        ("reason", "i8"),
        ("price", "f8"),
        ("gross_units", "i8"),
        ("cost_units", "i8"),
        ("turnover_units", "i8"),
        ("held_min", "i8"),
    ]
)

# A signal that a book could act on; any other fails a test whatever the barriers and the book.
CANDIDATE = np.dtype(
    [
        ("session", "i8"),
        ("minute", "i8"),
        ("look", "i8"),  # number of the snapshot
        ("side", "i8"),
        ("strength", "f8"),
        ("mu_bp", "f8"),
        ("cost_bp", "f8"),
        ("spread_charge_bp", "f8"),
    ]
)

# What a variant did over the whole span.
TOTAL = np.dtype(
    [
        ("gross_units", "i8"),
        ("cost_units", "i8"),
        ("turnover_units", "i8"),
        ("trades", "i8"),
        ("wins", "i8"),
        ("held_min", "i8"),
    ]
)


def records(kind: np.dtype[np.void], **fields: ArrayLike) -> Records:
    """A record array from its columns, which must be all of `kind`'s."""
    columns = {name: np.asarray(fields.pop(name)) for name in kind.names or ()}
    if fields:
        raise TypeError(f"{sorted(fields)} are no fields of {kind.names}")
    made = np.empty(len(next(iter(columns.values()))), kind)
    for name, column in columns.items():
        made[name] = column
    return made
