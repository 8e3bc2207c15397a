"""What is sent where an exogenous value is unknown, as most features are in the first minutes of a session.

Feature tables keep their nulls. Where a question is built, each column follows its policy:

* `shrink`: the rows sent begin behind the last one on which it is unknown;
* `carry`: the last known value stands in, also one of the session before; rows before the first known are not sent;
* `void`: the question is not asked.

*Shapes*: values (rows, columns), NaN where unknown; masks (columns,).
*Time*: only values of earlier rows are carried, and only of rows that are sent: a question depends on nothing else.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


def first_row(unknown: Mask, shrinks: Mask, carries: Mask) -> int:
    """The row with which a history begins; all rows are left out where a column to be carried is nowhere known."""
    rows = len(unknown)
    shrunk = np.flatnonzero(unknown[:, shrinks].any(axis=1))
    begin = int(shrunk[-1]) + 1 if len(shrunk) else 0
    known = np.flatnonzero(~unknown[begin:, carries].any(axis=1))  # from the first of them on, each finds a value above
    return begin + int(known[0]) if len(known) else rows


def carried(values: Values) -> Values:
    """The values, each unknown one replaced by the last known one above it; what has none above stays unknown."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    rows = np.arange(len(values))[:, None]
    source = np.maximum.accumulate(np.where(unknown, 0, rows), axis=0)
    return np.take_along_axis(values, source, axis=0)
