"""Other symbols in the same minute: a move that many share is a market move, not a fault of the feed.

Symbols are checked one by one. Each leaves its `Extremes`, small enough to be kept for all. A symbol with suspect bars
that others excuse is checked a second time, with the moves of the `Others`.

*Time*: others are compared in the same minute only. Overnight, a symbol counts only if it has the session's first
minute, a bar in the session before, and no listed corporate action of its own in that night.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from math import log

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.quality.long_gaps import by_row, packed, unpacked
from stages.sessions.rolling import Floats

Place = tuple[int, int]  # a grid row and the direction of a move, 0 for overnight
FURTHEST_NIGHT = log(1.45)  # a larger overnight move is a split or a fault of that symbol, and excuses no other
PART_OF_FLOOR = 1 / 3  # another symbol's move counts from a third of the suspect size


@dataclass(frozen=True)
class Others:
    """Rows and directions in which enough other symbols moved or had wicks; their median overnight move by session."""

    moves: frozenset[Place] = frozenset()
    wicks: frozenset[Place] = frozenset()
    nights: Floats = field(default_factory=lambda: np.zeros(0))


NOBODY = Others()


@dataclass(frozen=True)
class Extremes:
    """One symbol's large moves and wicks as signed row numbers from 1, its overnight moves, its suspect places.

    `traded` flags the rows with a bar, void ones (PX7) included: one bit each, compressed.
    """

    moves: NDArray[np.int64]
    wicks: NDArray[np.int64]
    nights: Floats
    suspects: tuple[Place, ...]
    suspect_wicks: tuple[Place, ...]
    traded: bytes
    rows: int

    def without(self, listed: list[int]) -> "Extremes":
        """Leave out the moves on these rows: they are listed as this symbol's own, so not the market's."""
        return replace(self, moves=self.moves[~np.isin(np.abs(self.moves) - 1, listed)])


def extremes_of(
    bars: pl.DataFrame,
    traded: NDArray[np.bool_],
    suspects: tuple[list[Place], list[Place]],
    actions: Iterable[date],
    quality: QualityParams,
) -> Extremes:
    """One symbol's extremes, from the complete grid in order with `sound` bars marked and prices as delivered.

    `suspects`: places of moves, then of wicks.
    """
    day = bars["session"].rle_id().to_numpy()
    sound = bars["sound"].to_numpy()
    rows = np.flatnonzero(sound)
    high, low, close, opening = (bars[name].to_numpy()[rows] for name in ("high", "low", "close", "open"))
    first = np.append(True, np.diff(day[rows]) > 0)[: len(rows)]
    before = np.append(np.nan, close)[: len(rows)]
    start = np.where(first, opening, before)
    nights = np.full(int(day[-1]) + 1, np.nan)
    one_night = np.append(False, np.diff(day[rows]) == 1)[: len(rows)]
    at_open = one_night & (bars["m"].to_numpy()[rows] == 0)
    night = np.log(opening[at_open] / before[at_open])
    nights[day[rows[at_open]]] = np.where(np.abs(night) <= FURTHEST_NIGHT, night, np.nan)
    listed = bars["session"].unique(maintain_order=True).search_sorted(pl.Series([*actions], dtype=pl.Date)).to_numpy()
    nights[listed[listed < len(nights)]] = np.nan
    reach = high / np.maximum(opening, close), np.minimum(opening, close) / low
    return Extremes(
        _signed(rows, close / start, start / close, PART_OF_FLOOR * quality.jump_floor_share),
        _signed(rows, *reach, PART_OF_FLOOR * quality.wick_floor_share),
        nights,
        tuple(suspects[0]),
        tuple(suspects[1]),
        packed(traded),
        bars.height,
    )


def others_of(extremes: Mapping[str, Extremes], quality: QualityParams) -> dict[str, Others]:
    """The others of each symbol with suspect bars that they may excuse."""
    suspect = {symbol: one for symbol, one in extremes.items() if one.suspects or one.suspect_wicks}
    moves, wicks = (_counts(getattr(one, kind) for one in extremes.values()) for kind in ("moves", "wicks"))
    trading = by_row(unpacked(one.traded, one.rows) for one in extremes.values())
    excused = {}
    for symbol, one in suspect.items():
        nights = [other.nights for name, other in extremes.items() if name != symbol]
        others = Others(
            _shared(moves, one.moves, trading, quality), _shared(wicks, one.wicks, trading, quality), _median(nights)
        )
        over_night = any(direction == 0 for _, direction in one.suspects)
        if over_night or others.moves & set(one.suspects) or others.wicks & set(one.suspect_wicks):
            excused[symbol] = others
    return excused


def _signed(rows: NDArray[np.int64], up: Floats, down: Floats, least: float) -> NDArray[np.int64]:
    return np.concatenate([rows[up > 1 + least] + 1, -(rows[down > 1 + least] + 1)])


def _counts(signed: Iterable[NDArray[np.int64]]) -> dict[int, int]:
    places, count = np.unique(np.concatenate(list(signed)), return_counts=True)
    return dict(zip(places.tolist(), count.tolist(), strict=True))


def _shared(
    counts: Mapping[int, int], own: NDArray[np.int64], trading: NDArray[np.int64], quality: QualityParams
) -> frozenset[Place]:
    """Those of a symbol's `own` places that enough of the other symbols trading in that minute share."""
    shared = set()
    for place in own.tolist():
        row, direction = abs(place) - 1, 1 if place > 0 else -1
        if counts[place] - 1 >= quality.shared_min_share * max(1, int(trading[row]) - 1):
            shared.add((row, direction))
    return frozenset(shared)


def _median(nights: list[Floats]) -> Floats:
    """Median by session; 0 if no other symbol has a known overnight move."""
    table = np.array(nights)
    known = ~np.isnan(table).all(axis=0)
    median = np.zeros(table.shape[1])
    median[known] = np.nanmedian(table[:, known], axis=0)
    return median
