"""The past of each forecast: outcomes, and order statistics of their scores by group and rolling window.

*Shapes*: scores are (4, n), one row a corrected level, one column a forecast; all forecasts of one block share model,
history and horizon.
*Units*: `y_bp = 1e4 ln(C / last)`, with C the close of the minute that ends `horizon_min` after the snapshot.
*Time*: an outcome is known at `target_ts`. A forecast uses outcomes of earlier sessions only: an outcome of its own
session may be known already, but whether the data gate keeps that session is not, and a correction must not depend on
the afternoon. Order statistics are picked, never summed, so cutting off the future changes no bit of the past.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Self

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stages.params.calibration import CalibrationParams

BP = 1e4
OF_BARS = ("known_at", "close", "is_filled")


def with_outcomes(
    forecasts: pl.DataFrame, bars: Mapping[str, pl.DataFrame], usable: Mapping[str, tuple[date, ...]]
) -> pl.DataFrame:
    """Forecasts (at least one) with `y_bp`, `target_ts` and `void`; of their symbols' bars `OF_BARS` are read.

    An outcome is void, and then null, when the bar it starts from or ends at is missing or filled, or when the data
    gate dropped the session for that symbol. It is in its forecast's session, so bars of other sessions are not needed.
    """
    asked = forecasts.with_columns(target_ts=pl.col("snapshot_utc") + pl.duration(minutes=pl.col("horizon_min")))
    symbols, ends = asked["symbol"].unique().sort(), asked.select("symbol", "snapshot_utc", "target_ts")
    real_closes = pl.concat(_real_closes(symbol, bars[symbol], ends.filter(symbol=symbol)) for symbol in symbols)
    kept = pl.DataFrame(
        [(symbol, day) for symbol in symbols for day in usable[symbol]],
        schema={"symbol": pl.String, "session": pl.Date},
        orient="row",
    )
    first = real_closes.select("symbol", pl.col("known_at").alias("snapshot_utc"), pl.lit(True).alias("starts"))
    last = real_closes.select("symbol", pl.col("known_at").alias("target_ts"), pl.col("close").alias("_target"))
    outcome = pl.when(pl.col("starts") & pl.col("kept")).then(BP * (pl.col("_target") / pl.col("last")).log())
    return (
        asked.join(first, on=["symbol", "snapshot_utc"], how="left")
        .join(last, on=["symbol", "target_ts"], how="left")
        .join(kept.with_columns(kept=pl.lit(True)), on=["symbol", "session"], how="left")
        .with_columns(outcome.alias("y_bp"))
        .with_columns(pl.col("y_bp").is_null().alias("void"))
        .drop("starts", "kept", "_target")
        .sort("symbol", "snapshot_utc", "horizon_min", "history_days", "model")
    )


def _real_closes(symbol: str, bars: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """The closes of one symbol at which its forecasts start or end."""
    wanted = pl.concat([ends["snapshot_utc"], ends["target_ts"]]).unique()
    real = pl.col("known_at").is_in(wanted.implode()), ~pl.col("is_filled"), pl.col("close").is_not_null()
    return bars.filter(*real).select(pl.lit(symbol).alias("symbol"), "known_at", "close")


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
    """Each forecast of one model, history and horizon by indices: its symbol, clock time and session."""

    symbols: list[str]
    clocks: list[str]
    symbol: Ints
    clock: Ints
    session: Ints
    n_sessions: int
    known_us: Ints  # when the outcome was known, microseconds

    @classmethod
    def of(cls, frame: pl.DataFrame, sessions: Sequence[object]) -> Self:
        """Index a frame against the sorted sessions of all its symbols."""
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
        """Ways of pooling, the most similar first: same symbol and clock time, then same symbol."""
        cells = [f"{symbol}@{clock}" for symbol in self.symbols for clock in self.clocks]
        yield Group(cells, self._cell, np.zeros_like(self._cell), 1)
        yield Group(self.symbols, self.symbol, self.clock, len(self.clocks))

    def pooled(self) -> Group:
        """All forecasts of the block as one group."""
        return Group(["pooled"], np.zeros_like(self._cell), self._cell, len(self.symbols) * len(self.clocks))

    @property
    def _cell(self) -> Ints:
        return self.symbol * len(self.clocks) + self.clock


@dataclass(frozen=True)
class Past:
    """Earlier scores of some groups and sessions.

    *Shapes*: sorted (distinct, pasts, width), NaN last, of which the first `n` (pasts,) are real; level (4,), the index
    of each corrected level in `distinct`, since some methods score several levels alike; last_us (pasts,).
    """

    sorted: Floats
    level: Ints
    n: Ints
    last_us: Ints

    def pick(self, at: Ints, rank: Ints) -> Floats:
        """The rank-th smallest scores of some pasts. *Shapes*: at (c,), rank and result (4, c)."""
        return self.sorted[self.level[:, None], at, rank - 1]


@dataclass(frozen=True)
class Served:
    """Forecasts for which one way of pooling has enough outcomes: `rows[i]` uses the past `at[i]`.

    *Shapes*: rows, at, names (k,).
    """

    rows: Ints
    at: Ints
    names: NDArray[np.object_]
    past: Past

    @property
    def n(self) -> Ints:
        """The number of outcomes that each uses."""
        return self.past.n[self.at]

    def pick(self, chosen: Ints, rank: Ints) -> Floats:
        """The rank-th smallest past scores of some forecasts. *Shapes*: chosen (c,), rank and result (4, c)."""
        return self.past.pick(self.at[chosen], rank)


@dataclass(frozen=True)
class Corrections:
    """The correction of each forecast: offsets by level, with the group and the number of outcomes behind them."""

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
            group[piece.rows], n[piece.rows] = piece.names, piece.n
            last_us[piece.rows] = piece.past.last_us[piece.at]
        return cls(offsets, group, n, last_us)


def order_statistics(
    _: Block, scores: Floats, pieces: Sequence[Served], ranks: Ranks, __: CalibrationParams
) -> Corrections:
    """The `ranks(n)`-th smallest of the n past scores, from the first group that has enough of them."""
    offsets = np.full(scores.shape, np.nan)
    for piece in pieces:
        offsets[:, piece.rows] = piece.pick(np.arange(len(piece.rows)), ranks(piece.n))
    return Corrections.of(offsets, pieces)


@dataclass
class Pool:
    """Past scores of all symbols of a block, cached for the sessions asked for so far."""

    block: Block
    scores: Floats
    n_back: int
    sessions: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    past: Past | None = None

    def before(self, sessions: Ints) -> tuple[Past, Ints]:
        """A past that covers these sessions, and the index of each session in it."""
        if self.past is None or len(np.setdiff1d(sessions, self.sessions)):
            self.sessions = np.union1d(self.sessions, sessions)
            past = _past(self.block, self.block.pooled(), self.scores, self.sessions, self.n_back)
            self.past = replace(past, sorted=past.sorted[:, :, : past.n.max(initial=0)].copy())  # no empty columns
        return self.past, np.searchsorted(self.sessions, sessions)


def serve(block: Block, scores: Floats, ranks: Ranks, params: CalibrationParams, pool: Pool) -> Iterator[Served]:
    """Each forecast once, with the past of the first group that has enough outcomes.

    Enough means at least `calibration.min_outcomes`, and ranks from 1 to n, as a conformal bound needs. `pool` covers
    all symbols of the model, history and horizon; `block` may hold only some of them.
    """
    waiting, pooled = np.arange(scores.shape[1]), block.pooled()
    for group in (*block.groups(), pooled):
        wanted, back = np.unique(group.member[waiting] * block.n_sessions + block.session[waiting], return_inverse=True)
        if group is pooled:
            past, places = pool.before(wanted)
        else:
            past, places = _past(block, group, scores, wanted, pool.n_back), np.arange(len(wanted))
        at, rank = places[back], ranks(past.n)
        enough = ((past.n >= params.min_outcomes) & (rank >= 1).all(axis=0) & (rank <= past.n).all(axis=0))[at]
        rows = waiting[enough]
        yield Served(rows, at[enough], np.array(group.names, dtype=object)[group.member[rows]], past)
        waiting = waiting[~enough]


def _past(block: Block, group: Group, scores: Floats, wanted: Ints, n_back: int) -> Past:
    """The scores of up to `n_back` earlier sessions for each wanted group and session.

    *Shapes*: wanted (pasts,), each group * sessions + session.
    """
    known, n_back = ~np.isnan(scores[0]), min(n_back, block.n_sessions)
    shape = (len(group.names), n_back + block.n_sessions, group.n_slots)
    at = tuple(index[known] for index in (group.member, block.session + n_back, group.slot))

    def before(values: NDArray[np.generic], missing: float) -> NDArray[np.generic]:
        grid = np.full(shape, missing, dtype=values.dtype)
        grid[at] = values[known]
        windows = sliding_window_view(grid, n_back, axis=1)
        return windows[wanted // block.n_sessions, wanted % block.n_sessions].reshape(len(wanted), -1)

    distinct: dict[bytes, int] = {}
    level = np.array([distinct.setdefault(one.tobytes(), len(distinct)) for one in scores])
    first = [int(np.argmax(level == one)) for one in distinct.values()]
    past = np.stack([before(scores[one], np.nan) for one in first])
    past.sort(axis=2)
    last_us = before(block.known_us, NEVER).max(axis=1, initial=NEVER)
    return Past(past, level, np.count_nonzero(~np.isnan(past[0]), axis=1), last_us)


def _positions(column: pl.Series, values: Sequence[object]) -> Ints:
    index = {value: position for position, value in enumerate(values)}
    return np.array([index[value] for value in column.to_list()], dtype=np.int64)
