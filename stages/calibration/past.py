"""What was known before each forecast: order statistics of past scores, by group and rolling window.

*Shapes*: scores are (4, n), one row a corrected level, one column a forecast; all forecasts of one block share model,
history and horizon.
*Time*: a forecast sees outcomes of earlier sessions only. An outcome of its own session may already be known, but
whether the data gate will keep that session is not, and a correction must not depend on the afternoon.
Order statistics are picked, never summed, so cutting off the future changes no bit of the past.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stages.calibration.params import CalibrationParams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEVER = np.iinfo(np.int64).min
Ranks = Callable[[Ints], Ints]


@dataclass(frozen=True)
class Group:
    """One way of pooling: per forecast, its group and its slot within a session of that group."""

    names: list[str]
    member: Ints
    slot: Ints
    n_slots: int


@dataclass(frozen=True)
class Block:
    """Where each forecast of one model, history and horizon stands: its symbol, clock time and session, as indices."""

    symbols: list[str]
    clocks: list[str]
    symbol: Ints
    clock: Ints
    session: Ints
    n_sessions: int
    known_us: Ints  # when the outcome was known, microseconds

    @classmethod
    def of(cls, frame: pl.DataFrame, sessions: Sequence[object]) -> Self:
        """Index a frame against the sorted sessions of the whole record."""
        symbols, clocks = sorted(frame["symbol"].unique()), sorted(frame["snapshot_et"].unique())
        return cls(
            symbols=symbols,
            clocks=clocks,
            symbol=_positions(frame["symbol"], symbols),
            clock=_positions(frame["snapshot_et"], clocks),
            session=_positions(frame["session"], sessions),
            n_sessions=len(sessions),
            known_us=frame["target_ts"].to_physical().to_numpy(),
        )

    def by_session(self) -> list[Ints]:
        """The forecasts of each session, in the order in which their outcomes become known."""
        order = np.lexsort((self.symbol, self.known_us, self.session))
        return np.split(order, np.flatnonzero(np.diff(self.session[order])) + 1)

    def groups(self) -> Iterator[Group]:
        """From the closest kin to all: the same symbol and clock time, the same symbol, everything."""
        cell = self.symbol * len(self.clocks) + self.clock
        nothing = np.zeros_like(cell)
        cells = [f"{symbol}@{clock}" for symbol in self.symbols for clock in self.clocks]
        yield Group(cells, cell, nothing, 1)
        yield Group(self.symbols, self.symbol, self.clock, len(self.clocks))
        yield Group(["pooled"], nothing, cell, len(cells))


@dataclass(frozen=True)
class Served:
    """Forecasts that one way of pooling knows enough about.

    *Shapes*: rows, at, names (k,); past (4, pasts, width), sorted, NaN last; n, last_us (pasts,). Forecast `rows[i]`
    sees `past[:, at[i]]`, of which the first `n[at[i]]` are real.
    """

    rows: Ints
    at: Ints
    names: NDArray[np.object_]
    past: Floats
    n: Ints
    last_us: Ints

    def pick(self, chosen: Ints, rank: Ints) -> Floats:
        """The rank-th smallest past scores of some of the forecasts. *Shapes*: chosen (c,), rank and result (4, c)."""
        return self.past[np.arange(4)[:, None], self.at[chosen], rank - 1]


@dataclass(frozen=True)
class Found:
    """What the past says of each forecast: offsets per level, from which group, out of how many outcomes."""

    offsets: Floats  # (4, n), NaN where too little was known
    group: NDArray[np.object_]
    n: Ints
    last_us: Ints

    @classmethod
    def of(cls, offsets: Floats, pieces: Sequence[Served]) -> Self:
        """Offsets with their provenance."""
        n_rows = offsets.shape[1]
        group, n = np.full(n_rows, "identity", dtype=object), np.zeros(n_rows, np.int64)
        last_us = np.full(n_rows, NEVER)
        for piece in pieces:
            group[piece.rows], n[piece.rows] = piece.names, piece.n[piece.at]
            last_us[piece.rows] = piece.last_us[piece.at]
        return cls(offsets, group, n, last_us)


def order_statistics(block: Block, scores: Floats, ranks: Ranks, params: CalibrationParams) -> Found:
    """The `ranks(n)`-th smallest of the n past scores, from the first group that holds enough of them."""
    pieces = list(serve(block, scores, ranks, params))
    offsets = np.full(scores.shape, np.nan)
    for piece in pieces:
        offsets[:, piece.rows] = piece.pick(np.arange(len(piece.rows)), ranks(piece.n[piece.at]))
    return Found.of(offsets, pieces)


def serve(block: Block, scores: Floats, ranks: Ranks, params: CalibrationParams) -> Iterator[Served]:
    """Each forecast once, with the past of the first group that holds enough.

    Enough is `calibration.min_outcomes`, and no rank beyond n (the guarantee of a conformal bound needs that).
    """
    waiting = np.arange(scores.shape[1])
    for group in block.groups():
        wanted, back = np.unique(group.member[waiting] * block.n_sessions + block.session[waiting], return_inverse=True)
        past, n, last_us = _past(block, group, scores, wanted, params.window_sessions)
        rank = ranks(n)
        enough = ((n >= params.min_outcomes) & (rank >= 1).all(axis=0) & (rank <= n).all(axis=0))[back]
        rows = waiting[enough]
        yield Served(rows, back[enough], np.array(group.names, dtype=object)[group.member[rows]], past, n, last_us)
        waiting = waiting[~enough]


def _past(block: Block, group: Group, scores: Floats, wanted: Ints, n_back: int) -> tuple[Floats, Ints, Ints]:
    """Per wanted (group, session): scores of `n_back` earlier sessions, sorted, NaN last; how many; the last time."""
    known = ~np.isnan(scores[0])
    shape = (len(group.names), n_back + block.n_sessions, group.n_slots)
    at = tuple(index[known] for index in (group.member, block.session + n_back, group.slot))

    def before(values: NDArray[np.generic], missing: float) -> NDArray[np.generic]:
        grid = np.full(shape, missing, dtype=values.dtype)
        grid[at] = values[known]
        windows = sliding_window_view(grid, n_back, axis=1)
        return windows[wanted // block.n_sessions, wanted % block.n_sessions].reshape(len(wanted), -1)

    past = np.sort(np.stack([before(one, np.nan) for one in scores]), axis=2)
    last_us = before(block.known_us, NEVER).max(axis=1, initial=NEVER)
    return past, np.count_nonzero(~np.isnan(past[0]), axis=1), last_us


def _positions(column: pl.Series, values: Sequence[object]) -> Ints:
    index = {value: position for position, value in enumerate(values)}
    return np.array([index[value] for value in column.to_list()], dtype=np.int64)
