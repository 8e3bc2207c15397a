"""Which absent minutes the gate proposes to call quiet, and what comes of it: made feeds, a line a shape of absence.

Run: python -m tests.benchmarks.bench_quiet [feeds a shape, 20]
"""

import sys
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.params.quality import QualityParams
from stages.quality.gate import check_symbol
from stages.quality.proposals import proposal
from stages.sessions.calendar import trading_calendar
from tests.quality.deliveries import QUALITY, delivery, dialect

CALENDAR = trading_calendar(date(2024, 11, 4), date(2024, 12, 5))  # a half day among them
FULL = delivery(CALENDAR)
M = FULL.select(pl.int_range(pl.len()).over(pl.col("ts").dt.date())).to_series().to_numpy()
SESSION = FULL["ts"].dt.date().rle_id().to_numpy()
Absent = NDArray[np.bool_]
Shape = Callable[[np.random.Generator], Absent]


def independent(share: float) -> Shape:
    """Each minute for itself."""
    return lambda rng: rng.random(len(M)) < share


def at_noon(share: float) -> Shape:
    """Few at open and close, most at noon."""
    return lambda rng: rng.random(len(M)) < share * np.pi / 2 * np.sin(np.pi * M / 390)


def sticky(share: float, minutes: float) -> Shape:
    """Trading comes and goes: runs of so many minutes on average."""

    def absent(rng: np.random.Generator) -> Absent:
        begins, ends = share / (1 - share) / minutes, 1 / minutes
        draws, now, out = rng.random(len(M)), False, np.zeros(len(M), np.bool_)
        for at, draw in enumerate(draws):
            now = draw >= ends if now else draw < begins
            out[at] = now
        return out

    return absent


def outages(many: int, minutes: int, every: int = 1) -> Shape:
    """So many pieces of every so manieth session lost."""

    def absent(rng: np.random.Generator) -> Absent:
        out = np.zeros(len(M), np.bool_)
        for session in range(0, SESSION.max() + 1, every):
            for start in rng.integers(0, 380 - minutes, many):
                out |= (session == SESSION) & (start <= M) & (start + minutes > M)
        return out

    return absent


def both(one: Shape, other: Shape) -> Shape:
    """Absent for the one reason or the other."""
    return lambda rng: one(rng) | other(rng)


SHAPES: dict[str, Shape] = {
    "3 % independent": independent(0.03),
    "7 % independent": independent(0.07),
    "20 % independent": independent(0.2),
    "50 % independent": independent(0.5),
    "7 % most at noon": at_noon(0.07),
    "30 % most at noon": at_noon(0.3),
    "7 % in runs of 1.5 min": sticky(0.07, 1.5),
    "20 % in runs of 3 min": sticky(0.2, 3),
    "one outage of 30 min": outages(1, 30),
    "three outages of 10 min": outages(3, 10),
    "eight outages of 4 min": outages(8, 4),
    "7 %, each 5th session an outage of 60 min": both(independent(0.07), outages(1, 60, every=5)),
}


def usable(absent: Absent, quality: QualityParams) -> tuple[int, pl.DataFrame]:
    """Sessions that the gate keeps, and what it found of each."""
    days = check_symbol("SYM", FULL.filter(~absent), dialect(), CALENDAR, quality).days
    return int((days["verdict"] != "fail").sum()), days


def measured(shape: Shape, feeds: int) -> tuple[float, float, float, bool]:
    """Sessions kept as gaps, share of feeds with a proposal, sessions kept by it, and whether that is what it said."""
    as_gaps, as_proposed, said = [], [], []
    for seed in range(feeds):
        absent = shape(np.random.default_rng(seed))
        kept, days = usable(absent, QUALITY)
        as_gaps.append(kept)
        fitting = proposal(days, QUALITY)
        if fitting is not None:
            own = {"no_trade_minutes": "quiet"} | {
                name: getattr(fitting, name) for name in ("quiet_max_min", "min_session_completeness")
            }
            kept, _ = usable(absent, QualityParams.model_validate(QUALITY.model_dump() | own))
            as_proposed.append(kept)
            said.append(kept == fitting.usable)
    kept_by_it = float(np.mean(as_proposed)) if as_proposed else float("nan")
    return float(np.mean(as_gaps)), len(as_proposed) / feeds, kept_by_it, all(said)


def main(feeds: int) -> None:
    """A line a shape."""
    print(f"{feeds} feeds a shape, {CALENDAR.height} sessions each")
    print(f"{'absent minutes':<44}{'kept as gaps':>13}{'proposed':>10}{'kept then':>11}{'as said':>9}")
    for name, shape in SHAPES.items():
        as_gaps, proposed, then, said = measured(shape, feeds)
        print(f"{name:<44}{as_gaps:>13.1f}{proposed:>10.0%}{then:>11.1f}{said!s:>9}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
