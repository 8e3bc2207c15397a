"""Bars and forecasts as the arrays that the engine walks: one tape and one list of snapshots a symbol.

*Shapes*: a tape is (bars,) records `BAR`, real bars only: a filled or empty minute is no bar, so nothing can trade on
it or be stopped by it. `Snapshots` (snapshots,), in order of time. `Feed` is aligned with the snapshots of its symbol.
*Units*: times in whole minutes since 1970-01-01 UTC; `sigma` a fraction per five minutes.
*Errors*: `DataContractError` when forecasts name a symbol without bars, a session outside the calendar, or disagree
about what was known at one snapshot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from stages.backtesting.arrays import BAR, Bools, Floats, Ints, Records, records
from stages.backtesting.strategy import Strategy
from stages.errors import DataContractError, at_work_on
from stages.rules.clock import time_stops
from stages.rules.params import RulesParams

MICROSECONDS = 60_000_000


class Snapshots(NamedTuple):
    """When this symbol was looked at, and what was known then; `session` counts the calendar's sessions from 0."""

    minute: Ints
    session: Ints
    time_stop: Ints
    close: Ints
    last: Floats
    sigma: Floats  # NaN where unknown

    def at(self, looks: slice) -> "Snapshots":
        """Some of them."""
        return Snapshots._make(values[looks] for values in self)


class Feed(NamedTuple):
    """The forecasts of one kind at a symbol's snapshots; `present` is false where there is none."""

    present: Bools
    calibrated: Bools
    q25: Floats
    q50: Floats
    q75: Floats

    @property
    def quartiles(self) -> tuple[Floats, Floats, Floats]:
        """What the rules look at."""
        return self.q25, self.q50, self.q75

    def at(self, looks: slice) -> "Feed":
        """Those of some snapshots."""
        return Feed._make(values[looks] for values in self)


@dataclass(frozen=True)
class SymbolMarket:
    """One symbol: its bars, its snapshots, and its forecasts by (history_days, horizon_min, method)."""

    symbol: str
    tape: Records
    minutes: Ints  # of the tape's bars, side by side, which makes searching them fast
    snaps: Snapshots
    feeds: Mapping[tuple[int, int, str], Feed]

    def in_parts(self, parts: int) -> list["SymbolMarket"]:
        """The same market cut between sessions into at most so many parts of about as many snapshots."""
        session = self.snaps.session
        cuts = np.searchsorted(session, session[[len(session) * n // parts for n in range(1, parts)]])
        edges = [0, *cuts.tolist(), len(session)]
        return [self._between(slice(*pair)) for pair in pairwise(edges) if pair[0] < pair[1]]

    def _between(self, looks: slice) -> "SymbolMarket":
        feeds = {kind: feed.at(looks) for kind, feed in self.feeds.items()}
        return replace(self, snaps=self.snaps.at(looks), feeds=feeds)


def markets_of(
    bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, strategy: Strategy
) -> Iterator[SymbolMarket]:
    """The markets of every whitelisted symbol that the strategy's model forecast, by name, one at a time."""
    made = forecasts.filter(model=strategy.model).partition_by("symbol", as_dict=True)
    for symbol in sorted(set(strategy.whitelist)):
        if (symbol,) in made:
            with at_work_on(symbol):
                market = market_of(symbol, bars, made[symbol,], calendar, strategy.rules)
            yield market


def market_of(
    symbol: str, bars: Mapping[str, pl.DataFrame], forecasts: pl.DataFrame, calendar: pl.DataFrame, rules: RulesParams
) -> SymbolMarket:
    """One symbol's bars and one model's forecasts as arrays; `forecasts` may hold other symbols too."""
    rows = forecasts.filter(symbol=symbol)
    snaps = snapshots_of(rows, calendar, rules)
    kinds = rows.partition_by("history_days", "horizon_min", "method", as_dict=True)
    feeds = {(kind[0], kind[1], kind[2]): feed_of(kinds[kind], snaps) for kind in sorted(kinds)}
    delivered = bars.get(symbol)
    if delivered is None:
        raise DataContractError(f"{symbol} has forecasts but no bars in this span.")
    tape = tape_of(delivered)
    return SymbolMarket(symbol, tape, np.ascontiguousarray(tape["minute"]), snaps, feeds)


def tape_of(bars: pl.DataFrame) -> Records:
    """Drop what is not a real bar and keep prices and start minutes."""
    prices = ["open", "high", "low", "close"]
    real = bars.filter(~pl.col("is_filled") & pl.all_horizontal(pl.col(prices).is_not_null())).sort("ts")
    return records(BAR, minute=_minutes(real["ts"]), **{name: real[name].to_numpy() for name in prices})


def snapshots_of(forecasts: pl.DataFrame, calendar: pl.DataFrame, rules: RulesParams) -> Snapshots:
    """The distinct snapshots of one symbol's forecasts, with the clock of their sessions."""
    known = forecasts.select("snapshot_utc", "session", "last", "sigma_5m").unique().sort("snapshot_utc")
    if known["snapshot_utc"].is_duplicated().any():
        raise DataContractError("forecasts of one symbol and snapshot disagree about `last` or `sigma_5m`.")
    clock = time_stops(calendar.sort("session"), rules).with_row_index("number")
    rows = known.join(clock, on="session", how="left").sort("snapshot_utc")
    if rows["number"].has_nulls():
        stray = rows.filter(pl.col("number").is_null())["session"][0]
        raise DataContractError(f"a forecast names the session {stray}, which the calendar of this span does not hold.")
    return Snapshots(
        minute=_minutes(rows["snapshot_utc"]),
        session=rows["number"].cast(pl.Int64).to_numpy(),
        time_stop=_minutes(rows["time_stop_utc"]),
        close=_minutes(rows["close_utc"]),
        last=rows["last"].to_numpy(),
        sigma=rows["sigma_5m"].fill_null(float("nan")).to_numpy(),
    )


def feed_of(forecasts: pl.DataFrame, snapshots: Snapshots) -> Feed:
    """One symbol's forecasts of one kind (model, method, history, horizon) laid beside its snapshots."""
    at = np.searchsorted(snapshots.minute, _minutes(forecasts["snapshot_utc"]))
    size = len(snapshots.minute)
    present, calibrated = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    present[at] = True
    calibrated[at] = forecasts["calibrated"].to_numpy()
    quartiles = [np.full(size, np.nan) for _ in range(3)]
    for values, name in zip(quartiles, ("q25", "q50", "q75"), strict=True):
        values[at] = forecasts[name].to_numpy()
    return Feed(present, calibrated, *quartiles)


def _minutes(instants: pl.Series) -> Ints:
    return instants.dt.epoch("us").to_numpy() // MICROSECONDS
