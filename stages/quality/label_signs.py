"""Signs of the label: which minute a stamp names, in nats; sessions x candidates, in minutes from the open.

- `by_rows`: the first and the last row of a file of regular hours; an auction row at either end makes two candidates
  equal
- `by_ranges`: a minute of trading has a wide range; the row before the first minute (an auction, or the minute before
  the open) does not
- `by_prints`: a row without any range is an auction, whatever its volume; a busy row with a range is a minute
- `by_volume`: the minute in which trading becomes busy, and the one in which it ends; `by_hours` by whole hours
- `by_clock`: orders are sent on round minutes, so minutes at :00, :05 and so on have more trades

Values are log likelihood ratios up to a constant of the session; a missing row gives 0.

*Time*: a session is judged by its own bars; what is usual (how thin, how often a bar has no range) comes from the span.
*Source*: odds near those of real feeds with known labels. The row before the first minute is wider than it in 0 to 7 %
of sessions, the first minute wider than the second in 53 to 78 %; an extra row is wider than the last minute in about a
third of them. Volume alone misleads: the auction row has more than the first minute.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Marks = NDArray[np.bool_]
Matrix = TypeVar("Matrix", Array, Marks)

HOURS, SHIFTS = np.arange(-6, 7), np.arange(-5, 7)  # five minutes early under start labels, late under end labels
CANDIDATES = (60 * HOURS[:, None] + SHIFTS).ravel()
SESSION_NATS = 3.0
CLOSING_NATS = 1.0  # of the volume after the close, which falls slowly in some symbols
FULL, BEFORE, WIDTH = 390, 410, 1206  # minutes: of a full session, kept before its open, kept in all
AROUND = (-45, 435)  # minutes from the open that signs of one hour look at
ROUNDING = 1e-12  # of steps that are all the same
RARE = 0.05  # largest share of bars that moved without volume at which such a bar marks the first candle


@dataclass(frozen=True)
class Minutes:
    """Sessions x minutes, from `before` minutes before the open on; NaN where there is no row."""

    range: Array
    volume: Array
    here: Marks
    all_hours: bool = False
    before: int = BEFORE

    def at(self, matrix: Matrix, first: int, last: int) -> Matrix:
        """Minutes `first` to `last` from the open, both included."""
        return matrix[:, max(self.before + first, 0) : self.before + last + 1]

    def row(self, matrix: Matrix, minute: int) -> Matrix:
        """One minute of every session."""
        return matrix[:, self.before + minute]

    def level(self) -> Array:
        """Usual volume of a minute after the open."""
        return median(self.at(self.volume, 8, 28))

    def moved(self, hours: int) -> "Minutes":
        """The minutes around a session that begins this many hours later."""
        first, last = (60 * hours + minute for minute in AROUND)
        spread, volume = self.at(self.range, first, last), self.at(self.volume, first, last)
        return Minutes(spread, volume, self.at(self.here, first, last), self.all_hours, -AROUND[0])


def median(values: Array) -> Array:
    """Median of each session; a minute without a row counts as 0."""
    return np.asarray(np.median(np.nan_to_num(values), axis=1), float)


def best_at_zero(nats: Array, most: float = SESSION_NATS) -> Array:
    """Nats with the best candidate of each session at 0, and no other below `-most`."""
    return np.asarray(np.maximum(nats - nats.max(1, keepdims=True), -most), float)


def by_rows(minutes: Minutes, extent: NDArray[np.int64]) -> Array:
    """Minutes without a row cost nats, and so do rows outside all minutes; `extent` is the first and last row."""
    first, last = extent[:, :1], extent[:, 1:]
    rows = last - first + 1
    reached = [int((rows >= FULL + e).sum()) for e in range(6)]
    extra = max((e for e in range(1, 5) if 3 * reached[e] >= reached[0] and reached[e] > 1), default=0)
    doubt = min(3 * reached[extra + 1] / reached[extra], 1.0) if reached[extra + 1] > 1 else 0.0
    lacking = float(np.clip(-np.log(1.01 - np.median(minutes.here.sum(1) / rows[:, 0])), 0.3, 1.5))

    def cost(extra: int) -> Array:
        costs = []
        for begin in (CANDIDATES - e for e in range(extra + 1)):
            end = begin + FULL + extra - 1
            lost = np.maximum(first - begin, 0) + np.maximum(end - last, 0)
            beyond = np.maximum(begin - first, 0) + np.maximum(last - end, 0)
            costs.append(lacking * lost + 1.5 * beyond)
        return np.asarray(np.min(costs, axis=0), float)

    return (1 - doubt) * best_at_zero(-cost(extra)) + doubt * best_at_zero(-cost(extra + 1))


def by_hours(minutes: Minutes) -> Array:
    """Sessions x hours: trading is busier after the open and before the close than outside the session."""
    volume = np.nan_to_num(minutes.volume)
    usual = np.partition(volume, -FULL // 2, axis=1)[:, -FULL // 2, None]  # the median of the busiest minutes
    busy = np.minimum(volume / usual, 2)
    level = [
        minutes.at(busy, o + 5, o + 54).mean(1)
        + minutes.at(busy, o + 335, o + 384).mean(1)
        - minutes.at(busy, o - 55, o - 6).mean(1)
        - minutes.at(busy, o + 395, o + 444).mean(1)
        for o in map(int, 60 * HOURS)
    ]
    return best_at_zero(3 * np.nan_to_num(np.stack(level, 1)))


def by_ranges(minutes: Minutes) -> Array:
    """Sessions x shifts: the ranges of the rows beside the first and the last minute."""
    level = minutes.level()

    def wider(j: int, probability: Array | float) -> Array:
        """Log odds from whether minute j is wider than the next one, which has this probability."""
        one, other = minutes.row(minutes.range, j), minutes.row(minutes.range, j + 1)
        odds = np.where(one > other, np.log(2 * probability), np.where(one < other, np.log(2 - 2 * probability), 0.0))
        return np.asarray(odds, float)

    found = []
    for d in map(int, SHIFTS):
        calm = minutes.row(minutes.volume, d - 1) < 0.5 * level  # the minute before the open, no auction
        nats = wider(d - 1, np.where(level == 0, 0.5, np.where(calm, 0.25, 0.08))) + wider(d, 0.6)
        found.append(nats if minutes.all_hours else nats + wider(d + 388, 0.35) + wider(d + 389, 0.65))
    return np.stack(found, 1)


def by_prints(minutes: Minutes) -> Array:
    """Sessions x shifts: an auction row is outside the session, a busy row with a range inside."""
    inside = minutes.at(minutes.range, 5, 384)
    flat = float(np.clip((inside == 0).sum() / max((~np.isnan(inside)).sum(), 1), 0.01, 0.5))
    level = minutes.level()

    def alone(j: int) -> Array:
        """Log odds that a row without a range is an auction; one with a range may still be one."""
        busy = minutes.row(minutes.volume, j) > 0.5 * level
        here = (minutes.row(minutes.range, j) == 0) & (busy | (not minutes.all_hours))
        return np.asarray(here, float) * min(float(np.log(0.5 / flat)), 2.4) / 2

    def whole(j: int) -> Array:
        """Log odds against an auction for a row that is as wide and busy as those after it."""
        following = np.nan_to_num(minutes.at(minutes.range, j + 1, j + 5)).mean(1)
        wide = minutes.row(minutes.range, j) > 0.6 * following
        return 1.25 * np.asarray(wide & (minutes.row(minutes.volume, j) > 0.75 * level), float)

    found = [alone(d - 1) + alone(d + 390) - alone(d) - alone(d + 389) - whole(d - 1) for d in map(int, SHIFTS)]
    return np.stack(found, 1)


def by_volume(minutes: Minutes) -> Array:
    """Sessions x shifts: minutes of trading are busy; those before and after, if delivered, are not."""
    level, late = minutes.level(), median(minutes.at(minutes.volume, 360, 382))
    untraded = minutes.volume == 0
    moved_untraded = untraded & (minutes.range > 0) & (minutes.at(untraded, 5, 384).mean() < RARE)
    narrow = minutes.range < median(minutes.at(minutes.range, 1, 60))[:, None] / 3
    mute = (minutes.here & (narrow | np.isnan(minutes.volume))) | moved_untraded
    mute |= ~minutes.here & (not minutes.all_hours)
    opening = _inside(minutes, minutes.volume > 0.5 * level[:, None], (3, 30), (-40, -8))
    closing = _inside(minutes, minutes.volume > 0.4 * late[:, None], (350, 380), (398, 405))
    around = minutes.at(np.where(mute, 0.0, closing), 383, 397)
    after = np.arange(383, 398)  # the row of the closing print may lie in the session or beside it
    found = best_at_zero(np.stack([around @ np.sign(390 + d - after) / 2 for d in SHIFTS], 1), CLOSING_NATS)
    around = minutes.at(np.where(mute, 0.0, opening), -7, 7)
    for column, d in enumerate(map(int, SHIFTS)):
        found[:, column] += around @ np.where(np.arange(-7, 8) >= d, 0.5, -0.5)
        found[:, column] += 1.5 * minutes.row(moved_untraded, d)  # some vendors' first candle
        if minutes.all_hours:
            found[:, column] += _auction(minutes, mute, d)
    return best_at_zero(found)


def _inside(minutes: Minutes, busy: Marks, within: tuple[int, int], beyond: tuple[int, int]) -> Array:
    """Log odds of every minute to be in the session, from how often minutes inside and outside are busy."""

    def share(of: Marks, span: tuple[int, int], among: Marks) -> float:
        return float((minutes.at(of, *span).sum() + 1) / (minutes.at(among, *span).sum() + 2))

    inside = np.clip(share(busy, within, minutes.here), 0.6, 0.97)
    outside = np.clip(share(busy, beyond, minutes.here), 0.03, 0.6) if minutes.all_hours else 0.6
    odds = np.where(busy, np.log(inside / outside), np.log((1 - inside) / (1 - outside)))
    if minutes.all_hours:
        lost = [share(~minutes.here, span, np.ones_like(busy)) for span in (within, beyond)]
        odds = np.where(minutes.here, odds, np.clip(np.log(lost[0] / lost[1]), -0.5, 0))
    return np.asarray(odds, float)


def _auction(minutes: Minutes, mute: Marks, j: int) -> Array:
    """Log odds that minute j is the first, which holds the auction and is clearly busier than the second."""
    first, second = minutes.row(minutes.volume, j), minutes.row(minutes.volume, j + 1)
    known = ~(minutes.row(mute, j) | minutes.row(mute, j + 1)) & (second > 0)
    return np.where(known, np.where(first > 1.5 * second, np.log(0.7 / 0.25), np.log(0.3 / 0.75)), 0.0)


def by_clock(minutes: Minutes) -> Array:
    """By the stamp's minute modulo five: log likelihood ratio of a volume step there against none.

    The step is taken as 0.7 standard errors a session; real feeds show 0.7 to 1.2.
    """
    volume = minutes.at(minutes.volume, 5, 385)
    into = np.clip(np.diff(np.log(np.where(volume > 0, volume, np.nan)), axis=1), -2, 2)  # minutes 6 to 385
    return np.array([(0.7 * _t(into[:, (p - 6) % 5 :: 5]) - 0.7**2 / 2).sum() for p in range(5)])


def _t(steps: Array) -> Array:
    known = ~np.isnan(steps)
    n = known.sum(1)
    mean = np.where(known, steps, 0).sum(1) / n
    deviation = np.sqrt((np.where(known, steps - mean[:, None], 0) ** 2).sum(1) / (n - 1))
    return np.where((n > 20) & (deviation > ROUNDING), mean / deviation * np.sqrt(n), 0.0)
