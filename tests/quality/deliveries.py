"""Deliveries of a made-up vendor, sound unless a test spoils them, and the way through the gate."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from stages.params.quality import DialectParams, QualityParams
from stages.quality.cross_symbol import check_symbols
from stages.quality.gate import Checked
from stages.quality.report import quality_report
from stages.sessions.calendar import minute_grid, trading_calendar

QUALITY = QualityParams(**yaml.safe_load(Path("conf/quality/default.yaml").read_text()))
CALENDAR = trading_calendar(date(2024, 11, 18), date(2024, 12, 6))  # 14 sessions, 2024-11-29 a half day
DIALECT = {"aliases": {}, "zone": None, "bar_label": "start", "bar_label_trusted": False, "unit": None,
           "price_scale": 1.0, "renames": {}}  # fmt: skip
NUMBERS = ("open", "high", "low", "close", "volume")


def dialect(**changes: Any) -> DialectParams:
    return DialectParams(**(DIALECT | changes))


def delivery(calendar: pl.DataFrame = CALENDAR, seed: int = 1) -> pl.DataFrame:
    """A sound random walk in cents, every minute of every session delivered."""
    stamps = minute_grid(calendar).select("ts")
    return stamps.hstack(walk(stamps.height, seed))


@cache
def walk(rows: int, seed: int) -> pl.DataFrame:
    """Prices and volumes."""
    generator = np.random.default_rng(seed)
    cents = 10_000 + np.cumsum(generator.integers(-4, 5, rows + 1))
    opening, close = cents[:-1], cents[1:]
    reach = generator.integers(0, 3, (2, rows))
    return pl.DataFrame(
        {
            "open": opening / 100,
            "high": (np.maximum(opening, close) + reach[0]) / 100,
            "low": (np.minimum(opening, close) - reach[1]) / 100,
            "close": close / 100,
            "volume": generator.integers(100, 1000, rows).astype(float),
        }
    )


def through_the_gate(delivered: pl.DataFrame, calendar: pl.DataFrame = CALENDAR, **changes: Any) -> Checked:
    """One symbol checked under the default thresholds; `changes` are the vendor's dialect."""
    return check_symbols({"SYM": delivered}, dialect(**changes), calendar, QUALITY)["SYM"]


def report_of(checked: dict[str, Checked], calendar: pl.DataFrame = CALENDAR, quality: Any = QUALITY) -> dict[str, Any]:
    """The data report on these symbols."""
    return quality_report(checked, {"source": "mine", "uri_template": None}, calendar, quality)


def minute(session: date, m: int) -> pl.Expr:
    """The row that starts `m` minutes after the open of a session in New York winter time."""
    return pl.col("ts") == pl.datetime(session.year, session.month, session.day, 14, 30, time_zone="UTC").dt.offset_by(
        f"{m}m"
    )


def minutes(session: date, first: int, last: int) -> pl.Expr:
    """Rows `first` to `last` of a session."""
    opening = pl.datetime(session.year, session.month, session.day, 14, 30, time_zone="UTC")
    return pl.col("ts").is_between(opening.dt.offset_by(f"{first}m"), opening.dt.offset_by(f"{last}m"))


def day(checked: Checked, session: date) -> dict[str, Any]:
    return checked.days.row(by_predicate=pl.col("session") == session, named=True)


def bar(checked: Checked, session: date, m: int) -> dict[str, Any]:
    return checked.bars.row(by_predicate=(pl.col("session") == session) & (pl.col("m") == m), named=True)
