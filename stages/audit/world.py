"""The world of a replay: delivered bars and announced events, and the same world with another future.

*Time*: a delivered bar is known at the end of its minute, an event at its announcement. Stamps are read here
independently, from `source.zone`, `source.unit` and `source.bar_label` only, so that a mistake in the gate's reading is
found and not repeated.
*Units*: in a scrambled future prices fall by a tenth to a half and then move by about 0.2 % a bar; the four prices of a
bar move together, so it stays a possible bar. A rise could exceed `quality.max_price`. Some bars are missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from stages.params.quality import DialectParams
from stages.tables.market import PRICES

SHARE_LEFT = (0.5, 0.9)
PRICE_NOISE, VOLUME_NOISE = 0.002, 0.3
ABSENT = 0.02


@dataclass(frozen=True)
class World:
    """Bars by symbol as delivered, table `Events`, and the vendor's bar format."""

    bars: Mapping[str, pl.DataFrame]
    events: pl.DataFrame
    dialect: DialectParams

    def known_at(self, symbol: str) -> pl.Series:
        """When each delivered row became known; null for local times that are ambiguous at a clock change."""
        stamp = pl.col(self.vendors("ts", symbol))
        dtype = self.bars[symbol].schema[self.vendors("ts", symbol)]
        if dtype.is_integer() and self.dialect.unit:
            stamp = pl.from_epoch(stamp.cast(pl.Int64), time_unit=self.dialect.unit)
        if getattr(dtype, "time_zone", None) is None:
            stamp = stamp.dt.replace_time_zone(self.dialect.zone or "UTC", ambiguous="null", non_existent="null")
        minutes = 0 if self.dialect.bar_label == "end" else 1
        utc = stamp.dt.convert_time_zone("UTC").dt.cast_time_unit("us") + timedelta(minutes=minutes)
        return self.bars[symbol].select(utc.alias("known_at")).to_series()

    def vendors(self, ours: str, symbol: str) -> str:
        """The vendor's name of one of our columns."""
        named = [alias.replace("{symbol}", symbol) for alias, name in self.dialect.aliases.items() if name == ours]
        return next((theirs for theirs in named if theirs in self.bars[symbol].columns), ours)


Future = Callable[[World, datetime, int], World]


def cut(world: World, instant: datetime, seed: int) -> World:  # `seed` is unused: the signature of `Future`
    """The world with nothing delivered or announced after the instant."""
    bars = {
        symbol: frame.filter((world.known_at(symbol) <= instant).fill_null(value=True))
        for symbol, frame in world.bars.items()
    }
    return World(bars, world.events.filter(pl.col("announced_at") <= instant), world.dialect)


def scrambled(world: World, instant: datetime, seed: int) -> World:
    """The world with other prices, volumes and missing minutes after the instant, and without later announcements."""
    bars = {
        symbol: _scramble(world, symbol, instant, np.random.default_rng([seed, *symbol.encode()]))
        for symbol in world.bars
    }
    return World(bars, cut(world, instant, seed).events, world.dialect)


FUTURES: dict[str, Future] = {"scrambled": scrambled, "cut": cut}


def _scramble(world: World, symbol: str, instant: datetime, rng: np.random.Generator) -> pl.DataFrame:
    frame = world.bars[symbol]
    later = (world.known_at(symbol) > instant).fill_null(value=False)
    price = rng.uniform(*SHARE_LEFT) * np.exp(rng.normal(0, PRICE_NOISE, frame.height))
    volume = np.exp(rng.normal(0, VOLUME_NOISE, frame.height))
    factors = [(world.vendors(name, symbol), price) for name in PRICES] + [(world.vendors("volume", symbol), volume)]
    return frame.with_columns(
        pl.when(later).then((pl.col(name) * pl.Series(factor)).cast(frame.schema[name])).otherwise(pl.col(name))
        .alias(name)
        for name, factor in factors
    ).filter(~later | pl.Series(rng.random(frame.height) >= ABSENT))  # fmt: skip
