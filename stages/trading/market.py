"""Bars and forecasts of one symbol as record arrays, which the compiled engine reads and writes.

Only plain record arrays and tuples are passed to compiled code, never classes: numba pickles argument types into its
disk cache, and a renamed class would make an old cache unreadable. Filled and empty minutes are left out of `BAR`, so
nothing can trade on them or be stopped by them.

*Shapes*: `BAR` (bars,); `Snapshots` (snapshots,), ordered by time; `Feed` aligned with the snapshots of its symbol.
*Units*: whole minutes since 1970-01-01 UTC; `sigma` a fraction per five minutes; `*_units` 1e-6 bp of entry notional,
`turnover_units` 1e-6 of it.
*Errors*: `DataContractError` when forecasts name a symbol without bars or a session outside the calendar, or disagree
about what was known at one snapshot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from stages.errors import DataContractError, at_work_on
from stages.params.rules import RulesParams
from stages.trading.rules import time_stops
from stages.trading.strategy import Strategy

Records = NDArray[np.void]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A real bar of one symbol; `minute` is its start.
BAR = np.dtype([("minute", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8")])

# A snapshot with the bars between which a position opened there would live.
SNAPSHOT = np.dtype(
    [
        ("minute", "i8"),
        ("session", "i8"),  # counts the calendar's sessions from 0
        ("time_stop", "i8"),
        ("planned", "i8"),  # minute of the planned entry bar
        ("entry", "i8"),  # first real bar from then on, -1 if it comes too late
        ("entry_minute", "i8"),  # of that bar
        ("latest", "i8"),  # the last minute whose bar may fill the order, unless the horizon ends before
        ("limit", "i8"),  # first real bar at or after the time stop; at least `end` if there is none
        ("end", "i8"),  # one past the session's last real bar
        ("last", "f8"),
        ("sigma", "f8"),  # floored at one tick, NaN where unknown
    ]
)

# Tests of a snapshot's forecast alone: a `Reason` for the tests before the book (`gate`), between the book and
# `k_sigma` (`early`) and after it (`late`), or `ENTER`; `side` is 0 long, 1 short, valid where nothing is refused.
# `waits` is the last minute whose bar may fill the order.
VERDICT = np.dtype(
    [("gate", "i8"), ("early", "i8"), ("late", "i8"), ("side", "i8"), ("strength", "f8"), ("waits", "i8")]
)

# How a position ends.
EXIT = np.dtype(
    [
        ("minute", "i8"),
        ("reason", "i8"),
        ("price", "f8"),
        ("gross_units", "i8"),
        ("cost_units", "i8"),
        ("turnover_units", "i8"),
        ("held_min", "i8"),
    ]
)

# A signal whose order may be sent; all others fail a test whatever the barriers and the book.
CANDIDATE = np.dtype(
    [
        ("session", "i8"),
        ("minute", "i8"),
        ("snapshot", "i8"),  # number of the snapshot
        ("fills", "?"),  # whether a bar to enter at comes in time
        ("waits", "i8"),  # as in `VERDICT`
        ("side", "i8"),
        ("strength", "f8"),
        ("mu_bp", "f8"),
        ("cost_bp", "f8"),
        ("spread_charge_bp", "f8"),
    ]
)

# Totals of a variant over the whole span.
OF_TOTAL = ("gross_units", "cost_units", "turnover_units", "trades", "wins", "held_min")
TOTAL = np.dtype([(name, "i8") for name in OF_TOTAL])


def records(kind: np.dtype[np.void], **fields: ArrayLike) -> Records:
    """A record array from its columns, which must be all of `kind`'s."""
    columns = {name: np.asarray(fields.pop(name)) for name in kind.names or ()}
    if fields:
        raise TypeError(f"{sorted(fields)} are not the fields of {kind.names}")
    made = np.empty(len(next(iter(columns.values()))), kind)
    for name, column in columns.items():
        made[name] = column
    return made


MICROSECONDS = 60_000_000


class Snapshots(NamedTuple):
    """Times of this symbol's forecasts, and what was known then; `session` counts calendar sessions from 0."""

    minute: Ints
    session: Ints
    time_stop: Ints
    limit: Ints  # the first real bar from the time stop on
    end: Ints  # and from the close on: one past the session's last real bar
    last: Floats
    sigma: Floats  # NaN where unknown

    def at(self, snapshots: slice) -> "Snapshots":
        """Some of them."""
        return Snapshots._make(values[snapshots] for values in self)


class Feed(NamedTuple):
    """The forecasts of one kind at a symbol's snapshots; uncalibrated, with NaN as levels, where there is none."""

    calibrated: Bools
    q25: Floats
    q50: Floats
    q75: Floats

    @property
    def quartiles(self) -> tuple[Floats, Floats, Floats]:
        """The levels that the rules use."""
        return self.q25, self.q50, self.q75

    def at(self, snapshots: slice) -> "Feed":
        """Those of some snapshots."""
        return Feed._make(values[snapshots] for values in self)


@dataclass(frozen=True)
class SymbolMarket:
    """One symbol: its bars, its snapshots, and its forecasts by (history_days, horizon_min, method)."""

    symbol: str
    bar_array: Records
    minutes: Ints  # of the bars, contiguous, for fast search
    snaps: Snapshots
    feeds: Mapping[tuple[int, int, str], Feed]

    def in_parts(self, parts: int) -> list["SymbolMarket"]:
        """The same market split between sessions into at most `parts` parts with similar numbers of snapshots."""
        if parts == 1:
            return [self]
        session = self.snaps.session
        cuts = np.searchsorted(session, session[[len(session) * n // parts for n in range(1, parts)]])
        edges = [0, *cuts.tolist(), len(session)]
        return [self._between(slice(*pair)) for pair in pairwise(edges) if pair[0] < pair[1]]

    def _between(self, snapshots: slice) -> "SymbolMarket":
        feeds = {kind: feed.at(snapshots) for kind, feed in self.feeds.items()}
        return replace(self, snaps=self.snaps.at(snapshots), feeds=feeds)


def markets_of(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategy: Strategy
) -> Iterator[SymbolMarket]:
    """The markets of every whitelisted symbol with forecasts of the strategy's model, by name, one at a time."""
    made = forecasts.filter(model=strategy.model).partition_by("symbol", as_dict=True)
    clock = clock_of(calendar, strategy.rules)
    for symbol in sorted(set(strategy.whitelist)):
        if (symbol,) in made:
            with at_work_on(symbol):
                market = market_of(symbol, bars_of(symbol, bars), made[symbol,], clock)
            yield market


def clock_of(calendar: pl.DataFrame, rules: RulesParams) -> pl.DataFrame:
    """The times of each session, and its number among those of the calendar."""
    return time_stops(calendar.sort("session"), rules).with_row_index("number")


def market_of(symbol: str, bar_array: Records, forecasts: pl.DataFrame, clock: pl.DataFrame) -> SymbolMarket:
    """One symbol's bars and one model's forecasts as arrays; `clock` as `clock_of` makes it."""
    minutes = np.ascontiguousarray(bar_array["minute"])
    snaps = snapshots_of(forecasts, minutes, clock)
    kinds = forecasts.partition_by("history_days", "horizon_min", "method", as_dict=True)
    feeds = {(kind[0], kind[1], kind[2]): feed_of(kinds[kind], snaps) for kind in sorted(kinds)}
    return SymbolMarket(symbol, bar_array, minutes, snaps, feeds)


def bars_of(symbol: str, bars: Mapping[str, pl.DataFrame]) -> Records:
    """Prices and start minutes of one symbol's real bars."""
    delivered = bars.get(symbol)
    if delivered is None:
        raise DataContractError(f"{symbol} has forecasts but no bars in this span: `dvc repro seal` writes both again.")
    prices = ["open", "high", "low", "close"]
    real = delivered.filter(~pl.col("is_filled") & pl.all_horizontal(pl.col(prices).is_not_null())).sort("ts")
    return records(BAR, minute=_minutes(real["ts"]), **{name: real[name].to_numpy() for name in prices})


def snapshots_of(forecasts: pl.DataFrame, minutes: Ints, clock: pl.DataFrame) -> Snapshots:
    """The distinct snapshots of one symbol's forecasts, with the times of their sessions among the minutes of bars."""
    known = forecasts.select("snapshot_utc", "session", "last", "sigma_5m").unique().sort("snapshot_utc")
    if known["snapshot_utc"].n_unique() < known.height:
        raise DataContractError(
            "forecasts of one symbol and snapshot disagree about `last` or `sigma_5m`: `dvc repro forecast` writes "
            "them again."
        )
    rows = known.join(clock, on="session", how="left", maintain_order="left")
    if rows["number"].has_nulls():
        stray = rows.filter(pl.col("number").is_null())["session"][0]
        raise DataContractError(
            f"a forecast names the session {stray}, which the calendar of this span does not hold: `dvc repro seal` "
            "writes both again."
        )
    time_stop = _minutes(rows["time_stop_utc"])
    return Snapshots(
        minute=_minutes(rows["snapshot_utc"]),
        session=rows["number"].cast(pl.Int64).to_numpy(),
        time_stop=time_stop,
        limit=np.searchsorted(minutes, time_stop),
        end=np.searchsorted(minutes, _minutes(rows["close_utc"])),
        last=rows["last"].to_numpy(),
        sigma=rows["sigma_5m"].to_numpy(),
    )


def feed_of(forecasts: pl.DataFrame, snapshots: Snapshots) -> Feed:
    """One symbol's forecasts of one kind (model, method, history, horizon), aligned with its snapshots."""
    at = np.searchsorted(snapshots.minute, _minutes(forecasts["snapshot_utc"]))
    size = len(snapshots.minute)
    calibrated = np.zeros(size, np.bool_)
    calibrated[at] = forecasts["calibrated"].to_numpy()
    quartiles = [np.full(size, np.nan) for _ in range(3)]
    for values, name in zip(quartiles, ("q25", "q50", "q75"), strict=True):
        values[at] = forecasts[name].to_numpy()
    return Feed(calibrated, *quartiles)


def _minutes(instants: pl.Series) -> Ints:
    return instants.dt.epoch("us").to_numpy() // MICROSECONDS
