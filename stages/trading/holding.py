"""Buying and holding, the benchmark of a book, in the measure of the book.

A unit of capital a symbol, bought at the first open of the span and kept to its last close, without costs. Its days add
up to what it earned on that capital, as the days of a book do.

*Tables*: `Benchmark`. *Units*: bp of the capital at the start of the span.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.tables.market import NEW_YORK
from stages.tables.trades import HOLDING, MARKET, Benchmark
from stages.trading.book import Span

Floats = NDArray[np.float64]


def held(bars: Mapping[str, pl.DataFrame], symbols: Sequence[str], sessions: pl.Series) -> pl.DataFrame:
    """Buying and holding a unit of capital of each symbol over the sessions: `session` and `net_bp` of their mean.

    The first day counts from the first open to its close, each later day from close to close, in bp of what was paid. A
    session without a price leaves the value where it was; a symbol without any price is left out.
    """
    days = sessions.to_frame("session")
    values = [value for symbol in symbols if (value := _value(bars[symbol], days)) is not None]
    if not values:
        return days.clear().with_columns(net_bp=pl.lit(0.0))
    mean = np.mean(values, axis=0)
    return days.with_columns(net_bp=pl.Series(np.diff(mean, prepend=0.0)).round(6))


def _value(bars: pl.DataFrame, days: pl.DataFrame) -> Floats | None:
    """What a unit earned so far at each close, in bp of its first open."""
    session = pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date().alias("session")
    closes = (
        bars.lazy()
        .group_by(session)
        .agg(pl.col("open").drop_nulls().first(), pl.col("close").drop_nulls().last())
        .collect()
    )
    prices = days.join(closes, on="session", how="left").sort("session")
    paid = prices["open"].drop_nulls()
    if paid.is_empty():
        return None
    close = prices["close"].forward_fill().fill_null(paid[0])
    earned: Floats = (1e4 * (close / paid[0] - 1.0)).to_numpy()
    return earned


def benchmark(spans: Mapping[str, Span], symbols: Sequence[str]) -> pl.DataFrame:
    """`Benchmark` of each span: buy and hold of `symbols`, and of SPY where its bars are there."""
    parts: list[pl.DataFrame] = [Benchmark.create_empty()]
    for name, span in spans.items():
        bars, sessions = span.inputs.bars, span.calendar["session"].sort()
        for benchmark, members in {HOLDING: symbols, **({MARKET: [MARKET]} if MARKET in bars else {})}.items():
            days = held(bars, members, sessions)
            parts.append(days.select(pl.lit(name).alias("span"), pl.lit(benchmark).alias("name"), "session", "net_bp"))
    return Benchmark.of(pl.concat(parts))
