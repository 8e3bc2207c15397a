"""Made-up feeds whose labels are known: what vendors send, and what goes wrong on the way.

A feed is drawn as a `Feed` and written out by `bars_of`: prices in cents on a walk, volume in a U over the day. Half of
the feeds have the open that real ones have (the first minutes are the widest), half are flat, so that no sign is taken
for granted. Nothing here uses the code under test.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
import polars as pl

from stages.sessions.calendar import trading_calendar

BEFORE, AFTER = 120, 90  # minutes around the session in feeds of all hours
SPANS = (date(2023, 10, 2), date(2024, 12, 31))


@dataclass(frozen=True)
class Feed:
    """One draw. `rows`: 390 regular minutes, 391 with a row of an auction, or all hours."""

    seed: int
    label: str = "start"
    rows: str = "390"
    sessions: int = 14
    begin: int = 0  # of the calendar
    symbols: int = 1
    auction: str = "print"  # the extra row: a print alone, or the minute beside the session
    missing: float = 0.0  # share of rows lost
    edge_missing: float = 0.0  # share of sessions without their first row
    end_missing: float = 0.0  # and without their last
    quiet: float = 0.0  # share of minutes without a trade, hence without a row
    wide_open: bool = True
    coarse: bool = False  # moves of a tick or none, so that many bars have no range
    volumes: str = "U"  # over the day; "even", or "none": all zero
    first_volume_zero: bool = False
    bad_sessions: int = 0  # begin an hour late
    late_min: int = 0  # every stamp
    switched_from: int | None = None  # session from which the other label is used

    @property
    def calendar(self) -> pl.DataFrame:
        return all_sessions()[self.begin : self.begin + self.sessions]

    @property
    def offset_min(self) -> int:
        """The truth: of the first minute's stamp from the open."""
        return (self.label == "end") + self.late_min

    @property
    def truth(self) -> set[int]:
        """Every offset that the feed has."""
        return {self.offset_min} | ({1, 0} if self.switched_from is not None else set())

    @property
    def is_ample(self) -> bool:
        """At least ten full sessions with 90 % of their minutes."""
        full = int((~self.calendar["is_half"]).sum()) - self.bad_sessions
        return full >= 10 and (1 - self.missing) * (1 - self.quiet) >= 0.9


@cache
def all_sessions() -> pl.DataFrame:
    return trading_calendar(*SPANS)


def drawn(seed: int) -> Feed:
    """A feed of any kind."""
    rng = np.random.default_rng(seed)
    sessions = int(rng.integers(8, 31))
    return Feed(
        seed=seed,
        label=str(rng.choice(["start", "end"])),
        rows=str(rng.choice(["390", "391", "all"])),
        sessions=sessions,
        begin=int(rng.integers(0, all_sessions().height - sessions)),
        symbols=int(rng.choice([1, 1, 2])),
        auction=str(rng.choice(["print", "print", "minute"])),
        missing=float(rng.choice([0, 0, 0.01, 0.04])),
        edge_missing=float(rng.choice([0, 0, 0.1, 0.25])),
        end_missing=float(rng.choice([0, 0, 0.1])),
        quiet=float(rng.choice([0, 0, 0.06, 0.25])),
        wide_open=bool(rng.integers(2)),
        coarse=bool(rng.random() < 0.2),
        volumes=str(rng.choice(["U", "U", "U", "even", "none"], p=[0.3, 0.3, 0.25, 0.1, 0.05])),
        first_volume_zero=bool(rng.random() < 0.1),
        bad_sessions=int(rng.choice([0, 0, 1, 2])),
    )


def bars_of(feed: Feed) -> dict[str, pl.DataFrame]:
    """The feed's `ts, open, high, low, close, volume` by symbol."""
    return {f"S{n}": _symbol(feed, np.random.default_rng([feed.seed, n])) for n in range(feed.symbols)}


def _symbol(feed: Feed, rng: np.random.Generator) -> pl.DataFrame:
    n = feed.calendar["n_bars"].to_numpy()[:, None]
    m = np.arange(-BEFORE, 390 + AFTER)[None, :]
    inside, shape = (m >= 0) & (m < n), (len(n), m.shape[1])
    first, closing = m == 0, m == n
    u = np.clip(m / n, 0, 1)
    width = 1 + (feed.wide_open * 3 * np.exp(-m / 8.0) * inside) - 0.4 * feed.wide_open * ~inside
    cents = rng.uniform(0.03, 0.1) / 100 * (price := float(rng.integers(3000, 30000)))  # of a minute, one deviation
    spread = (0.6 if feed.coarse else max(cents, 1.5)) * width
    moves = np.rint(rng.normal(0, 1, shape) * spread)
    close = price + np.cumsum(moves, 1) + 0 * n
    opening = close - moves
    reach = np.rint(np.abs(rng.normal(0, 1, (2, *shape))) * spread)
    high, low = np.maximum(opening, close) + reach[0], np.minimum(opening, close) - reach[1]
    level = np.where(
        inside, 900 if feed.volumes == "even" else 400 + 1600 * (2 * u - 1) ** 2, rng.choice([20, 60, 200])
    )
    volume = np.ceil(level * rng.lognormal(0, 0.4, shape)) * 100
    volume = np.where(first, volume * rng.uniform(1.5, 4), np.where(closing, volume * rng.uniform(3, 30), volume))
    volume = np.rint(volume) * (feed.volumes != "none")
    kept = _kept(feed, rng, m, n, inside)
    if feed.rows != "390":
        extra = closing if feed.label == "start" else m == -1
        if feed.rows == "391":
            kept = np.where(extra, True, kept)
        if feed.auction == "print":
            opening, high, low = (np.where(extra, close, one) for one in (opening, high, low))
            volume = np.where(extra, 100 * np.ceil(rng.uniform(50, 500, shape) * 40), volume)
    if feed.first_volume_zero and feed.rows == "all" and feed.label == "start":
        volume = np.where(first, 0, volume)
    late = feed.offset_min + np.zeros_like(n)
    if feed.switched_from is not None:
        late[feed.switched_from :] += 1 if feed.label == "start" else -1
    opens = feed.calendar["open_utc"].dt.epoch("s").to_numpy()[:, None]
    stamps = (opens + 60 * (m + late)) * 1_000_000
    values = dict(
        zip(("open", "high", "low", "close"), (x[kept] / 100 for x in (opening, high, low, close)), strict=True)
    )
    ts = pl.Series(stamps[kept]).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"ts": ts} | values | {"volume": volume[kept]})


def _kept(feed: Feed, rng: np.random.Generator, m: np.ndarray, n: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Which rows come, but for the extra one."""
    kept = inside & (rng.random(inside.shape) >= feed.missing) & (rng.random(inside.shape) >= feed.quiet)
    kept &= ~((m == 0) & (rng.random(n.shape) < feed.edge_missing))
    kept &= ~((m == n - 1) & (rng.random(n.shape) < feed.end_missing))
    bad = rng.permutation(len(n))[: feed.bad_sessions]
    kept[bad] &= (m >= 60) | (m < 0)
    if feed.rows == "all":
        kept |= ~inside & (rng.random(inside.shape) >= rng.choice([0.02, 0.5]))
    return kept


def off_by_minutes(seed: int) -> Feed:
    """A drawn feed of 20 sessions whose stamps are early or late."""
    return replace(_of_twenty(seed), late_min=int(np.random.default_rng([seed, 1]).choice([-5, -2, 2, 5])))


def off_by_hours(seed: int) -> Feed:
    """A drawn feed of 20 sessions whose clock is off."""
    hours = np.random.default_rng([seed, 2]).choice([-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6])
    return replace(_of_twenty(seed), late_min=60 * int(hours))


def switching(seed: int) -> Feed:
    """A drawn feed of 20 sessions that changes its label at the sixth to fifteenth."""
    return replace(_of_twenty(seed), switched_from=int(np.random.default_rng([seed, 3]).integers(5, 15)))


def _of_twenty(seed: int) -> Feed:
    begin = int(np.random.default_rng([seed, 4]).integers(0, all_sessions().height - 20))
    return replace(drawn(seed), sessions=20, begin=begin, bad_sessions=0)
