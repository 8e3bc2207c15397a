"""What the bars of one symbol say about their stamps: which stamp names the first minute of a session?

A candidate is a distance in minutes from the open to the stamp of the session's first minute: 0 for start labels, 1 for
end labels, -2 for start labels that are two minutes early, -240 for New York's clock read as UTC in summer.

Five signs speak, each of them in every full session that has the rows which it needs:

- *rows*: where a file holds regular hours only, the first and the last row; an extra row of an auction at either end
  makes two candidates equal
- *ranges*: a minute of trading is wide, the row before it (an auction alone, or the minute before the open) is not
- *prints*: a row without any range is an auction, whatever its volume
- *volume*: where all hours come, the minute in which trading wakes up and the one in which it ends
- *clock*: orders are sent on the round minute, so that more trades in the minutes that begin at :00, :05 and so on

*Shapes*: sessions x candidates. *Units*: nats, 0 for the best candidate of a session and at least -`SESSION_NATS`: one
odd session cannot outweigh two sound ones.
*Time*: what a session says uses its own bars; rates that are usual (how thin, how often a row has no range) use the
span, since the answer decides only whether the run stops.
*Source*: odds as measured on real feeds with known labels: the row before the first minute is the wider one in 0 to 7 %
of sessions, the first minute is wider than the second in 53 to 78 %.
"""

import zlib
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]
Matrix = TypeVar("Matrix", Array, NDArray[np.bool_])

HOURS, SHIFTS = np.arange(-6, 7), np.arange(-5, 7)  # five minutes early under start labels, late under end labels
CANDIDATES = (60 * HOURS[:, None] + SHIFTS).ravel()
SIGNS = {"rows": 3.0, "ranges": 1.5, "prints": 1.5, "volume": 3.0}  # nats at most in a session
SESSION_NATS = 3.0
FULL, BEFORE, WIDTH = 390, 375, 1141  # minutes: of a full session, kept before its open, kept in all
REGULAR_SPAN = 395  # a session of more minutes than these holds more than regular hours
RARE = 0.05
CLOSING_NATS = 1.0  # of the volume after the close, which dies down slowly in some names
STEP = 3.0 / 120  # nats: in which evidence is kept


@dataclass(frozen=True)
class LabelEvidence:
    """One symbol: small enough to be held for all symbols at once."""

    packed: bytes  # signs x sessions x candidates, each session's best at 0
    clock: Array  # by the minute of five on which a stamp falls: log likelihood ratio against no rhythm

    def by_sign(self) -> Array:
        """Nats: signs x sessions x candidates; zeros where a session says nothing."""
        steps = np.frombuffer(zlib.decompress(self.packed), np.int8).reshape(len(SIGNS), -1, len(CANDIDATES))
        return steps.astype(float) * STEP


@dataclass(frozen=True)
class _Minutes:
    """Sessions x minutes, from `BEFORE` minutes before the open on; NaN where there is no row."""

    range: Array
    volume: Array
    here: NDArray[np.bool_]

    def at(self, matrix: Matrix, first: int, last: int) -> Matrix:
        """Minutes `first` to `last` from the open, both included."""
        return matrix[:, BEFORE + first : BEFORE + last + 1]


@np.errstate(all="ignore")
def label_evidence(bars: pl.DataFrame, calendar: pl.DataFrame) -> LabelEvidence:
    """The evidence of one symbol's `ts, high, low, volume`, stamps in UTC as the vendor labels them.

    One row a session of the calendar; half days and sessions with fewer than half of their minutes say nothing.
    """
    minutes = _minutes(bars, calendar)
    votes = minutes.here.sum(1) >= FULL / 2
    extent = np.stack([minutes.here.argmax(1), WIDTH - 1 - minutes.here[:, ::-1].argmax(1)], 1) - BEFORE
    nats = np.zeros((len(SIGNS), len(votes), len(CANDIDATES)))
    if votes.any():
        voting = _Minutes(minutes.range[votes], minutes.volume[votes], minutes.here[votes])
        nats[:, votes] = _signs(voting, extent[votes])
    most = np.array(list(SIGNS.values()))[:, None, None]
    bounded = np.maximum(nats - nats.max(2, keepdims=True), -most)
    steps = np.round(bounded / STEP).astype(np.int8)
    return LabelEvidence(zlib.compress(steps.tobytes(), 1), _clock(minutes, votes))


def _minutes(bars: pl.DataFrame, calendar: pl.DataFrame) -> _Minutes:
    """Rows laid out by session and minute; adjacent sessions are too far apart to share a row."""
    opens = calendar["open_utc"].dt.epoch("us").to_numpy() // 60_000_000
    stamps = bars["ts"].dt.epoch("us").to_numpy() // 60_000_000
    session = np.searchsorted(opens - BEFORE, stamps, side="right") - 1
    column = stamps - opens[session] + BEFORE
    whole = ~calendar["is_half"].to_numpy()
    kept = (session >= 0) & (column < WIDTH) & whole[session]
    shape = (len(opens), WIDTH)
    high, low, volume = (bars[name].to_numpy()[kept] for name in ("high", "low", "volume"))
    at = session[kept], column[kept]
    spread, traded, here = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, bool)
    with np.errstate(all="ignore"):
        spread[at] = np.where((low > 0) & (high >= low) & np.isfinite(high), (high - low) / low, np.nan)
    traded[at] = np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan)
    here[at] = True
    return _Minutes(spread, traded, here)


def _signs(minutes: _Minutes, extent: NDArray[np.int64]) -> Array:
    """Signs x sessions x candidates."""
    all_hours = np.mean(extent[:, 1] - extent[:, 0] >= REGULAR_SPAN) > 0.25
    nats = np.zeros((len(SIGNS), len(extent), len(HOURS), len(SHIFTS)))
    if all_hours:
        nats[3] += _hours(minutes)[:, :, None]
        near = np.unique(nats[3, :, :, 0].argmax(1))
    else:
        nats[0] = _rows(minutes, extent).reshape(nats[0].shape)
        near = np.unique(np.clip(np.round(extent[:, 0] / 60).astype(int) - HOURS[0], 0, len(HOURS) - 1))
    for hour in near:
        fine = np.stack([sign(minutes, 60 * int(HOURS[hour]), all_hours) for sign in (_ranges, _prints, _volume)])
        nats[1:, :, hour] += fine - fine.sum(0).max(1)[None, :, None] / len(fine)
    return nats.reshape(len(SIGNS), len(extent), -1)


def _rows(minutes: _Minutes, extent: NDArray[np.int64]) -> Array:
    """Regular hours only: minutes that lack their row and rows that lie in no minute both cost."""
    first, last = extent[:, :1], extent[:, 1:]
    rows = last - first + 1
    extra = max((e for e in range(1, 5) if 3 * (rows >= FULL + e).sum() >= max((rows >= FULL).sum(), 1)), default=0)
    filled = float(np.median(minutes.here.sum(1) / rows[:, 0]))
    lacking = float(np.clip(-np.log(1.01 - filled), 0.3, 1.5))
    costs = []
    for begin in (CANDIDATES - e for e in range(extra + 1)):
        end = begin + FULL + extra - 1
        costs.append(
            lacking * (np.maximum(first - begin, 0) + np.maximum(end - last, 0))
            + 1.5 * (np.maximum(begin - first, 0) + np.maximum(last - end, 0))
        )
    cost = np.min(costs, axis=0)
    return -np.minimum(cost - cost.min(1, keepdims=True), SESSION_NATS)


def _hours(minutes: _Minutes) -> Array:
    """All hours: trading is busier after the open and before the close than on their other sides."""
    volume = np.nan_to_num(minutes.volume)
    usual = np.partition(volume, -FULL // 2, axis=1)[:, -FULL // 2, None]  # the median of the busiest minutes
    busy = np.minimum(volume / usual, 2)
    level = [
        minutes.at(busy, o + 5, o + 54).mean(1)
        + minutes.at(busy, o + 335, o + 384).mean(1)
        - minutes.at(busy, max(o - 55, -BEFORE), o - 6).mean(1)
        - minutes.at(busy, o + 395, o + 444).mean(1)
        for o in map(int, 60 * HOURS)
    ]
    score = np.stack(level, 1)
    return np.maximum(3 * (score - score.max(1, keepdims=True)), -SESSION_NATS)


def _ranges(minutes: _Minutes, hour: int, all_hours: bool) -> Array:
    """The row before the first minute is narrower than it; in regular hours an extra row is narrower than the last."""
    level = _level(minutes, hour)

    def wider(j: int, probability: Array | float) -> Array:
        """Is minute j wider than the one after it, as it would be with this probability?"""
        one, other = (minutes.at(minutes.range, hour + j + k, hour + j + k)[:, 0] for k in (0, 1))
        return np.where(one > other, np.log(2 * probability), np.where(one < other, np.log(2 - 2 * probability), 0.0))

    found = []
    for d in map(int, SHIFTS):
        calm = minutes.at(minutes.volume, hour + d - 1, hour + d - 1)[:, 0] < 0.5 * level  # before the open, no auction
        nats = wider(d - 1, np.where(level == 0, 0.5, np.where(calm, 0.25, 0.08))) + wider(d, 0.6)
        found.append(nats if all_hours else nats + wider(d + 388, 0.35) + wider(d + 389, 0.65))
    return np.stack(found, 1)


def _prints(minutes: _Minutes, hour: int, all_hours: bool) -> Array:
    """A row without a range lies beside the session; a busy row before it, as wide as those that follow, lies in it."""
    inside = minutes.at(minutes.range, hour + 5, hour + 384)
    flat = float(np.clip((inside == 0).sum() / (~np.isnan(inside)).sum(), 0.01, 0.5))
    level = _level(minutes, hour)

    def alone_at(j: int) -> Array:
        """Log odds that a row without a range is an auction alone; one with a range may still be one."""
        spread, volume = (minutes.at(one, hour + j, hour + j)[:, 0] for one in (minutes.range, minutes.volume))
        busy = volume > 0.5 * level if all_hours else np.True_
        return min(np.log(0.5 / flat), 2.4) / 2 * ((spread == 0) & busy)

    def whole_at(j: int) -> Array:
        spread, volume = (minutes.at(one, hour + j, hour + j)[:, 0] for one in (minutes.range, minutes.volume))
        following = np.nan_to_num(minutes.at(minutes.range, hour + j + 1, hour + j + 5)).mean(1)
        return 1.0 * ((spread > 0.75 * following) & (volume > 0.75 * level))

    found = [
        alone_at(d - 1) + alone_at(d + 390) - alone_at(d) - alone_at(d + 389) - whole_at(d - 1) for d in map(int, SHIFTS)
    ]
    return np.stack(found, 1)


def _median(values: Array) -> Array:
    """Of each session; a minute without a row counts as 0."""
    return np.asarray(np.median(np.nan_to_num(values), axis=1))


def _level(minutes: _Minutes, hour: int) -> Array:
    """Usual volume of a minute after the open."""
    return _median(minutes.at(minutes.volume, hour + 8, hour + 28))


def _volume(minutes: _Minutes, hour: int, all_hours: bool) -> Array:
    """Minutes of trading are busy; before and after them, where all hours come, they are not."""
    found = np.zeros((len(minutes.here), len(SHIFTS)))
    busy = minutes.volume > 0.5 * _level(minutes, hour)[:, None]
    untraded = minutes.volume == 0
    moved_untraded = untraded & (minutes.range > 0) & (minutes.at(untraded, hour + 5, hour + 384).mean() < RARE)
    narrow = minutes.range < _median(minutes.at(minutes.range, hour + 1, hour + 60))[:, None] / 3
    mute = (minutes.here & (narrow | np.isnan(minutes.volume))) | moved_untraded
    if not all_hours:
        mute |= ~minutes.here
    busy_late = minutes.volume > 0.4 * _median(minutes.at(minutes.volume, hour + 360, hour + 382))[:, None]
    opening = _inside(minutes, busy, mute, hour, (3, 30), (-40, -8) if all_hours else None)
    closing = _inside(minutes, busy_late, mute, hour, (350, 380), (398, 405) if all_hours else None)
    after = np.arange(383, 398)
    ended = np.stack(
        [minutes.at(closing, hour + 383, hour + 397) @ (0.5 * np.sign(390 + d - after)) for d in map(int, SHIFTS)], 1
    )
    found += np.maximum(ended - ended.max(1, keepdims=True), -CLOSING_NATS)
    for column, d in enumerate(map(int, SHIFTS)):
        around = minutes.at(opening, hour - 7, hour + 7)
        found[:, column] += around @ np.where(np.arange(-7, 8) >= d, 0.5, -0.5)
        found[:, column] += 1.5 * minutes.at(moved_untraded, hour + d, hour + d)[:, 0]
        if all_hours:
            found[:, column] += _auction(minutes, mute, hour + d)
    return np.maximum(found - found.max(1, keepdims=True), -SESSION_NATS)


def _inside(
    minutes: _Minutes,
    busy: NDArray[np.bool_],
    mute: NDArray[np.bool_],
    hour: int,
    within: tuple[int, int],
    beyond: tuple[int, int] | None,
) -> Array:
    """Log odds of every minute that it lies in the session, by how often minutes in and out of it are busy."""
    def share(of: NDArray[np.bool_], span: tuple[int, int], among: NDArray[np.bool_]) -> float:
        first, last = (BEFORE + hour + minute for minute in span)
        return float((of[:, first : last + 1].sum() + 1) / (among[:, first : last + 1].sum() + 2))

    inside = np.clip(share(busy, within, minutes.here), 0.6, 0.97)
    outside = np.clip(share(busy, beyond, minutes.here), 0.03, 0.6) if beyond else 0.6
    odds = np.where(busy, np.log(inside / outside), np.log((1 - inside) / (1 - outside)))
    if beyond:
        lost = [share(~minutes.here, span, np.ones_like(busy)) for span in (within, beyond)]
        odds = np.where(minutes.here, odds, np.clip(np.log(lost[0] / lost[1]), -1, 0))
    return np.where(mute, 0.0, odds)


def _auction(minutes: _Minutes, mute: NDArray[np.bool_], j: int) -> Array:
    """The first minute holds the auction: it is clearly busier than the second."""
    first, second = (minutes.at(minutes.volume, k, k)[:, 0] for k in (j, j + 1))
    quiet = mute[:, BEFORE + j] | mute[:, BEFORE + j + 1] | ~(second > 0)
    with np.errstate(all="ignore"):
        return np.where(quiet, 0.0, np.where(first > 1.5 * second, np.log(0.7 / 0.25), np.log(0.3 / 0.75)))


def _clock(minutes: _Minutes, votes: NDArray[np.bool_]) -> Array:
    """Volume steps up on the round minute, by 0.7 standard errors a session at least where it does at all."""
    if not votes.any():
        return np.zeros(5)
    with np.errstate(all="ignore"):
        volume = np.log(np.where(minutes.volume > 0, minutes.volume, np.nan)[votes])
    step = np.clip(np.diff(volume, axis=1), -2, 2)[:, BEFORE + 5 : BEFORE + 385]  # into minutes 6 to 385
    t = [_t(step[:, (p - 6) % 5 :: 5]) for p in range(5)]
    return np.array([(0.7 * one - 0.245).sum() for one in t])


def _t(steps: Array) -> Array:
    known = ~np.isnan(steps)
    n = known.sum(1)
    with np.errstate(all="ignore"):
        mean = np.where(known, steps, 0).sum(1) / n
        deviation = np.sqrt((np.where(known, steps - mean[:, None], 0) ** 2).sum(1) / (n - 1))
        return np.where((n > 20) & (deviation > 0), mean / deviation * np.sqrt(n), 0.0)
