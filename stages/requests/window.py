"""The rows that one question sends.

Returns are rounded once, to whole millionths of a basis point, and summed as integers: a window's values do not depend
on rows outside it, on the machine or on the order of summation.

*Units*: `returns` in 1e-6 bp (int64) of within-session log return; `y_bp` in bp relative to the last row. The first
row's own return is not part of any `y`, so it is 0: whoever answers sees only what the digest covers.
*Time*: the last row is the last bar known at the snapshot, so `y_bp[-1] == 0`.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNITS_PER_BP = 1_000_000


@dataclass(frozen=True)
class Window:
    """History of one question, oldest first.

    *Shapes*: (rows,); `hist_exog` (rows, k) holds the question's `hist_exog` columns, then its `futr_exog` ones;
    `futr_exog` (horizon, k) holds the latter on the minutes asked for.
    """

    ts_us: NDArray[np.int64]
    session: NDArray[np.int32]  # days since 1970-01-01 of the row's session
    minute: NDArray[np.int32]  # minute index m within its session
    returns: NDArray[np.int64]
    hist_exog: NDArray[np.float64]
    futr_exog: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """How many rows are sent."""
        return len(self.returns)

    @property
    def y_bp(self) -> NDArray[np.float64]:
        """Spliced cumulative return: `y_k = sum of returns after row k`, negated, so that the last value is 0."""
        total = np.cumsum(self.returns)
        y_bp: NDArray[np.float64] = (total - total[-1]) / UNITS_PER_BP
        return y_bp


def digest_of_sessions(digests: list[bytes]) -> str:
    """sha256 over the digests of a window's sessions, oldest first.

    A session's digest is the sha256 of its sent returns as little-endian int64. The window's first row has no part in
    it: its own return is not part of any `y`.
    """
    return hashlib.sha256(b"".join(digests)).hexdigest()
