"""Calendars and bars for tests: small, made here, with the faults that the grid allows."""

from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import yaml

from stages.params.features import FeaturesParams
from stages.sessions.calendar import minute_grid
from stages.tables.market import Bars, Calendar, Events
from tests.architecture.dependencies import ROOT

FIRST_MONDAY = date(2024, 1, 8)


def section(name: str) -> dict[str, Any]:
    """A section of the committed params.yaml."""
    return deepcopy(committed_params()[name])


@cache
def committed_params() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def features_params(**changes: Any) -> FeaturesParams:
    """The committed section `features`, with changes."""
    return FeaturesParams.model_validate(section("features") | changes)


def made_calendar(
    sessions: int, n_bars: int = 390, half: tuple[int, ...] = (), first: date = FIRST_MONDAY
) -> pl.DataFrame:
    """Weekdays from `first`, each open at 09:30 in New York; the sessions numbered in `half` have half the bars."""
    days = [day for day in (first + timedelta(days=k) for k in range(2 * sessions + 3)) if day.weekday() < 5][:sessions]
    lengths = [n_bars // 2 if number in half else n_bars for number in range(sessions)]
    opens = [datetime.combine(day, time(9, 30), ZoneInfo("America/New_York")).astimezone(UTC) for day in days]
    return Calendar.of(
        pl.DataFrame(
            {
                "session": days,
                "open_utc": opens,
                "close_utc": [at + timedelta(minutes=n) for at, n in zip(opens, lengths, strict=True)],
                "n_bars": lengths,
                "is_half": [n < n_bars for n in lengths],
            }
        )
    )


def bars_of(calendar: pl.DataFrame, closes: list[float | None], **columns: list[Any]) -> pl.DataFrame:
    """Bars with these closes; a null close is a bar that nobody filled. Other columns may be given."""
    made = {
        "open": closes,
        "high": closes,
        "low": closes,
        "close": closes,
        "volume": [100.0] * len(closes),
        "is_filled": [close is None for close in closes],
        "is_outlier": [False] * len(closes),
        "gap_len": [0] * len(closes),
    }
    return Bars.of(minute_grid(calendar).with_columns(pl.Series(name, v) for name, v in (made | columns).items()))


def random_bars(calendar: pl.DataFrame, seed: int, missing: float = 0.0) -> pl.DataFrame:
    """A random walk in cents; `missing` minutes are filled with the close before, also at the open."""
    rng = np.random.default_rng(seed)
    n = calendar["n_bars"].sum()
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    before = np.concatenate([[100.0], close[:-1]])
    filled = rng.random(n) < missing
    filled[0] = False
    source = np.maximum.accumulate(np.where(filled, 0, np.arange(n)))  # the last real bar
    close, before = close[source].round(2), np.where(filled, close[source], before).round(2)
    high = np.where(filled, close, np.maximum(before, close) + rng.integers(0, 4, n) / 100)
    low = np.where(filled, close, np.minimum(before, close) - rng.integers(0, 4, n) / 100)
    volume = np.where(filled, 0, rng.integers(1, 5000, n)).astype(float)
    shape = {"open": before, "high": high, "low": low, "close": close, "volume": volume, "is_filled": filled}
    return bars_of(calendar, close.tolist(), **{name: values.tolist() for name, values in shape.items()})


def made_events(*events: tuple[datetime, str, datetime] | tuple[datetime, str, datetime, str]) -> pl.DataFrame:
    """Table `Events` from (when it happens, symbol, when it was announced), and what it is if that matters."""
    return Events.of(
        pl.DataFrame(
            [(at, who, *(kind or [f"event {n}"]), told) for n, (at, who, told, *kind) in enumerate(events)],
            schema=["ts", "symbol", "event", "announced_at"],
            orient="row",
        )
    )


def events_of(calendar: pl.DataFrame) -> pl.DataFrame:
    """Noon on every session: odd sessions' events were announced the week before, even ones' a quarter of an hour."""
    opens = calendar["open_utc"].to_list()
    return made_events(
        *(
            (
                at + timedelta(minutes=30),
                "*" if k % 3 else "A",
                at + timedelta(minutes=15) - timedelta(days=7 * (k % 2)),
                ("FOMC", "CPI", "Earnings")[k % 3],
            )
            for k, at in enumerate(opens)
        )
    )


def usable_of(calendar: pl.DataFrame, *symbols: str) -> dict[str, tuple[date, ...]]:
    """Every session sound for every symbol."""
    return {symbol: tuple(calendar["session"]) for symbol in symbols}
