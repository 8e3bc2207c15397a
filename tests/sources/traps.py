"""Traps in the artificial market: what a vendor, an exchange or a careless researcher may do to it, with known truth.

Each takes bars as delivered, by symbol or of one symbol, and returns them with one thing wrong.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

PRICES = ("open", "high", "low", "close")
Frames = dict[str, pl.DataFrame]
NEW_YORK = ZoneInfo("America/New_York")
ts = pl.col("ts")


def between(session: date, first: str, last: str) -> pl.Expr:
    """Rows of a session from one clock time in New York to another, both included."""
    stamps = (datetime.combine(session, time.fromisoformat(clock), NEW_YORK) for clock in (first, last))
    start, end = (stamp.astimezone(UTC) for stamp in stamps)
    return ts.is_between(start, end)


def halt(bars: Frames, symbol: str, session: date, first: str, last: str) -> Frames:
    """One symbol is silent while the others trade."""
    return bars | {symbol: bars[symbol].filter(~between(session, first, last))}


def feed_gap(bars: Frames, session: date, first: str, last: str) -> Frames:
    """Nobody is heard of."""
    return {symbol: frame.filter(~between(session, first, last)) for symbol, frame in bars.items()}


def split(frame: pl.DataFrame, session: date, into: int) -> pl.DataFrame:
    """From a session on, one old share is so many new ones, and no bar before it was adjusted."""
    after = ts.dt.date() >= session
    prices = [pl.when(after).then(pl.col(name) / into).otherwise(name).alias(name) for name in PRICES]
    return frame.with_columns(*prices, volume=pl.when(after).then(pl.col("volume") * into).otherwise("volume"))


def standard_time(frame: pl.DataFrame) -> pl.DataFrame:
    """A clock that does not know of summer time: in summer every stamp is an hour late."""
    offset = ts.dt.convert_time_zone("America/New_York").dt.dst_offset()
    return frame.with_columns(ts + offset)


def after_an_early_close(frame: pl.DataFrame, session: date) -> pl.DataFrame:
    """Half an hour of late trading after the close of a half day."""
    return pl.concat(
        [frame, frame.filter(between(session, "09:30", "09:59")).with_columns(ts + pl.duration(minutes=210))]
    )


def revised(frame: pl.DataFrame, session: date, first: str, last: str, bp: float) -> pl.DataFrame:
    """The vendor found better closes for some minutes."""
    hit = between(session, first, last)
    return frame.with_columns(close=pl.when(hit).then(pl.col("close") * np.exp(bp / 1e4)).otherwise("close"))


def canary(frame: pl.DataFrame) -> pl.DataFrame:
    """The next minute's return, as a column that a feature must not touch."""
    return frame.with_columns(canary=(pl.col("close").shift(-1) / pl.col("close")).log())


def bounce(frame: pl.DataFrame, half_spread_bp: float, seed: int) -> pl.DataFrame:
    """Every close is a trade at the bid or at the ask of a market that hardly moves; `mid` keeps the truth."""
    side = np.random.default_rng(seed).choice([-1.0, 1.0], frame.height)
    close = frame["close"].to_numpy() * np.exp(side * half_spread_bp / 1e4)
    opening = np.append(close[0], close[:-1])
    return frame.with_columns(
        mid=frame["close"],
        open=pl.Series(opening),
        high=pl.Series(np.maximum(opening, close)),
        low=pl.Series(np.minimum(opening, close)),
        close=pl.Series(close),
    )
