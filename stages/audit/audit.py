"""The leakage audit: replays at random instants must find the same past, and a planted leak must be found.

Half of the instants are any minute; half are between a snapshot and its outcome, where calibration could know too much.
Instants within gaps are added, where the gate could know whether another bar follows. At each instant the future is
scrambled or cut off, and everything known before must stay the same, bit for bit.

The planted leak is a gate that knows which minutes are followed by a bar. Whether a minute without a bar is a minute
without a trade or the beginning of a gap is known only later. Some rows of the study's bars are removed, this gate
processes them, and the audit must name it.

*Time*: instants start at the first snapshot at which every history length was asked, so each replay asks something.
*Errors*: `DataContractError` (exit 2) naming stage, column, symbol and the first leaking instant.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from stages.audit.replay import Frames, Known, Replay, bars_known, run
from stages.audit.world import FUTURES, World, cut
from stages.errors import DataContractError
from stages.quality.gate import Checked
from stages.sessions.calendar import minute_grid
from stages.tables.market import PRICES, REAL

ROW = "(the row itself)"


@dataclass(frozen=True)
class Leak:
    """The first stage and column that knew the future, and the first instant at which it did; `str` is a sentence."""

    stage: str
    column: str
    symbol: str
    known_at: datetime
    instant: datetime
    how: str

    def __str__(self) -> str:
        return (
            f"stage {self.stage}, column {self.column}, {self.symbol}: what was known at {_utc(self.known_at)} "
            f"{self.how} {_utc(self.instant)}"
        )


def known_by(known: list[Known], instant: datetime, future: str) -> list[Known]:
    """The rows that must be the same: those known at the instant.

    Decisions are compared only where the future is scrambled: a cut ends the session, which closes every position.
    """
    return [
        replace(one, rows=one.rows.filter(pl.col("known_at") <= instant))
        for one in known
        if future == "scrambled" or one.stage != "backtest"
    ]


def first_leak(base: list[Known], replayed: list[Known], instant: datetime, future: str) -> Leak | None:
    """The first difference among all that was known at the instant; None if there is none."""
    how = f"changed when the market was {future} after"
    for ours, theirs in zip(known_by(base, instant, future), known_by(replayed, instant, future), strict=True):
        if not ours.rows.equals(theirs.rows):
            column, row = _first_difference(ours.rows, theirs.rows, ours.key)
            return Leak(ours.stage, column, row["symbol"], row["known_at"], instant, how)
    return None


def stale_bar(base: list[Known], replayed: list[Known], instant: datetime) -> Leak | None:
    """A bar of the next minute that a scrambled future did not change: its price was known a minute before its stamp.

    This happens when end labels are read as start labels: nothing is known too early, but orders are filled at old
    prices.
    """
    following = pl.col("known_at") == instant + pl.duration(minutes=1)
    ours = base[0].rows.filter(following, pl.col("gap_len") == 0)
    theirs = replayed[0].rows.filter(following, pl.col("gap_len") == 0)
    same = ours.join(theirs, on=["symbol", "ts", "close"])
    if same.is_empty():
        return None
    row = same.row(0, named=True)
    how = "did not change with the market: bars are labelled late, and orders filled at old prices; it was known at"
    return Leak(base[0].stage, "ts", row["symbol"], row["known_at"], instant, how)


def first_mismatch(base: list[Known], written: Iterable[Known]) -> str | None:
    """A sentence on the first difference between what stages wrote and what the replay finds; None without one.

    *Tables*: only columns that the replay has too are compared. Written tables of the same stage and key are parts of
    one table, which must hold every row of the replay.
    """
    unwritten: dict[int, pl.DataFrame] = {}
    for theirs in written:
        for number, ours in enumerate(base):
            if (ours.stage, ours.key) != (theirs.stage, theirs.key):
                continue
            unwritten[number] = unwritten.get(number, ours.rows).join(theirs.rows, on=ours.key, how="anti")
            alone = [name for name in ours.rows.columns if name not in theirs.rows.columns]
            shared = theirs.rows.select(name for name in ours.rows.columns if name not in alone)
            wrote = shared.join(ours.rows.select(*{*ours.key, *alone}), on=ours.key).select(ours.rows.columns)
            found = ours.rows.join(wrote, on=ours.key, how="semi")
            if not found.sort(ours.key).equals(wrote.sort(ours.key)):
                column, row = _first_difference(wrote, found, ours.key)
                return f"stage {ours.stage}, column {column}, {row['symbol']} at {_utc(row['known_at'])}"
    for number, rows in unwritten.items():
        if not rows.is_empty():
            row = rows.sort("known_at", *base[number].key).row(0, named=True)
            return f"stage {base[number].stage}, column {ROW}, {row['symbol']} at {_utc(row['known_at'])}"
    return None


def _first_difference(ours: pl.DataFrame, theirs: pl.DataFrame, key: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The column and the row with the earliest `known_at` that differs."""
    alone = pl.concat([ours.join(theirs, on=key, how="anti"), theirs.join(ours, on=key, how="anti")])
    both = ours.join(theirs, on=key, suffix="_replayed", maintain_order="left")
    found = {ROW: alone} | {
        name: both.filter(pl.col(name).ne_missing(pl.col(f"{name}_replayed")))
        for name in ours.columns
        if name not in key
    }
    first = {
        name: rows.sort("known_at", *key).row(0, named=True) for name, rows in found.items() if not rows.is_empty()
    }
    return min(first.items(), key=lambda one: one[1]["known_at"])


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%MZ}"


def instants(schedule: pl.DataFrame, calendar: pl.DataFrame, horizon_min: int, count: int, seed: int) -> list[datetime]:
    """`count` distinct instants, or all if there are fewer, oldest first; the same seed gives the same instants."""
    asked = schedule.filter(pl.col("status") == "ok")
    first = asked.group_by("history_days").agg(pl.col("snapshot_utc").min())["snapshot_utc"].max()
    if first is None:
        raise DataContractError(
            "no question was asked, so there is nothing to audit: see the statuses in schedule.parquet."
        )
    minutes = minute_grid(calendar).filter(pl.col("known_at") >= first)["known_at"].to_list()
    rng = np.random.default_rng(seed)
    anywhere = rng.choice(len(minutes), size=min(count - count // 2, len(minutes)), replace=False)
    snapshots = asked.filter(pl.col("snapshot_utc") >= first)["snapshot_utc"].unique().sort().to_list()
    chosen = rng.choice(len(snapshots), size=min(count // 2, len(snapshots)), replace=False)
    waited = rng.integers(0, horizon_min, len(chosen))
    pending = [snapshots[at] + timedelta(minutes=int(wait)) for at, wait in zip(chosen, waited, strict=True)]
    return sorted({*(minutes[at] for at in anywhere), *pending})


def after_gaps(bars: pl.DataFrame, since: datetime, count: int, seed: int) -> list[datetime]:
    """At most `count` instants, oldest first, at the end of a filled minute that a minute with a bar follows.

    *Tables*: `Bars` of some symbols.
    """
    next_is_real = pl.col("gap_len").shift(-1).over("symbol", "session") == 0
    filled = bars.filter(pl.col("is_filled") & next_is_real, pl.col("known_at") >= since)["known_at"].unique().sort()
    return sorted(filled.sample(min(count, len(filled)), seed=seed).to_list())


@dataclass(frozen=True)
class Passed:
    """One instant at which the past stayed the same."""

    instant: datetime
    future: str
    keys: frozenset[str]  # of the questions that were asked again
    rows: int


def audit(replay: Replay, world: World, base: list[Known], at: Iterable[datetime]) -> Iterator[Passed]:
    """Scramble and cut in turns, in order of time, and compare with `base`, the run in the real world."""
    futures = list(FUTURES.items())
    for number, instant in enumerate(at):
        name, future = futures[number % len(futures)]
        replayed = run(replay, future(world, instant, number), instant)
        leak = first_leak(base, replayed, instant, name)
        if leak is None and name == "scrambled":
            leak = stale_bar(base, replayed, instant)
        if leak is not None:
            raise DataContractError(
                f"the past moved: {leak}. The code that computes that column looks ahead; no result of this study is "
                "valid until it is corrected."
            )
        past = known_by(base, instant, name)
        yield Passed(instant, name, question_keys(past), sum(one.rows.height for one in past))


def question_keys(known: list[Known]) -> frozenset[str]:
    """Keys of the questions that were asked."""
    (schedule,) = (one.rows for one in known if one.stage == "build_requests")
    return frozenset(schedule["key"].drop_nulls())


Plant = Callable[[Mapping[str, Checked]], Mapping[str, Checked]]
THINNED = 0.07  # share of the rows that are removed


def thinned(world: World, seed: int) -> World:
    """The same world from a vendor who sends no bar for some minutes, scattered over every session."""
    rng = np.random.default_rng(seed)
    bars = {symbol: frame.filter(rng.random(frame.height) >= THINNED) for symbol, frame in world.bars.items()}
    return replace(world, bars=bars)


def in_hindsight(checked: Mapping[str, Checked]) -> dict[str, Checked]:
    """The bars of a leaking gate, which carries a price forward only where a later bar of the session exists."""
    followed = REAL.reverse().cum_max().reverse().over("session")
    unknown = [pl.when(followed | ~pl.col("is_filled")).then(name).alias(name) for name in (*PRICES, "volume")]
    return {
        symbol: replace(one, bars=one.bars.with_columns(*unknown, is_filled=pl.col("is_filled") & followed))
        for symbol, one in checked.items()
    }


def found_leak(replay: Replay, world: World, seed: int, plant: Plant = in_hindsight) -> Leak | None:
    """The planted leak as the audit reports it; None if it is not found, or no filled minute lets one be planted."""
    thin = thinned(world, seed)

    def known(bars: Frames) -> list[Known]:
        return [bars_known(plant(replay.check(bars)))]

    base = known(thin.bars)
    middle = base[0].rows["known_at"].sort()[base[0].rows.height // 2]
    (instant,) = after_gaps(base[0].rows, middle, 1, seed)
    return first_leak(base, known(cut(thin, instant, seed).bars), instant, "cut")
