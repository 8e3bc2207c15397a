"""Evidence of one symbol on its labels: which stamp names the first minute of a session.

A candidate is a distance in minutes from the open to the stamp of the session's first minute: 0 for start labels, 1 for
end labels, -2 for start labels that are two minutes early, -240 for New York's clock read as UTC in summer.

*Shapes*: signs x sessions x candidates.
*Units*: nats, 0 for the best candidate of a session, and bounded: one odd session cannot outweigh two sound ones.
*Time*: see `label_signs`; the result only decides whether the run stops.
"""

import zlib
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from stages.quality.label_signs import (
    BEFORE,
    CANDIDATES,
    FULL,
    HOURS,
    SHIFTS,
    WIDTH,
    Array,
    Minutes,
    by_clock,
    by_hours,
    by_prints,
    by_ranges,
    by_rows,
    by_volume,
)

SIGNS = {"rows": 3.0, "ranges": 1.5, "prints": 1.5, "volume": 3.0}  # most nats of a session
REGULAR_SPAN = 395  # a longer session holds more than regular hours
STEP = 3.0 / 120  # nats: the precision of stored evidence


@dataclass(frozen=True)
class LabelEvidence:
    """The evidence of one symbol: small enough to be kept for all symbols."""

    packed: bytes
    clock: Array  # by the stamp's minute modulo five

    def by_sign(self) -> Array:
        """Signs x sessions x candidates; zeros where a session shows nothing."""
        steps = np.frombuffer(zlib.decompress(self.packed), np.int8).reshape(len(SIGNS), -1, len(CANDIDATES))
        return np.asarray(steps * STEP, float)


@np.errstate(all="ignore")
def label_evidence(bars: pl.DataFrame, calendar: pl.DataFrame) -> LabelEvidence:
    """The evidence in one symbol's `ts, high, low, volume`, stamps in UTC with the vendor's label.

    One entry a session of the calendar; half days and sessions with fewer than half of their minutes show nothing.
    """
    minutes = _laid_out(bars, calendar)
    votes = minutes.here.sum(1) >= FULL / 2
    nats: Array = np.zeros((len(SIGNS), len(votes), len(CANDIDATES)))
    clock: Array = np.zeros(5)
    if votes.any():
        rows = slice(None) if votes.all() else votes
        voting = Minutes(minutes.range[rows], minutes.volume[rows], minutes.here[rows])
        nats[:, votes], clock = _signs(voting), by_clock(voting)
    most = np.array(list(SIGNS.values()))[:, None, None]
    bounded = np.maximum(nats - nats.max(2, keepdims=True), -most)
    return LabelEvidence(zlib.compress(np.round(bounded / STEP).astype(np.int8).tobytes(), 1), clock)


def _laid_out(bars: pl.DataFrame, calendar: pl.DataFrame) -> Minutes:
    """Rows by session and minute; adjacent sessions are too far apart to share a row."""
    opens = calendar["open_utc"].dt.epoch("us").to_numpy() // 60_000_000
    stamps = bars["ts"].dt.epoch("us").to_numpy() // 60_000_000
    session = np.searchsorted(opens - BEFORE, stamps, side="right") - 1
    column = stamps - opens[session] + BEFORE
    kept = (session >= 0) & (column < WIDTH) & ~calendar["is_half"].to_numpy()[session]
    at, shape = (session * WIDTH + column)[kept], (len(opens), WIDTH)
    high, low, volume = (bars[name].to_numpy()[kept] for name in ("high", "low", "volume"))
    spread, traded = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    here = np.zeros(shape, bool)
    spread.ravel()[at] = np.where((low > 0) & (high >= low) & np.isfinite(high), (high - low) / low, np.nan)
    traded.ravel()[at] = np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan)
    here.ravel()[at] = True
    return Minutes(spread, traded, here)


def _signs(minutes: Minutes) -> Array:
    """Coarse signs for every hour, fine signs only for the likely hours of a session."""
    extent = np.stack([minutes.here.argmax(1), WIDTH - 1 - minutes.here[:, ::-1].argmax(1)], 1) - BEFORE
    minutes = replace(minutes, all_hours=bool(np.mean(extent[:, 1] - extent[:, 0] >= REGULAR_SPAN) > 0.25))
    nats = np.zeros((len(SIGNS), len(extent), len(HOURS), len(SHIFTS)))
    if minutes.all_hours:
        nats[3] += by_hours(minutes)[:, :, None]
        near = np.unique(nats[3, :, :, 0].argmax(1))
    else:
        nats[0] = by_rows(minutes, extent).reshape(nats[0].shape)
        near = np.unique(np.clip(np.round(extent[:, 0] / 60).astype(int) - HOURS[0], 0, len(HOURS) - 1))
    for hour in near:
        fine = np.stack([sign(minutes.moved(int(HOURS[hour]))) for sign in (by_ranges, by_prints, by_volume)])
        nats[1:, :, hour] += fine - fine.sum(0).max(1)[None, :, None] / len(fine)
    return nats.reshape(len(SIGNS), len(extent), -1)
