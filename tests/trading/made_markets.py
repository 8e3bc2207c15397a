"""Markets for trading tests: one flat day whose minutes are set by hand, and random markets of any size."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from stages.params.rules import CostsParams, RulesParams
from stages.tables.market import Bars, Calendar
from stages.tables.scores import Cell
from stages.trading.performance import Book
from stages.trading.strategy import Strategy
from stages.trading.trade_grid import Market, blocks_of, trade_block
from tests.features.made_bars import section

NEW_YORK, UTC = ZoneInfo("America/New_York"), ZoneInfo("UTC")
MODEL, METHOD, HISTORY = "seasonal", "cqr", 40
HORIZONS = (5, 10, 20)
SNAPSHOTS = ("09:45", "10:30", "13:30", "14:45")
FULL, HALF = 390, 210

# A key that is not stated here has its committed value.
STATED = {
    "horizon_min": 10,
    "horizon_min_by_symbol": {},
    "history_days": HISTORY,
    "k_sigma": 0.5,
    "s_stop": 1.0,
    "s_take": 1.0,
    "risk_aversion": 0.0,
    "max_hold_min": None,
    "entry_delay_bars": 0,
    "max_entry_delay_bars": 2,
    "cooldown_bars": 5,
    "daily_trade_cap": 3,
    "time_stop_et": "15:55",
    "time_stop_before_close_min": 5,
}
RULES = RulesParams.model_validate(section("rules") | STATED)


def strategy(*symbols: str, methods: tuple[str, ...] = (METHOD,), histories: tuple[int, ...] = (HISTORY,), **rules):
    """Half a basis point and one tick of a cent a side; every cell of every symbol eligible."""
    costs = CostsParams(
        fees_bps=0.5,
        half_spread_ticks=dict.fromkeys(symbols, 1.0),
        tick_size=dict.fromkeys(symbols, 0.01),
        cost_mult=1.0,
    )
    cells = frozenset(Cell(s, n, h, m) for s in symbols for n in histories for h in HORIZONS for m in methods)
    return Strategy(RULES, costs, METHOD, MODEL, symbols, cells).with_rules(**rules)


def at(clock: str, day: date) -> datetime:
    """A New York clock time of a day as UTC."""
    return datetime.combine(day, time.fromisoformat(clock), NEW_YORK).astimezone(UTC)


def calendar(days: dict[date, int]) -> pl.DataFrame:
    """Sessions with their number of minutes."""
    rows = [
        {
            "session": day,
            "open_utc": at("09:30", day),
            "close_utc": at("09:30", day) + timedelta(minutes=n),
            "n_bars": n,
            "is_half": n < FULL,
        }
        for day, n in days.items()
    ]
    return Calendar.of(pl.DataFrame(rows))


def bars(day: date, prices: np.ndarray, filled: np.ndarray | None = None) -> pl.DataFrame:
    """One session from an array (minutes, 4) of open, high, low, close; `filled` minutes hold the last close."""
    return Bars.of(_minutes(day, prices, np.zeros(len(prices), bool) if filled is None else filled))


def _minutes(day: date, prices: np.ndarray, filled: np.ndarray) -> pl.DataFrame:
    ts = pl.lit(at("09:30", day)) + pl.duration(minutes="m")
    return pl.DataFrame(
        {"m": np.arange(len(prices), dtype=np.int32), "is_filled": filled}
        | dict(zip(("open", "high", "low", "close"), prices.T.astype(float), strict=True))
    ).with_columns(
        ts=ts, known_at=ts + pl.duration(minutes=1), session=pl.lit(day),
        volume=pl.lit(100.0), is_outlier=pl.lit(False), gap_len=pl.lit(0),
    )  # fmt: skip


def forecast(symbol: str, day: date, clock: str, quartiles: tuple[float, float, float], **changes) -> dict:
    """One calibrated row as far as trading reads it: last 100, sigma ten basis points."""
    q25, q50, q75 = quartiles
    return {
        "symbol": symbol,
        "snapshot_utc": at(clock, day),
        "horizon_min": 10,
        "history_days": HISTORY,
        "model": MODEL,
        "session": day,
        "snapshot_et": clock,
        "last": 100.0,
        "sigma_5m": 0.001,
        "method": METHOD,
        "q25": q25,
        "q50": q50,
        "q75": q75,
        "calibrated": True,
    } | changes


def table(forecasts: list[dict]) -> pl.DataFrame:
    """Forecast rows as a frame with the types of `Calibrated`."""
    types = {"horizon_min": pl.Int32, "history_days": pl.Int32, "sigma_5m": pl.Float64}
    return (
        pl.DataFrame(forecasts, infer_schema_length=None)
        .cast(types)
        .with_columns(pl.col("snapshot_utc").cast(pl.Datetime("us", "UTC")))
    )


def random_market(
    symbols: tuple[str, ...],
    sessions: int,
    seed: int,
    *,
    snapshots: tuple[str, ...] = SNAPSHOTS,
    methods: tuple[str, ...] = (METHOD,),
    histories: tuple[int, ...] = (HISTORY,),
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """Bars, forecasts and calendar: half days, filled and empty minutes, jumps, missing sigmas, uncalibrated rows."""
    rng = np.random.default_rng(seed)
    weekdays = [date(2024, 2, 26) + timedelta(days=n) for n in range(2 * sessions + 10)]
    days = {
        day: HALF if n % 7 == 5 else FULL for n, day in enumerate([d for d in weekdays if d.weekday() < 5][:sessions])
    }
    made_bars, rows = {}, []
    for symbol in symbols:
        parts = []
        for day, n in days.items():
            prices, filled = _random_day(rng, n)
            empty = rng.random(n) < 0.003
            parts.append(_minutes(day, prices, filled).with_columns(empty=pl.Series(empty)))
            rows += _random_forecasts(rng, (symbol, day), prices, (snapshots, methods, histories))
        frame = pl.concat(parts)
        nulls = [pl.when(frame["empty"]).then(None).otherwise(pl.col(x)).alias(x) for x in prices_of(frame)]
        made_bars[symbol] = Bars.of(frame).with_columns(nulls)
    return made_bars, table(rows), calendar(days)


def prices_of(frame: pl.DataFrame) -> list[str]:
    """The price columns."""
    return [name for name in ("open", "high", "low", "close") if name in frame.columns]


def _random_day(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    steps = rng.normal(0.0, 6e-4, n) + (rng.random(n) < 0.01) * rng.normal(0.0, 4e-3, n)
    close = np.round(100.0 * np.exp(np.cumsum(steps)), 2)
    jumps = rng.normal(0.0, 2e-4, n) + (rng.random(n) < 0.03) * rng.normal(0.0, 4e-3, n)
    open_ = np.round(np.concatenate([[100.0], close[:-1]]) * np.exp(jumps), 2)
    high = np.round(np.maximum(open_, close) + rng.exponential(0.03, n), 2)
    low = np.round(np.minimum(open_, close) - rng.exponential(0.03, n), 2)
    prices = np.column_stack([open_, high, low, close])
    filled = rng.random(n) < 0.08
    filled[0] = False
    for m in np.flatnonzero(filled):
        prices[m] = prices[m - 1, 3]
    return prices, filled


def _random_forecasts(rng, where: tuple[str, date], prices: np.ndarray, axes: tuple[tuple, ...]) -> list[dict]:
    rows = []
    (_, day), (snapshots, methods, histories) = where, axes
    for clock in snapshots:
        m = int((at(clock, day) - at("09:30", day)).total_seconds()) // 60
        if not 0 < m < len(prices):
            continue
        known = {
            "last": float(prices[m - 1, 3]),
            "sigma_5m": None if rng.random() < 0.05 else float(13e-4 * np.exp(rng.normal(0.0, 0.3))),
            "calibrated": bool(rng.random() > 0.05),
        }
        horizons = [horizon for horizon in HORIZONS if m + horizon <= len(prices)]
        for horizon, method, history in product(horizons, methods, histories):
            quartiles = np.sort(rng.normal(rng.normal(0.0, 8.0), 4.0, 3)).round(6)
            kind = {"horizon_min": horizon, "method": method, "history_days": history}
            rows.append(forecast(*where, clock, tuple(quartiles.tolist()), **known, **kind))
    return rows


def trade_here(strategies: Sequence[Strategy], market: Market) -> list[Book]:
    """The books of a grid, block by block, without an engine."""
    return [book for name, block in blocks_of(strategies).items() for book in trade_block(name, block, market)]
