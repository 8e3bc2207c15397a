"""Long gaps and their cause: the other symbols distinguish a halt from a broken feed.

If a symbol is silent while most others trade, it was halted or its own feed broke. If most others are silent too, the
feed broke for all. Others count while they may trade: outside their listed halts, and up to a session after their last
bar. If none counts, the cause is unknown. A session without any bar is not a gap, and neither is a listed halt.

*Time*: the kind of a gap is determined afterwards and changes nothing. `quality.unlisted_halts: keep` decides minute by
minute: once a gap has the longest allowed length, each further minute is halted if the others traded in more than
`quality.halt_min_trading_share` of the gap before it.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.quality.halts import NO_HALTS, UNLISTED, inside, with_absences
from stages.tables.market import EVERYBODY, REAL, Halts

MINUTE = timedelta(minutes=1)
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Silence:
    """When one symbol was silent: small enough to be kept for all symbols.

    *Tables*: `gaps` has `session, first_minute, minutes`, `ts` and `row` of the first, `halted`, the minutes in a
    listed halt (`market_wide` if it was one of all symbols), `absent`, the longest run of other missing minutes, and
    `whole`, whether the session has no bar at all; ordered by time.
    *Shapes*: the flags have one bit a row of the grid, compressed.
    """

    gaps: pl.DataFrame
    real: bytes  # rows with a real bar
    halted: bytes  # rows in a listed halt
    listed: bytes  # rows with a bar in the session so far, or in the one before
    rows: int
    absent_min: int  # the longest allowed gap

    def trading(self) -> NDArray[np.uint8]:
        """1 on every row of the grid with a real bar, else 0."""
        return unpacked(self.real, self.rows)

    def open(self) -> NDArray[np.uint8]:
        """1 on every row outside its listed halts, else 0."""
        return 1 - unpacked(self.halted, self.rows)

    def expected(self) -> NDArray[np.uint8]:
        """1 on every row on which it might trade, as known then; a symbol that is not listed yet cannot.

        A symbol is expected for one session after its last bar, and in the first session of the record.
        """
        return self.open() * unpacked(self.listed, self.rows)


def silence_of(bars: pl.DataFrame, quality: QualityParams, halts: pl.DataFrame = NO_HALTS) -> Silence:
    """Every gap of a symbol longer than allowed, and when it traded."""
    marked = with_absences(bars, halts)
    gaps = (
        marked.select("session", "ts", "m", "gap_len", "halted", "absent_min", n_expected=pl.len().over("session"))
        .with_row_index("row")
        .filter(pl.col("gap_len") > 0)
        .group_by("session", first_minute=pl.col("m") - pl.col("gap_len") + 1)
        .agg(
            pl.col("row", "ts").min(),
            minutes=pl.len(),
            whole=pl.len() == pl.col("n_expected").first(),
            halted=pl.col("halted").sum(),
            market_wide=inside(halts.filter(symbol=EVERYBODY)).any(),
            absent=pl.col("absent_min").max(),
        )
        .filter(pl.col("minutes") > quality.absent_min)
        .sort("session", "first_minute")
    )
    flags = marked.select("halted", real=REAL, so_far=REAL.cum_max().over("session"), day=pl.col("session").rle_id())
    real, day = flags["real"].to_numpy(), flags["day"].to_numpy()
    before = np.append(True, np.bincount(day, real) > 0)[day]
    listed = flags["so_far"].to_numpy() | before
    bits = packed(real), packed(flags["halted"].to_numpy()), packed(listed)
    return Silence(gaps, *bits, bars.height, quality.absent_min)


@dataclass(frozen=True)
class Trading:
    """How many symbols traded on each grid row, and how many might have.

    *Shapes*: all symbols have the same grid in the same order.
    """

    trading: Counts
    expected: Counts

    @classmethod
    def of(cls, silences: Mapping[str, Silence]) -> "Trading":
        """The counts of all symbols that could be read."""
        return cls(
            by_row(one.trading() for one in silences.values()), by_row(one.expected() for one in silences.values())
        )

    def without(self, one: Silence) -> "Trading":
        """The counts of the other symbols, outside the listed halts of this one."""
        open_ = one.open()
        return Trading((self.trading - one.trading()) * open_, (self.expected - one.expected()) * open_)

    def shares(self, gap: Mapping[str, Any]) -> NDArray[np.float64]:
        """Per minute of a gap: the share of the others' minutes in which they traded since the gap began."""
        rows = slice(gap["row"], gap["row"] + gap["minutes"])
        shares: NDArray[np.float64] = self.trading[rows].cumsum() / np.maximum(self.expected[rows].cumsum(), 1)
        return shares

    def any(self, gap: Mapping[str, Any]) -> bool:
        """Whether another symbol might have traded in a gap."""
        return bool(self.expected[gap["row"] : gap["row"] + gap["minutes"]].any())


def packed(flags: NDArray[np.bool_]) -> bytes:
    """One bit a row of the grid, compressed."""
    return zlib.compress(np.packbits(flags).tobytes())


def unpacked(bits: bytes, rows: int) -> NDArray[np.uint8]:
    """1 or 0 for each row of the grid."""
    return np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8), count=rows)


def by_row(flags: Iterable[NDArray[np.uint8]]) -> Counts:
    """The number of symbols that have the flag, by row of the common grid."""
    total: Counts | None = None
    for one in flags:
        total = one.astype(np.int64) if total is None else total + one
    return np.zeros(0, np.int64) if total is None else total


def long_gaps(silences: Mapping[str, Silence], quality: QualityParams) -> dict[str, list[dict[str, Any]]]:
    """Per symbol: `session, first_minute, minutes, kind` of every long gap, ordered by time."""
    everybody = Trading.of(silences)
    found: dict[str, list[dict[str, Any]]] = {}
    for symbol, one in silences.items():
        others = everybody.without(one) if one.gaps.height else everybody
        found[symbol] = [
            {
                "session": str(gap["session"]),
                "first_minute": gap["first_minute"],
                "minutes": gap["minutes"],
                "kind": _kind(gap, one, others, quality),
            }
            for gap in one.gaps.filter(~pl.col("whole")).iter_rows(named=True)
        ]
    return found


def unlisted_halts(silences: Mapping[str, Silence], quality: QualityParams) -> dict[str, pl.DataFrame]:
    """Per symbol, table `Halts` of the gaps that `quality.unlisted_halts: keep` treats as halts; empty with drop."""
    if quality.unlisted_halts == "drop" or len(silences) < 2:
        return dict.fromkeys(silences, NO_HALTS)
    everybody = Trading.of(silences)
    return {symbol: _pauses(symbol, one, everybody, quality) for symbol, one in silences.items()}


def _pauses(symbol: str, one: Silence, everybody: Trading, quality: QualityParams) -> pl.DataFrame:
    """The unlisted halts of one symbol. A halt ends when the first bar after it is over, since only then it is known.

    Only minutes count in which the symbol is `expected`, also in a session without any bar. A listed halt splits a
    pause in two.
    """
    rows = []
    first = max(1, one.absent_min)
    others, expected = everybody.without(one), one.expected()
    for gap in one.gaps.iter_rows(named=True):
        minutes = np.flatnonzero(expected[gap["row"] : gap["row"] + gap["minutes"]])
        goes_on = others.shares(gap)[minutes[first - 1 : -1]] > quality.halt_min_trading_share
        paused = minutes[first:] if goes_on.all() else minutes[first : first + int(goes_on.argmin())]
        for part in np.split(paused, np.flatnonzero(np.diff(paused) > 1) + 1):
            if len(part):
                until_known = int(part[-1] == gap["minutes"] - 1)
                begins, ends = (gap["ts"] + int(at) * MINUTE for at in (part[0], part[-1] + 1 + until_known))
                rows.append((begins, symbol, ends, UNLISTED))
    return Halts.of(pl.DataFrame(rows, schema=NO_HALTS.schema, orient="row")) if rows else NO_HALTS


def _kind(gap: dict[str, Any], one: Silence, others: Trading, quality: QualityParams) -> str:
    if gap["halted"] and gap["absent"] <= one.absent_min:
        return "market_wide_halt" if gap["market_wide"] else "listed_halt"
    if not others.any(gap):
        return "alone"
    return "halt" if others.shares(gap)[-1] > quality.halt_min_trading_share else "feed"
