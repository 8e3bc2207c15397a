"""What the data gate sees: faults of many sizes planted into sound feeds -> the share caught, by fault and size.

And the share of sound sessions that it flags, by kind of feed. docs/DATA_QUALITY.md sums both tables up.
Run: python -m tests.benchmarks.detection [FEEDS]
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from stages.quality.cross_symbol import check_symbols
from tests.quality.clean_feeds import CALENDAR, CLEAN, PRICES, clean_feed
from tests.quality.deliveries import QUALITY, dialect, report_of

FEEDS = 20  # of each fault and size
KINDS = ("regular hours, start labels", "float32", "prints between the quotes", "under a dollar", "a wild name")
SESSIONS = CALENDAR["session"].to_list()
FULL = [session for session, half in CALENDAR.select("session", "is_half").iter_rows() if not half]
Report = Mapping[str, Any]
Feeds = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Place:
    """Where a fault is planted: a full session with a past, and a minute of it, in a feed of some kind."""

    session: date
    minute: int
    kind: str
    seed: int


Plant = Callable[[Feeds, Any, Place], Feeds]
Caught = Callable[[Report, Place, Any], bool]


def times(hit: Callable[[Place], pl.Expr], names: tuple[str, ...] = PRICES) -> Plant:
    """Prices of some rows times the size."""

    def plant(feeds: Feeds, size: float, place: Place) -> Feeds:
        changed = [pl.when(hit(place)).then(pl.col(n) * size).otherwise(n).alias(n) for n in names]
        return feeds | {"A": feeds["A"].with_columns(pl.col(names).cast(pl.Float64)).with_columns(changed)}

    return plant


def rows_of(session: date, first: int = 0, last: int = 389) -> pl.Expr:
    opening = CALENDAR.row(by_predicate=pl.col("session") == session, named=True)["open_utc"]
    start = pl.lit(opening).dt.cast_time_unit("us")
    return pl.col("ts").is_between(start.dt.offset_by(f"{first}m"), start.dt.offset_by(f"{last}m"))


def for_minutes(count: int) -> Callable[[Place], pl.Expr]:
    return lambda place: rows_of(place.session, place.minute, place.minute + count - 1)


def the_session(place: Place) -> pl.Expr:
    return rows_of(place.session)


def from_then_on(place: Place) -> pl.Expr:
    return pl.col("ts").dt.date() >= place.session


def split(feeds: Feeds, size: str, place: Place) -> Feeds:
    """A split behind a night of 2 % either way, prices rounded to the feed's decimals."""
    new, old = (int(part) for part in size.split(":"))
    night = float(np.random.default_rng(place.minute).normal(0, 0.02))
    return times(from_then_on)(feeds, old / new * np.exp(night), place)


def fixed_point(feeds: Feeds, size: float, _: Place) -> Feeds:
    return feeds | {
        "A": feeds["A"].with_columns((pl.col(PRICES).cast(pl.Float64).round(4) * size).round().cast(pl.Int64))
    }


def copied(feeds: Feeds, size: int, place: Place) -> Feeds:
    """So many minutes of an earlier full session under this one's stamps."""
    earlier = [session for session in FULL if session < place.session]
    source = earlier[place.minute % len(earlier)]
    first = min(place.minute, 390 - size)
    rows = feeds["A"].filter(rows_of(source, first, first + size - 1))
    rows = rows.with_columns(pl.col("ts") + (place.session - source))
    kept = feeds["A"].filter(~rows_of(place.session, first, first + size - 1))
    return feeds | {"A": pl.concat([kept, rows]).sort("ts")}


def as_anothers(feeds: Feeds, size: int, place: Place) -> Feeds:
    """So many minutes of A delivered as B's."""
    first = min(place.minute, 390 - size)
    hit = rows_of(place.session, first, first + size - 1)
    own = feed_of(place.kind, place.seed + 1)
    return feeds | {"B": pl.concat([own.filter(~hit), feeds["A"].filter(hit)]).sort("ts")}


def step(feeds: Feeds, size: int, _: Place) -> Feeds:
    return feeds | {"A": feeds["A"].filter(pl.col("ts").dt.epoch("s") // 60 % size == 0)}


def adjusted(feeds: Feeds, size: float, _: Place) -> Feeds:
    return feeds | {"A": feeds["A"].with_columns(pl.col(PRICES).cast(pl.Float64) * size)}


def flagged(*checks: str) -> Caught:
    """One of these checks marks a bar of this session."""
    return lambda report, place, size: (
        any(_day(report, place)["flags"].get(check) for check in checks) or stopped("PX9")(report, place, size)
    )


def named(report: Report, place: Place, size: str) -> bool:
    """The split is told by its ratio."""
    return any((one["session"], one["split"]) == (str(place.session), size) for one in report["symbols"]["A"]["levels"])


def stopped(check: str) -> Caught:
    return lambda report, *_: any(one["check"] == check for one in report["hard_failures"])


def warned(check: str) -> Caught:
    return lambda report, *_: any(told.startswith(check) for told in report["warnings"])


def _day(report: Report, place: Place) -> Mapping[str, Any]:
    """What is told of the session; of a symbol that could not be read nothing is."""
    days = report["symbols"]["A"]["days"]
    return next((day for day in days if day["session"] == str(place.session)), {"flags": {}})


LEVEL = (1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0, 7.0, 100.0, 1e300, 0.9, 0.7, 0.5, 0.01)
HIGH, LOW = (1.01, 1.02, 1.05, 1.1, 1.2, 2.0, 100.0), (0.99, 0.98, 0.95, 0.9, 0.8, 0.5, 1e-4)
VOLUME = (0.01, 0.05, 0.2, 5.0, 20.0, 50.0, 100.0)
FAULTS: dict[str, tuple[Plant, Caught, tuple[Any, ...]]] = {
    "prices times, overnight, from then on": (times(from_then_on), flagged("PX4", "PX7"), LEVEL),
    "prices times, one session": (times(the_session), flagged("PX4", "PX7"), LEVEL),
    "prices times, an hour": (times(for_minutes(60)), flagged("PX7"), LEVEL),
    "prices times, one minute": (times(for_minutes(1)), flagged("PX7"), LEVEL),
    "split, named as one": (split, named, ("2:1", "3:2", "5:4", "4:1", "7:1", "20:1", "50:1", "1:10", "1:25")),
    "high times, one minute": (times(for_minutes(1), ("high",)), flagged("PX8"), HIGH),
    "low times, one minute": (times(for_minutes(1), ("low",)), flagged("PX8"), LOW),
    "all prices in units of": (
        lambda feeds, size, place: fixed_point(feeds, 1 / size, place), stopped("PX9"), (1e-2, 1e-4, 1e-6, 1e-9)
    ),
    "prices adjusted by": (adjusted, warned("PX6"), (0.98, 0.9877, 0.73129)),
    "minutes of an earlier session": (copied, flagged("TS8"), (15, 30, 60, 195, 390)),
    "minutes of another symbol": (as_anothers, warned("X2"), (15, 60, 120, 195, 390)),
    "bars of so many minutes": (step, stopped("TS4"), (2, 5, 15, 30)),
    "volume times, one session": (times(the_session, ("volume",)), flagged("VOL3"), VOLUME),
}  # fmt: skip


def detected(fault: str, size: Any, feeds: int) -> float:
    """The share of feeds in which the fault is caught."""
    plant, caught, _ = FAULTS[fault]
    found = 0
    for seed in range(feeds):
        rng = np.random.default_rng([seed, 1])
        session, minute = FULL[int(rng.integers(5, len(FULL)))], int(rng.integers(5, 320))
        place = Place(session, minute, KINDS[seed % len(KINDS)], 1000 + 2 * seed)
        report = report_on(plant({"A": feed_of(place.kind, place.seed)}, size, place))
        found += caught(report, place, size)
    return found / feeds


@cache
def feed_of(kind: str, seed: int) -> pl.DataFrame:
    return clean_feed(CLEAN[kind], seed)


def report_on(feeds: Feeds, **changes: Any) -> Report:
    return report_of(check_symbols(feeds, dialect(**changes), CALENDAR, QUALITY), CALENDAR)


def flagged_clean(kind: str, feeds: int) -> tuple[int, int, int]:
    """Sound sessions of one kind, how many of them are warned or failed, and in how many feeds anything is told."""
    sessions = troubled = told = 0
    for seed in range(feeds):
        feed = {"A": clean_feed(CLEAN[kind], seed)}
        report = report_on(feed, **CLEAN[kind].dialect)
        days = report["symbols"]["A"]["days"]
        odd = [day for day in days if day["verdict"] != "pass" or {"PX7", "PX8"} & set(day["flags"])]
        sessions, troubled = sessions + len(days), troubled + len(odd)
        told += bool(report["warnings"] or report["hard_failures"])
    return sessions, troubled, told


def tables(feeds: int) -> Iterator[str]:
    """The lines of both tables."""
    yield f"| fault | size: share caught of {feeds} feeds |"
    yield "|---|---|"
    for fault, (_, _, sizes) in FAULTS.items():
        told = [f"{size:g}" if isinstance(size, float) else str(size) for size in sizes]
        shares = [f"{one}: {detected(fault, size, feeds):.0%}" for one, size in zip(told, sizes, strict=True)]
        yield f"| {fault} | {', '.join(shares)} |"
    yield ""
    yield "| sound feed | sessions | flagged | feeds with a warning |"
    yield "|---|---|---|---|"
    for kind in CLEAN:
        sessions, troubled, told = flagged_clean(kind, feeds)
        yield f"| {kind} | {sessions} | {troubled / sessions:.1%} | {told / feeds:.0%} |"


def main() -> None:
    """Print both tables."""
    for line in tables(int(sys.argv[1]) if sys.argv[1:] else FEEDS):
        print(line, flush=True)


if __name__ == "__main__":
    main()
