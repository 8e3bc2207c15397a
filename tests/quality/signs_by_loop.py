"""The signs of the label once more, session by session and minute by minute, without arrays.

A `Session` says of each minute from the open its `(range, volume)`; either may be unknown (None), and a minute that is
not listed has no row. Every sign returns the nats of each session at each shift.
"""

from collections.abc import Callable, Iterable, Sequence
from math import log
from statistics import median

from scipy.stats import ttest_1samp

Session = dict[int, tuple[float | None, float | None]]
Row = list[float]
SHIFTS = range(-5, 7)
HOURS = range(-6, 7)
NOTHING = (None, None)


def rows(extents: Sequence[tuple[int, int]], lost: Sequence[int]) -> list[Row]:
    """By the first and the last row of each session, of which so many are `lost` between.

    A file may have 1 to 4 rows more than a session has minutes, if a third of its sessions that are whole have them.
    """
    many = [last - first + 1 for first, last in extents]
    reached = [sum(n >= 390 + e for n in many) for e in range(6)]
    extra = max((e for e in range(1, 5) if reached[e] >= 2 and 3 * reached[e] >= reached[0]), default=0)
    more = reached[extra + 1]
    doubt = min(3 * more / reached[extra], 1.0) if more >= 2 else 0.0
    missing = 1.01 - median((n - gone) / n for n, gone in zip(many, lost, strict=True))
    price = min(max(-log(missing), 0.3), 1.5)

    def cost(session: tuple[int, int], begin: int, length: int) -> float:
        first, last, end = *session, begin + length - 1
        without = max(first - begin, 0) + max(end - last, 0)
        beyond = max(begin - first, 0) + max(last - end, 0)
        return price * without + 1.5 * beyond

    def nats(session: tuple[int, int], extra: int) -> Row:
        candidates = [60 * hour + shift for hour in HOURS for shift in SHIFTS]
        return best_at_zero(-min(cost(session, c - e, 390 + extra) for e in range(extra + 1)) for c in candidates)

    pairs = [zip(nats(session, extra), nats(session, extra + 1), strict=True) for session in extents]
    return [[(1 - doubt) * one + doubt * other for one, other in pair] for pair in pairs]


def ranges(sessions: Sequence[Session], all_hours: bool) -> list[Row]:
    """The minute beside the first or the last one is wider or narrower than it."""

    def wider(session: Session, j: int, probability: float) -> float:
        one, other = _range(session, j), _range(session, j + 1)
        if one is None or other is None or one == other:
            return 0.0
        return log(2 * probability) if one > other else log(2 - 2 * probability)

    def nats(session: Session, d: int) -> float:
        level, before = _level(session), _volume(session, d - 1)
        calm = before is not None and before < 0.5 * level
        found = wider(session, d - 1, 0.5 if level == 0 else 0.25 if calm else 0.08) + wider(session, d, 0.6)
        return found if all_hours else found + wider(session, d + 388, 0.35) + wider(session, d + 389, 0.65)

    return [[nats(session, d) for d in SHIFTS] for session in sessions]


def prints(sessions: Sequence[Session], all_hours: bool) -> list[Row]:
    """A row without a range is an auction, one as wide and busy as those that follow is a minute."""
    inside = [_range(session, j) for session in sessions for j in range(5, 385)]
    known = [one for one in inside if one is not None]
    flat = min(max(sum(one == 0 for one in known) / max(len(known), 1), 0.01), 0.5)

    def alone(session: Session, j: int) -> float:
        here = _range(session, j) == 0 and (not all_hours or (_volume(session, j) or 0) > 0.5 * _level(session))
        return min(log(0.5 / flat), 2.4) / 2 if here else 0.0

    def whole(session: Session, j: int) -> float:
        following = sum(_range(session, j + k) or 0 for k in range(1, 6)) / 5
        wide = (_range(session, j) or 0) > 0.6 * following
        return 1.25 if wide and (_volume(session, j) or 0) > 0.75 * _level(session) else 0.0

    def nats(session: Session, d: int) -> float:
        auctions = alone(session, d - 1) + alone(session, d + 390) - alone(session, d) - alone(session, d + 389)
        return auctions - whole(session, d - 1)

    return [[nats(session, d) for d in SHIFTS] for session in sessions]


def volumes(sessions: Sequence[Session], all_hours: bool) -> list[Row]:
    """Minutes of trading are busy; those before and after, if delivered, are not."""
    untraded = sum(_volume(session, j) == 0 for session in sessions for j in range(5, 385)) / (380 * len(sessions))

    def moved(session: Session, j: int) -> bool:
        return untraded < 0.05 and _volume(session, j) == 0 and (_range(session, j) or 0) > 0

    def mute(session: Session, j: int) -> bool:
        if j not in session:
            return not all_hours
        spread, usual = _range(session, j), median((_range(session, k) or 0) for k in range(1, 61))
        narrow = spread is not None and spread < usual / 3
        return narrow or _volume(session, j) is None or moved(session, j)

    opening = _odds(sessions, all_hours, lambda one: 0.5 * _level(one), range(3, 31), range(-40, -7))
    closing = _odds(sessions, all_hours, lambda one: 0.4 * _usual(one, 360, 382), range(350, 381), range(398, 406))

    def at_close(number: int, session: Session, d: int) -> float:
        signed = ((390 + d > j) - (390 + d < j) for j in range(383, 398))
        return sum(
            sign * closing(number, j) / 2
            for sign, j in zip(signed, range(383, 398), strict=True)
            if not mute(session, j)
        )

    def at_open(number: int, session: Session, d: int) -> float:
        found = sum((0.5 if j >= d else -0.5) * opening(number, j) for j in range(-7, 8) if not mute(session, j))
        found += 1.5 * moved(session, d)
        first, second = _volume(session, d) or 0, _volume(session, d + 1) or 0
        if all_hours and second > 0 and not mute(session, d) and not mute(session, d + 1):
            found += log(0.7 / 0.25) if first > 1.5 * second else log(0.3 / 0.75)
        return found

    rows = []
    for number, session in enumerate(sessions):
        closes = best_at_zero((at_close(number, session, d) for d in SHIFTS), 1.0)
        rows.append(best_at_zero(at_open(number, session, d) + c for d, c in zip(SHIFTS, closes, strict=True)))
    return rows


def _odds(
    sessions: Sequence[Session], all_hours: bool, least: Callable[[Session], float], within: range, beyond: range
) -> Callable[[int, int], float]:
    """Log odds that a minute is in the session, where one is busy with more volume than `least`."""
    levels = [least(session) for session in sessions]

    def busy(number: int, j: int) -> bool:
        volume = _volume(sessions[number], j)
        return volume is not None and volume > levels[number]

    def share(span: range) -> float:
        rows = [(number, j) for number, session in enumerate(sessions) for j in span if j in session]
        return (sum(busy(*row) for row in rows) + 1) / (len(rows) + 2)

    def lost(span: range) -> float:
        missing = sum(j not in session for session in sessions for j in span)
        return (missing + 1) / (len(sessions) * len(span) + 2)

    inside = min(max(share(within), 0.6), 0.97)
    outside = min(max(share(beyond), 0.03), 0.6) if all_hours else 0.6
    gap = min(max(log(lost(within) / lost(beyond)), -0.5), 0.0)

    def odds(number: int, j: int) -> float:
        if all_hours and j not in sessions[number]:
            return gap
        return log(inside / outside) if busy(number, j) else log((1 - inside) / (1 - outside))

    return odds


def hours(sessions: Sequence[Session], kept: range) -> list[Row]:
    """By whole hours: busier after the open and before the close than outside; only `kept` minutes count."""

    def nats(session: Session) -> Row:
        volume = {j: _volume(session, j) or 0.0 for j in kept}
        usual = sorted(volume.values())[-195]

        def mean(first: int, last: int) -> float:
            among = [min(volume[j] / usual, 2.0) for j in range(first, last + 1) if j in volume]
            return sum(among) / len(among)

        if usual == 0:
            return [0.0] * len(HOURS)
        starts = [60 * hour for hour in HOURS]
        return best_at_zero(
            3 * (mean(o + 5, o + 54) + mean(o + 335, o + 384) - mean(o - 55, o - 6) - mean(o + 395, o + 444))
            for o in starts
        )

    return [nats(session) for session in sessions]


def clock(sessions: Sequence[Session]) -> Row:
    """By the stamp's minute modulo five: a step of 0.7 standard errors a session against none."""
    found = [0.0] * 5
    for session in sessions:
        traded = {j: _volume(session, j) or 0.0 for j in range(5, 386)}
        steps = {j: log(traded[j] / traded[j - 1]) for j in range(6, 386) if traded[j] > 0 and traded[j - 1] > 0}
        for p in range(5):
            some = [min(max(step, -2.0), 2.0) for j, step in steps.items() if j % 5 == p]
            t = float(ttest_1samp(some, 0.0).statistic) if len(some) > 20 and len(set(some)) > 1 else 0.0
            found[p] += 0.7 * t - 0.245
    return found


def best_at_zero(nats: Iterable[float], most: float = 3.0) -> Row:
    """Below the best candidate, and not by more than `most`."""
    values = list(nats)
    return [max(value - max(values), -most) for value in values]


def _range(session: Session, j: int) -> float | None:
    return session.get(j, NOTHING)[0]


def _volume(session: Session, j: int) -> float | None:
    return session.get(j, NOTHING)[1]


def _usual(session: Session, first: int, last: int) -> float:
    return median((_volume(session, j) or 0.0) for j in range(first, last + 1))


def _level(session: Session) -> float:
    return _usual(session, 8, 28)
