"""Sound feeds of many kinds, as vendors send them: each is to pass without a warning.

Volatility and volume have the shape of a day, the open is its widest minute, days differ, nights move.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from stages.sessions.calendar import trading_calendar

CALENDAR = trading_calendar(date(2024, 11, 4), date(2024, 12, 31))  # 40 sessions, two of them half days
PRICES = ("open", "high", "low", "close")
BEFORE_MIN, AFTER_MIN = 330, 240  # of all hours: 04:00 to 20:00, a half day ends at 17:00


@dataclass(frozen=True)
class Clean:
    """A kind of market, what the vendor makes of it, and its dialect."""

    price: float = 120.0
    minute_bp: float = 5.0
    night_bp: float = 90.0
    decimals: int = 2
    half_spread: float = 0.005
    volume: float = 20_000.0
    vendor: Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame] = lambda frame, _: frame
    dialect: dict[str, Any] = field(default_factory=dict)
    all_hours: bool = False
    wild_day: bool = False


def clean_feed(kind: Clean, seed: int, calendar: pl.DataFrame = CALENDAR) -> pl.DataFrame:
    """The delivery of one symbol."""
    rng = np.random.default_rng(seed)
    rows = [_session(kind, rng, session) for session in calendar.iter_rows(named=True)]
    m, n, bp = (np.concatenate([row[i] for row in rows]) for i in (1, 2, 3))
    first = np.concatenate([[True] + [False] * (len(row[1]) - 1) for row in rows])
    inside = (m >= 0) & (m < n)
    share = np.clip(m / n, 0, 1)
    shape = np.where(inside, 0.7 + 1.3 * np.exp(-share * 14) + 0.5 * np.exp(-(1 - share) * 20), 0.4)
    shape = np.where(m == 0, 3.0, shape)
    move = rng.standard_t(5, len(m)) * shape * bp / 1e4
    night = rng.standard_t(5, len(m)) * kind.night_bp / 1.3e4
    close = kind.price * np.exp(np.cumsum(move + np.where(first, night, 0)))
    opening = close * np.exp(-move + rng.normal(0, 0.2, len(m)) * bp / 1e4)
    spread = kind.half_spread * rng.choice([-1, 1], (2, len(m)))  # trades at bid and ask
    opening, close = opening + spread[0], close + spread[1]
    reach = rng.exponential(0.6, (2, len(m))) * shape * bp / 1e4
    volume = kind.volume / 390 * rng.lognormal(0, 0.8, len(m)) * shape**1.5 * np.where(inside, 1, 0.05)
    volume = volume * np.where(m == 0, 8, 1) * np.where(m == n - 1, 10, 1)
    frame = pl.DataFrame(
        {
            "ts": np.concatenate([row[0] for row in rows]),
            "open": opening,
            "high": np.maximum(opening, close) * np.exp(reach[0]),
            "low": np.minimum(opening, close) * np.exp(-reach[1]),
            "close": close,
            "volume": np.maximum(1, volume * 390).round(),
        }
    ).with_columns(
        pl.col("ts").dt.cast_time_unit("us").dt.replace_time_zone("UTC"), pl.col(PRICES).round(kind.decimals)
    )
    return kind.vendor(frame, rng)


def _session(kind: Clean, rng: np.random.Generator, day: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Stamps, minutes from the open, length and volatility of a session."""
    n_bars = day["n_bars"]
    first, last = (-BEFORE_MIN, n_bars + AFTER_MIN) if kind.all_hours else (0, n_bars)
    m = np.arange(first, last)
    start = np.datetime64(day["open_utc"].replace(tzinfo=None), "us")
    wild = 6.0 if kind.wild_day and day["session"] == CALENDAR["session"][25] else 1.0
    bp = kind.minute_bp * rng.lognormal(0, 0.3) * wild
    return start + m * np.timedelta64(60_000_000, "us"), m, np.full(len(m), n_bars), np.full(len(m), bp)


def closing_print(frame: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
    """A row at 16:00 that holds the closing auction: one price, much volume."""
    last = frame.group_by(pl.col("ts").dt.date().alias("day"), maintain_order=True).last()
    row = last.select(
        pl.col("ts") + timedelta(minutes=1), *(pl.col("close").alias(name) for name in PRICES), pl.col("volume") * 3
    )
    return pl.concat([frame, row]).sort("ts")


def opening_print(frame: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
    """End labels, and a row at 09:30 that holds the opening auction."""
    first = frame.group_by(pl.col("ts").dt.date().alias("day"), maintain_order=True).first()
    row = first.select("ts", *(pl.col("open").alias(name) for name in PRICES), pl.col("volume") * 0.5)
    return pl.concat([frame.with_columns(pl.col("ts") + timedelta(minutes=1)), row]).sort("ts")


def minutes_without_a_trade(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """A third of the minutes had none: the vendor repeats the last close with volume 0."""
    silent = pl.Series(rng.random(frame.height) < 0.33) & ~frame["ts"].is_in(CALENDAR["open_utc"].to_list())
    quiet = frame.with_columns(silent=silent, volume=pl.when(silent).then(0.0).otherwise("volume"))
    last = pl.when(~pl.col("silent")).then("close").forward_fill()
    return quiet.with_columns(pl.when("silent").then(last).otherwise(n).alias(n) for n in PRICES).drop("silent")


def in_new_york(frame: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
    """Naive local stamps, newest first."""
    local = pl.col("ts").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    return frame.with_columns(local).reverse()


def typed(*dtypes: type[pl.DataType]) -> Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]:
    def vendor(frame: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
        for dtype in dtypes:
            frame = frame.with_columns(pl.col(PRICES).cast(dtype))
        return frame

    return vendor


def round_lots(frame: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
    return frame.with_columns(((pl.col("volume") / 100).ceil() * 100).cast(pl.Int64))


CLEAN = {
    "regular hours, start labels": Clean(),
    "391 rows, with the closing print": Clean(vendor=closing_print),
    "end labels, with the opening print": Clean(vendor=opening_print, dialect={"bar_label": "end"}),
    "all hours, half days included": Clean(all_hours=True),
    "float32": Clean(price=431.7, vendor=typed(pl.Float32)),
    "float32 kept as float64": Clean(price=431.7, vendor=typed(pl.Float32, pl.Float64)),
    "prints between the quotes": Clean(decimals=4),
    "under a dollar": Clean(price=0.43, minute_bp=14, night_bp=250, decimals=4, half_spread=5e-5),
    "three dollars, coarse ticks": Clean(price=3.1, minute_bp=7),
    "600,000 dollars a share": Clean(price=600_000.0, volume=200.0),
    "thin but complete": Clean(volume=900.0, vendor=minutes_without_a_trade),
    "a wild day": Clean(wild_day=True),
    "a wild name": Clean(price=25.0, minute_bp=20, night_bp=450),
    "naive stamps of New York, newest first": Clean(vendor=in_new_york, dialect={"zone": "America/New_York"}),
    "volumes in round lots": Clean(vendor=round_lots),
}
