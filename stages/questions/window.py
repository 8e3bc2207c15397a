"""The window: the rows that one question sends, cut from one symbol's bars as arrays.

`Series` holds the arrays of one symbol, made once. Returns are rounded once, to whole millionths of a basis point, and
summed as integers: a window's values do not depend on rows outside it, on the machine or on the order of summation.

*Shapes*: arrays of a `Series` (grid rows,), one row a minute of every session of the calendar.
*Units*: `returns` in 1e-6 bp (int64) of within-session log return, 0 for a minute without a known return; `y_bp` in bp
relative to the last row; `close` in price and `sigma_5m` a fraction, both NaN where unknown. The first row's own return
is part of no `y`, so it is 0: a forecaster sees only what the digest covers.
*Time*: the last row is the last bar known at the snapshot, so `y_bp[-1] == 0`.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Any, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.errors import ConfigurationError, DataContractError
from stages.features.minutes import minute_return

UNITS_PER_BP = 1_000_000
Blocks = tuple[tuple[int, int], ...]  # first and stop row of sessions, oldest first
Number = TypeVar("Number", bound=np.generic)
Made = TypeVar("Made")


@dataclass(frozen=True)
class Window:
    """History of one question, oldest first.

    *Shapes*: (rows,); `hist_exog` (rows, k) holds the question's `hist_exog` columns, then its `futr_exog` columns;
    `futr_exog` (horizon, k) holds the latter for the asked minutes. The windows of a day share `past`.
    """

    ts_us: NDArray[np.int64]
    session: NDArray[np.int32]  # days since 1970-01-01 of the row's session
    minute: NDArray[np.int32]  # minute index m within its session
    returns: NDArray[np.int64]
    hist_exog: NDArray[np.float64]
    futr_exog: NDArray[np.float64]
    past: "Past"

    @property
    def rows(self) -> int:
        """Number of rows sent."""
        return len(self.returns)

    @property
    def y_bp(self) -> NDArray[np.float64]:
        """Spliced cumulative return: `y_k = sum of returns after row k`, negated, so that the last value is 0."""
        total = np.cumsum(self.returns)
        y_bp: NDArray[np.float64] = (total - total[-1]) / UNITS_PER_BP
        return y_bp

    @property
    def today(self) -> slice:
        """The rows after the complete sessions; every row if there is no such session."""
        return slice(self.rows - 1 - int(self.minute[-1]) if len(self.past) else 0, None)


@dataclass(frozen=True, eq=False)
class Past:
    """Complete sessions, oldest first, which the questions of a day share.

    *Shapes*: (rows,); `starts` (sessions + 1,), the row of each open, and the number of rows.
    """

    minute: NDArray[np.int32]
    returns: NDArray[np.int64]
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, minute: NDArray[np.int32], returns: NDArray[np.int64]) -> Self:
        """The complete sessions before the last one of these rows."""
        opens = np.flatnonzero(minute == 0)  # including that of the last session
        rows = slice(opens[0], opens[-1]) if len(opens) else slice(0)
        return cls(minute[rows], returns[rows])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The row of each open, and the number of rows."""
        return np.append(np.flatnonzero(self.minute == 0), len(self.minute))

    @cached_property
    def level(self) -> NDArray[np.int64]:
        """Spliced sum of the returns up to each row."""
        return np.cumsum(self.returns)

    def latest(self, sessions: int) -> "Past":
        """The last `sessions` sessions."""
        return self if sessions >= len(self) else self.once(_latest, sessions)

    def once(self, make: Callable[..., Made], *given: Hashable) -> Made:
        """`make(past, *given)`, computed once for all questions of a day."""
        if (make, *given) not in self._made:
            self._made[make, *given] = make(self, *given)
        made: Made = self._made[make, *given]
        return made


def _latest(past: Past, sessions: int) -> Past:
    first = past.starts[-1 - sessions]
    return Past(past.minute[first:], past.returns[first:])


def digest_of_sessions(digests: list[bytes]) -> str:
    """The sha256 over the digests of a window's sessions, oldest first.

    A session's digest is the sha256 of its sent returns as little-endian int64. The window's first row is left out,
    since its own return is part of no `y`.
    """
    return hashlib.sha256(b"".join(digests)).hexdigest()


RETURN_UNITS = 1e4 * UNITS_PER_BP
DIGEST_BYTES = 32
RETURN_BYTES = 8
EMPTY = hashlib.sha256()
OF_BARS = ("ts", "session", "m", "open", "close", "is_filled")


@dataclass(frozen=True)
class Cut:
    """The rows of one question: first and stop row of each earlier session, oldest first, and of its own session."""

    past: Blocks
    today: tuple[int, int]

    @property
    def blocks(self) -> Blocks:
        """All sessions."""
        return (*self.past, self.today)

    @cached_property
    def rows(self) -> int:
        """Number of rows sent."""
        return sum(stop - first for first, stop in self.blocks)

    def latest(self, limit: int | None) -> "Cut":
        """The last `limit` rows."""
        if limit is None:
            return self
        kept: list[tuple[int, int]] = []
        for first, stop in reversed(self.blocks):
            if limit <= 0:
                break
            kept.append((max(first, stop - limit), stop))
            limit -= stop - first
        return Cut(tuple(reversed(kept[1:])), kept[0])

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Row numbers, oldest first."""
        return np.concatenate([np.arange(run.start, run.stop) for run in self.runs])

    @cached_property
    def runs(self) -> list[slice]:
        """The same rows as slices, with adjacent sessions merged."""
        firsts, stops = zip(*self.blocks, strict=True)
        if stops[-1] - firsts[0] == self.rows:
            return [slice(firsts[0], stops[-1])]
        breaks = [n for n, (stop, first) in enumerate(zip(stops, firsts[1:], strict=False), 1) if stop != first]
        return [slice(firsts[n], stops[end - 1]) for n, end in pairwise([0, *breaks, len(firsts)])]

    def of(self, values: NDArray[Number]) -> NDArray[Number]:
        """The values on the rows sent; a view if the rows are contiguous."""
        parts = [values[run] for run in self.runs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Series:
    """Arrays of one symbol, and the rows of each session."""

    ts_us: NDArray[np.int64]
    session: NDArray[np.int32]
    minute: NDArray[np.int32]
    returns: NDArray[np.int64]
    close: NDArray[np.float64]
    features: pl.DataFrame
    blocks: dict[date, tuple[int, int]]
    _columns: dict[str, NDArray[np.float64]] = field(default_factory=dict, init=False)
    # By length, the latest past that was asked for, and its digest so far.
    _pasts: dict[int, tuple[Blocks, "hashlib._Hash"]] = field(default_factory=dict, init=False)
    # By first row, how much of a session was asked for, and its digest so far.
    _days: dict[int, tuple[int, "hashlib._Hash"]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, symbol: str, bars: pl.DataFrame, features: pl.DataFrame) -> "Series":
        """Arrays of `OF_BARS` of a `Bars` table and its feature rows."""
        if not bars["ts"].equals(features["ts"]):
            raise DataContractError(
                f"{symbol}: bars and features differ in their minutes: run `dvc repro`, which makes both again."
            )
        returns = bars.select(minute_return().fill_null(0.0)).to_series().to_numpy()
        bounds = (
            bars.with_row_index("row").group_by("session").agg(first=pl.col("row").min(), stop=pl.col("row").max() + 1)
        )
        return cls(
            ts_us=bars["ts"].to_physical().to_numpy(),
            session=bars["session"].to_physical().to_numpy(),
            minute=bars["m"].to_numpy(),
            returns=np.rint(returns * RETURN_UNITS).astype(np.int64),
            close=bars["close"].to_numpy(),
            features=features,
            blocks={session: (first, stop) for session, first, stop in bounds.iter_rows()},
        )

    def digest(self, cut: Cut) -> str:
        """`digest_of_sessions` of the rows sent, from cached digests of complete sessions."""
        first, stop = cut.today
        if not cut.past:
            return digest_of_sessions([self._part(first + 1, stop).digest()])
        known = self._pasts.get(len(cut.past))  # the snapshots of a day share their past
        if known is None or known[0] != cut.past:
            known = self._pasts[len(cut.past)] = cut.past, self._begun(cut.past)
        whole = known[1].copy()
        whole.update(self._so_far(first, stop))
        return whole.hexdigest()

    def _so_far(self, first: int, stop: int) -> bytes:
        """The digest of a session up to `stop`, continued from the snapshot before."""
        seen, known = self._days.get(first, (first, EMPTY))
        digest = self._part(seen, stop, known) if seen <= stop else self._part(first, stop)
        self._days[first] = stop, digest
        return digest.digest()

    def _begun(self, past: Blocks) -> "hashlib._Hash":
        """`digest_of_sessions` for all sessions but the last."""
        first, stop = past[0]
        return hashlib.sha256(self._part(first + 1, stop).digest() + self._whole(past[1:]))

    def _part(self, first: int, stop: int, after: "hashlib._Hash" = EMPTY) -> "hashlib._Hash":
        """The hash of these rows of a session, continued from `after`; kept hashes are never changed."""
        digest = after.copy()
        digest.update(self._content[first * RETURN_BYTES : stop * RETURN_BYTES])
        return digest

    def _whole(self, sessions: Blocks) -> bytes:
        """Digests of complete sessions, oldest first; a slice if the sessions are consecutive."""
        if not sessions:
            return b""
        number, stored = self._session_digests
        start, end = number[sessions[0]], number[sessions[-1]] + 1
        if end - start == len(sessions):
            return stored[start * DIGEST_BYTES : end * DIGEST_BYTES]
        return b"".join(stored[n * DIGEST_BYTES : (n + 1) * DIGEST_BYTES] for n in map(number.__getitem__, sessions))

    def feature(self, name: str) -> NDArray[np.float64]:
        """One feature on every row, NaN where unknown."""
        if name not in self._columns:
            if name not in self.features.columns:
                raise ConfigurationError(f"feature {name!r} is needed but not built: add it to features.names.")
            self._columns[name] = self.features[name].to_numpy()
        return self._columns[name]

    def exogenous(self, rows: NDArray[np.int64], names: tuple[str, ...]) -> NDArray[np.float64]:
        """The named features on these rows, one column each."""
        return np.stack([self.feature(name)[rows] for name in names], axis=1) if names else np.empty((len(rows), 0))

    @cached_property
    def _session_digests(self) -> tuple[dict[tuple[int, int], int], bytes]:
        """Each session's number, and the digests of all sessions in that order."""
        sessions = sorted(self.blocks.values())
        return {session: n for n, session in enumerate(sessions)}, b"".join(
            self._part(*session).digest() for session in sessions
        )

    @cached_property
    def _content(self) -> memoryview:
        """The returns as little-endian int64."""
        return np.ascontiguousarray(self.returns, dtype="<i8").data.cast("B")


def exogenous_digest(history: NDArray[np.float64], future: NDArray[np.float64]) -> str:
    """The sha256 of the exogenous values, rounded as the catalogue says, as little-endian float64 row by row."""
    digest = hashlib.sha256()
    for values in (history, future):
        digest.update(np.ascontiguousarray(values + 0.0, dtype="<f8").tobytes())
    return digest.hexdigest()
