"""The label reading: which minute a stamp names, and whether the clock is right, from the bars of all symbols.

Start labels read as end labels are the worst fault: every decision sees a minute of the future. Stamps that are k
minutes early show k minutes of it; a wrong zone shows hours. End labels read as start labels make every bar known a
minute late, and orders fill at old prices. So the bars must agree with `source.bar_label`.

The nats of all symbols are added, with at most `SESSION_NATS` a session. Winter and summer time are judged separately,
since a clock that ignores daylight saving is right in one of them. Within each, the span is split where another
candidate explains the rest by `SWITCH_NATS` better: one odd session makes no split, three at the end of a span do.

*Time*: evidence of the whole span only decides whether the run stops; no value depends on it.
*Errors*: none; a reading has a confidence, and `label_messages` explains what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.quality.label_evidence import SIGNS, LabelEvidence, label_evidence
from stages.quality.label_signs import CANDIDATES, Array, best_at_zero

MIN_CONFIDENCE = 0.99
SWITCH_NATS = 8.0
ALONE_NATS = {"ranges": 4.0, "prints": 6.0}  # signs that depend on one or two rows never decide alone
CONTEST_NATS = 6.0
CLOCK_NATS, CLOCK_PRIOR = 4.0, 0.05  # a five-minute rhythm never decides alone
BEST_CONFIDENCE = 0.999  # the most that is claimed, since the signs of a session are not independent
OPEN_MIN = 570  # 09:30
TELLING = 0.1  # nats: no more than that does not count
SUMMER_OPEN_UTC, SUMMER_HOURS, WINTER_HOURS = 13, -4, -5


@dataclass(frozen=True)
class Stretch:
    """Consecutive sessions whose first minute is stamped `offset_min` minutes after the open."""

    first: date
    last: date
    sessions: int
    offset_min: int
    utc_hours: int  # New York's, in these sessions

    @property
    def hours(self) -> int:
        """By how much the clock is ahead of the assumed one."""
        return round(self.offset_min / 60)

    @property
    def minute(self) -> int:
        """Offset of the first stamp on a correct clock: 0 start labels, 1 end labels; else stamps are early or late."""
        return self.offset_min - 60 * self.hours


@dataclass(frozen=True)
class LabelReading:
    """The reading of a source: stretches in order of time, and their confidence.

    `label`, `shift_min` and `zone_hours` describe most sessions: the bars have this label, their stamps are `shift_min`
    late (negative: early), and their clock is `zone_hours` ahead of the zone in which they were read.
    """

    stretches: tuple[Stretch, ...]
    nats: float  # its lead over every other reading
    sessions: int  # sessions with evidence
    words: str
    refuted: tuple[float, float] = (0.0, 0.0)  # nats against start and end labels on a right clock, in some stretch

    @property
    def confidence(self) -> float:
        """A probability; no more than `BEST_CONFIDENCE` is claimed."""
        return _confidence(self.nats)

    @property
    def is_new_york(self) -> bool:
        """Whether these are times of day in New York that were read as UTC."""
        return bool(self.stretches) and all(one.hours == one.utc_hours for one in self.stretches)

    @property
    def offset_min(self) -> int:
        """Offset of the first minute's stamp from the open, in most sessions."""
        by_offset: dict[int, int] = {}
        for one in self.stretches:
            by_offset[one.offset_min] = by_offset.get(one.offset_min, 0) + one.sessions
        return max(by_offset, key=lambda offset: by_offset[offset], default=0)

    @property
    def zone_hours(self) -> int:
        """By how much the clock is ahead of the zone in which the stamps were read."""
        return round(self.offset_min / 60)

    @property
    def label(self) -> Literal["start", "end"]:
        """Which end of its minute a stamp names, or is nearer to."""
        return "end" if self.offset_min - 60 * self.zone_hours > 0 else "start"

    @property
    def shift_min(self) -> int:
        """By how many minutes stamps of that label are late."""
        return self.offset_min - 60 * self.zone_hours - (self.label == "end")

    @property
    def document(self) -> dict[str, Any]:
        """For the report."""
        first = stamp(self.offset_min) if self.stretches else None
        facts = {"first_stamp": first, "confidence": round(self.confidence, 4), "sessions": self.sessions}
        return facts | {"evidence": self.words}

    def is_decided(
        self, min_confidence: float = MIN_CONFIDENCE, min_sessions: int = 1, against_nats: float = 0.0
    ) -> bool:
        """Whether this is enough to stop a run or let it pass, after subtracting `against_nats`."""
        return _confidence(self.nats - against_nats) >= min_confidence and self.sessions >= min_sessions

    def against(self, declared: int, against_nats: float = 0.0) -> float:
        """The confidence that a label (0 start, 1 end) on a right clock is wrong, whichever else is right."""
        return _confidence(self.refuted[declared] - against_nats)


def read_labels(bars: Mapping[str, pl.DataFrame], calendar: pl.DataFrame) -> LabelReading:
    """The reading of `ts, high, low, volume` by symbol; stamps in UTC under the assumed zone."""
    return judge_labels([label_evidence(frame, calendar) for frame in bars.values()], calendar)


def judge_labels(
    evidence: Sequence[LabelEvidence], calendar: pl.DataFrame, min_confidence: float = MIN_CONFIDENCE
) -> LabelReading:
    """The reading from the evidence of some symbols."""
    by_sign = sum((one.by_sign() for one in evidence), np.zeros((len(SIGNS), calendar.height, len(CANDIDATES))))
    nats = best_at_zero(by_sign.sum(0))
    says = np.flatnonzero((nats < 0).any(1))
    if not len(says):
        return LabelReading((), 0.0, 0, "no full session holds evidence")
    by_sign, nats, clock = by_sign[:, says], nats[says], _clock(evidence)
    summer = (calendar["open_utc"].dt.hour() == SUMMER_OPEN_UTC).to_numpy()[says]
    needed = float(np.log(min_confidence / (1 - min_confidence)))
    usual = int((nats.sum(0) + clock).argmax())
    best, found = np.full(len(nats), usual), []
    for regime in (np.flatnonzero(summer), np.flatnonzero(~summer)):
        for begin, end, at in _runs(nats[regime]):
            rows = regime[begin:end]
            leads = _leads(by_sign[:, rows], at)
            if at != usual and leads[usual] >= needed:
                best[rows] = at
                found.append(leads)
    own = _leads(by_sign[:, best == usual], usual) + clock[usual] - clock
    starts, ends = (max(float(leads[at]) for leads in (own, *found)) for at in np.searchsorted(CANDIDATES, (0, 1)))
    return LabelReading(
        stretches=_stretches(calendar["session"].to_numpy()[says], CANDIDATES[best], summer),
        nats=float(min([np.delete(own, usual).min(), *(leads[usual] for leads in found)])),
        sessions=len(says),
        words=_words(by_sign, int(CANDIDATES[usual])),
        refuted=(starts, ends),
    )


def _confidence(nats: float) -> float:
    return min(float(1 / (1 + np.exp(-nats))), BEST_CONFIDENCE)


def _leads(by_sign: Array, at: int) -> Array:
    """Nats by which a candidate leads each other one: the smaller of the sum by sessions and the sum by signs.

    Against the other label it is at most 0 if all signs but the rows together contradict the rows.
    """
    nats = best_at_zero(by_sign.sum(0))
    signs = by_sign.sum(1)[:, at, None] - by_sign.sum(1)
    most = np.array([ALONE_NATS.get(sign, np.inf) for sign in SIGNS])[:, None]
    leads = np.minimum((nats[:, at, None] - nats).sum(0), np.minimum(signs, most).sum(0))
    other = _other_label(at)
    contested = (signs[1:].sum(0) < -CONTEST_NATS) & (other == CANDIDATES)
    return np.asarray(np.where(contested, np.minimum(leads, 0.0), leads), float)


def _other_label(at: int) -> int:
    """The candidate of end labels for one of start labels, and the reverse; itself if it is neither."""
    offset = int(CANDIDATES[at])
    return {0: offset + 1, 1: offset - 1}.get(offset - 60 * round(offset / 60), offset)


def _clock(evidence: Sequence[LabelEvidence]) -> Array:
    """Nats of each candidate from the five-minute rhythm, which not every feed has."""
    ratio = np.mean([one.clock for one in evidence], axis=0)
    nats = np.minimum(np.logaddexp(np.log(1 - CLOCK_PRIOR), np.log(CLOCK_PRIOR) + ratio), CLOCK_NATS)
    return np.asarray(nats[CANDIDATES % len(ratio)], float)


def _runs(nats: Array) -> list[tuple[int, int, int]]:
    """`begin, end, candidate` of the best split into runs (Viterbi); each new run costs `SWITCH_NATS`."""
    if not len(nats):
        return []
    score, came_from = np.zeros(nats.shape[1]), np.zeros(nats.shape, int)
    stay = np.arange(nats.shape[1])
    for row, one in enumerate(nats):
        best = int(score.argmax())
        switch = score[best] - SWITCH_NATS > score
        came_from[row] = np.where(switch, best, stay)
        score = np.where(switch, score[best] - SWITCH_NATS, score) + one
    path = [int(score.argmax())]
    for row in range(len(nats) - 1, 0, -1):
        path.append(int(came_from[row, path[-1]]))
    cuts = np.flatnonzero(np.diff(path[::-1])) + 1
    bounds = [0, *cuts.tolist(), len(path)]
    return [(begin, end, path[::-1][begin]) for begin, end in pairwise(bounds)]


def _stretches(
    sessions: NDArray[np.datetime64], offsets: NDArray[np.int64], summer: NDArray[np.bool_]
) -> tuple[Stretch, ...]:
    changes = np.flatnonzero((np.diff(offsets) != 0) | (np.diff(summer) != 0)) + 1
    bounds = [0, *changes.tolist(), len(offsets)]
    return tuple(
        Stretch(
            first=sessions[begin].astype("datetime64[D]").item(),
            last=sessions[end - 1].astype("datetime64[D]").item(),
            sessions=end - begin,
            offset_min=int(offsets[begin]),
            utc_hours=SUMMER_HOURS if summer[begin] else WINTER_HOURS,
        )
        for begin, end in pairwise(bounds)
    )


def stamp(offset_min: int) -> str:
    """The time of day in New York this many minutes after the open."""
    return f"{(OPEN_MIN + offset_min) // 60 % 24:02d}:{(OPEN_MIN + offset_min) % 60:02d}"


def _words(by_sign: Array, offset: int) -> str:
    """In how many sessions each sign supports this first stamp, and in how many start or end labels instead."""
    other = 1 if offset == 0 else 0
    ours, theirs = np.searchsorted(CANDIDATES, (offset, other))
    named = [
        f"{sign} {int((one > TELLING).sum())} to {int((one < -TELLING).sum())}"
        for sign, one in zip(SIGNS, by_sign[:, :, ours] - by_sign[:, :, theirs], strict=True)
        if (abs(one) > TELLING).any()
    ]
    first = f"{stamp(offset)} rather than {stamp(other)} as the first stamp: sessions by "
    return first + ", by ".join(named) if named else "no sign shows anything"
