"""Price levels: each bar is compared with the last believed price, and unsound levels are voided.

A bar is unsound if its open or close is further from the believed price than the symbol's own past allows. It is void,
and so is every later bar until the price returns. A session's first bar may be further away if
`quality.corporate_actions` lists the move, if the other symbols moved too (or both), or if the move fits a split plus a
normal overnight move. A session with more void bars in a row than may be missing fails. Its last close is believed from
the next session on, unless it is beyond `quality.jump_ceiling_ratio`: then later sessions fail too.

*Tables*: `bars` is the complete grid in order, with `sound`: delivered, and not removed by another check.
*Time*: a verdict on a bar uses bars up to it and other symbols in its minute; usual moves come from earlier sessions.
*Units*: moves are log returns.
*Source*: the ratio of a split by continued fractions (`fractions.Fraction.limit_denominator`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import exp, log, sqrt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.quality.clean import NORMAL_CONSISTENCY, ROUNDING, past_deviation
from stages.quality.shared_moves import NOBODY, Others, Place
from stages.sessions.rolling import Floats

MARKET_NIGHT_CAP = log(1.25)  # if a whole market moves further overnight, the feed's unit changed
SMALL_SPLITS = tuple(Fraction(*pair) for pair in ((3, 2), (5, 2), (4, 3), (5, 3), (5, 4)))


@dataclass
class Levels:
    """The result of the scan."""

    unsound: NDArray[np.bool_]  # by grid row
    runs: dict[int, int] = field(default_factory=dict)  # number of a session -> longest run of unsound bars
    found: list[dict[str, Any]] = field(default_factory=list)  # `session, minute, kind, factor, split`
    suspects: list[Place] = field(default_factory=list)  # large moves, which other symbols may excuse
    listed: list[int] = field(default_factory=list)  # grid rows of listed moves within a session

    def by_session(self, calendar: pl.DataFrame) -> pl.DataFrame:
        """`session, PX4, level_run`: whether a split was found, and the longest run of unsound bars."""
        splits = {one["session"] for one in self.found if one["kind"] == "split"}
        return calendar.select("session").with_columns(
            PX4=pl.col("session").cast(pl.String).is_in(splits),
            level_run=pl.Series([self.runs.get(number, 0) for number in range(calendar.height)], dtype=pl.Int64),
        )


def likely_split(factor: float, tolerance: float, most: int) -> str | None:
    """`4:1` for a price that fell to a quarter, `1:4` for one that rose fourfold; None if no usual ratio is near.

    Above 10:1 several ratios are near, and a multiple of ten, or else of five, is likelier than the nearest.
    """
    size = max(factor, 1 / factor)
    if size > 2 * most:
        return None
    whole = [n for n in range(2, most + 1) if abs(log(n / size)) <= tolerance]
    whole.sort(key=lambda n: (n > 10 and n % 10 > 0, n > 10 and n % 5 > 0, abs(log(n / size))))
    small = [near for d in (2, 3, 4) if (near := Fraction(size).limit_denominator(d)) in SMALL_SPLITS]
    fits: list[int | Fraction] = [*whole, *(near for near in small if abs(log(near / size)) <= tolerance)]
    if not fits:
        return None
    pair = (fits[0].numerator, fits[0].denominator)
    return "{}:{}".format(*(pair if factor < 1 else reversed(pair)))


def judge_levels(
    bars: pl.DataFrame, actions: Mapping[date, float], quality: QualityParams, others: Others = NOBODY
) -> Levels:
    """Every sound bar against the last believed price; `actions` has the listed factor of each session."""
    if not _some_jump(bars, quality):
        return Levels(np.zeros(bars.height, np.bool_))
    scan = _Scan(bars, actions, quality, others)
    scan.run()
    return scan.levels


def _some_jump(bars: pl.DataFrame, quality: QualityParams) -> bool:
    """Whether any bar moved more than the smaller floor; most feeds have none and need no scan."""
    rows = np.flatnonzero(bars["sound"].to_numpy())
    opening, close = (bars[name].to_numpy()[rows] for name in ("open", "close"))
    floor = 1 + min(quality.jump_floor_share, quality.night_floor_share)
    before, least = close[:-1], min(floor, quality.jump_ceiling_ratio)
    up = np.maximum(opening, close)[1:] > before * least
    return bool((up | (np.minimum(opening, close)[1:] * least < before)).any())


class _Scan:
    """A scan over the sound bars of one symbol in order, with the price that is believed so far."""

    def __init__(
        self, bars: pl.DataFrame, actions: Mapping[date, float], quality: QualityParams, others: Others
    ) -> None:
        self.quality, self.actions, self.others = quality, actions, others
        self.levels = Levels(np.zeros(bars.height, np.bool_))
        self.rows = np.flatnonzero(bars["sound"].to_numpy())
        real = bars.select("open", "close", "m")[self.rows]
        self.opens, self.closes = (real[name].log().to_numpy() for name in ("open", "close"))
        self.minutes = real["m"].to_numpy()
        self.sessions = bars["session"].unique(maintain_order=True).to_list()
        self.day = bars["session"].rle_id().to_numpy()[self.rows]
        self.first = np.append(True, np.diff(self.day) > 0)[: len(self.rows)]
        self.openings = np.flatnonzero(self.first)
        before = np.append(np.nan, self.closes)[:-1] if len(self.rows) else self.closes
        self.step = np.fmax(np.abs(self.opens - before), np.abs(self.closes - before))
        self.ceiling = log(quality.jump_ceiling_ratio) + ROUNDING
        floors = np.where(self.first, log(1 + quality.night_floor_share), log(1 + quality.jump_floor_share))
        self.candidates = np.flatnonzero(self.step > np.minimum(floors + ROUNDING, self.ceiling))
        self.usual: Floats | None = None
        self.scales: dict[int, float] = {}  # by number of a session
        self.believed = 0  # number of believed bars

    def run(self) -> None:
        """Scan from candidate to candidate; between them each bar is near the one before it."""
        at = 0
        while (position := int(np.searchsorted(self.candidates, at))) < len(self.candidates):
            at = int(self.candidates[position])
            self.believed = max(self.believed, at)
            price, priced = self.closes[at - 1], int(self.day[at - 1])
            if self.step[at] > self.limit(at, price) and not self.excused(at, price, priced):
                at = self.void_until_return(at, price)
            at += 1

    def limit(self, at: int, price: float, ended: int | None = None) -> float:
        """The largest allowed distance from the believed price; overnight until a bar of the session is believed."""
        quality = self.quality
        over_night = self.first[at] if ended is None else ended < self.day[at]
        if over_night:
            nights = self.day[at] - (self.day[at - 1] if ended is None else ended)
            own = quality.night_mads * self.night_scale(at) * sqrt(nights)
            return min(max(own, log(1 + quality.night_floor_share)) + ROUNDING, self.ceiling)
        ticks = log(1 + 2 * quality.tick_size / exp(price))
        usual = self._usual()[self.day[at], self.minutes[at] // quality.outlier_bucket_min]
        own = float(np.fmax(quality.jump_mads * usual, max(ticks, log(1 + quality.jump_floor_share))))
        return min(own + ROUNDING, self.ceiling)

    def night_scale(self, at: int) -> float:
        """The usual overnight move before this session, or the daily one if larger, since a few nights show little.

        A move beyond the ceiling is a split or a fault, not a night.
        """
        day = int(self.day[at])
        if day not in self.scales:
            self.scales[day] = self._night_scale(day)
        return self.scales[day]

    def _night_scale(self, day: int) -> float:
        number = int(np.searchsorted(self.day[self.openings], day))
        opened = self.openings[max(0, number - self.quality.night_past_sessions - 1) : number]
        ended = self.closes[np.append(opened[1:], self.openings[number : number + 1]) - 1]
        days, nights = ended - self.opens[opened], self.opens[opened[1:]] - ended[:-1]
        usual = (_deviation(moves[np.abs(moves) <= self.ceiling]) for moves in (days, nights))
        return float(max(*usual, self.quality.night_scale_floor_share))

    def excused(self, at: int, price: float, priced: int) -> bool:
        """Whether the move from a price of session `priced` is listed, the market's or a split; adds the finding."""
        move, day = self.opens[at] - price, int(self.day[at])
        limit = self.limit(at, price)
        if (listed := self._listed(priced, day)) and self._near(at, price + listed, limit):
            self._add_finding(at, "listed", price)
            self.levels.listed += [] if self.first[at] else [int(self.rows[at])]
            return True
        direction = 1 if self.closes[at] > price else -1
        if not self.first[at]:
            self.levels.suspects.append((int(self.rows[at]), direction))
            return self.step[at] <= self.ceiling and (int(self.rows[at]), direction) in self.others.moves
        self.levels.suspects.append((int(self.rows[at]), 0))
        market = self._market(day)
        if listed and self._near(at, price + listed + market, limit):
            self._add_finding(at, "listed", price)
            return True
        if self._near(at, price + market, limit) and self._near(at, price, self.ceiling):
            return True
        tolerance = self.quality.split_tolerance_nights * self.night_scale(at)
        split = likely_split(exp(move - market), tolerance, self.quality.split_max_ratio)
        moved = abs(self.closes[at] - self.opens[at])
        if split is None or moved > log(1 + self.quality.jump_floor_share) + ROUNDING:
            return False
        self._add_finding(at, "split", price, split)
        return True

    def void_until_return(self, at: int, price: float) -> int:
        """Void all bars from this one until the price returns; the next believed bar, or the number of bars."""
        start, ended = at, int(self.day[at - 1])
        priced = ended
        self._add_finding(at, "jump", price)
        while at < len(self.rows):
            end = int(np.searchsorted(self.day, self.day[at], "right"))
            levels = [price]
            if listed := self._listed(priced, int(self.day[at])):
                levels.append(price + listed)
            found = next((i for i in self._within(at, end, levels, ended)), None)
            if found is not None:
                self._void(start, found)
                return found
            self._void(start, end)
            anchored = self.believed > end - start  # the very first bars may have been the wrong ones
            if not anchored or abs(self.closes[end - 1] - price) < self.ceiling:
                price, self.believed, priced = self.closes[end - 1], max(self.believed, end), int(self.day[end - 1])
            if end < len(self.rows) and self._opens_at(end, price, priced, ended := int(self.day[end - 1])):
                return end
            if end < len(self.rows):
                self._add_finding(end, "jump", price)
            start = at = end
        return at

    def _void(self, start: int, end: int) -> None:
        self.levels.unsound[self.rows[start:end]] = True
        day = int(self.day[start])
        self.levels.runs[day] = max(self.levels.runs.get(day, 0), end - start)

    def _within(self, at: int, end: int, levels: list[float], ended: int) -> Iterator[int]:
        """Bars of the rest of the session that are near one of these prices."""
        rest = slice(at, end)
        away = np.min(
            [np.fmax(np.abs(self.opens[rest] - one), np.abs(self.closes[rest] - one)) for one in levels], axis=0
        )
        for one in np.flatnonzero(away <= self.ceiling):
            if away[one] <= self.limit(at + int(one), levels[0], ended):
                yield at + int(one)

    def _opens_at(self, at: int, price: float, priced: int, ended: int) -> bool:
        return self._near(at, price, self.limit(at, price, ended)) or self.excused(at, price, priced)

    def _listed(self, priced: int, day: int) -> float:
        """The sum of the moves listed after session `priced` up to `day`; within one session, that of the session."""
        since, until = self.sessions[priced], self.sessions[day]
        return sum(log(factor) for on, factor in self.actions.items() if since < on <= until or since == on == until)

    def _near(self, at: int, price: float, limit: float) -> bool:
        return bool(max(abs(self.opens[at] - price), abs(self.closes[at] - price)) <= limit)

    def _market(self, day: int) -> float:
        """The others' median overnight move, if they had one."""
        nights = self.others.nights
        move = nights[day] if day < len(nights) else 0.0
        return float(np.clip(move, -MARKET_NIGHT_CAP, MARKET_NIGHT_CAP))

    def _usual(self) -> Floats:
        if self.usual is None:
            inside = np.where(self.first, np.nan, self.closes - np.append(np.nan, self.closes)[:-1])
            every = np.ones(len(self.sessions), np.bool_)
            deviation = past_deviation(inside, self.day, self.minutes, every, self.quality)
            self.usual = NORMAL_CONSISTENCY * deviation
        return self.usual

    def _add_finding(self, at: int, kind: str, price: float, split: str | None = None) -> None:
        move = self.opens[at] if abs(self.opens[at] - price) > abs(self.closes[at] - price) else self.closes[at]
        finding = {"session": str(self.sessions[int(self.day[at])]), "minute": int(self.minutes[at]), "kind": kind}
        self.levels.found.append(finding | {"factor": float(f"{exp(min(move - price, 700)):.6g}"), "split": split})


def _deviation(moves: Floats) -> float:
    """The median absolute deviation, as a standard deviation of normal moves; 0 without any."""
    return NORMAL_CONSISTENCY * float(np.median(np.abs(moves - np.median(moves)))) if len(moves) else 0.0
