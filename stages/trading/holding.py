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

Floats = NDArray[np.float64]


def earned(bars: pl.DataFrame, sessions: pl.Series) -> Floats | None:
    """What a unit of capital of one symbol earned so far at the close of each session; None without any price.

    It is bought at the first open. A session without a price leaves the value where it was. *Units*: bp of what was
    paid.
    """
    session = pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date().alias("session")
    closes = (
        bars.lazy()
        .group_by(session)
        .agg(pl.col("open").drop_nulls().first(), pl.col("close").drop_nulls().last())
        .collect()
    )
    prices = sessions.to_frame("session").join(closes, on="session", how="left").sort("session")
    paid = prices["open"].drop_nulls()
    if paid.is_empty():
        return None
    close = prices["close"].forward_fill().fill_null(paid[0])
    value: Floats = (1e4 * (close / paid[0] - 1.0)).to_numpy()
    return value


def held(values: Sequence[Floats | None], sessions: pl.Series) -> pl.DataFrame:
    """`session` and `net_bp` of the mean of what symbols `earned`; a symbol without any price is left out.

    The first day counts from the first open to its close, each later day from close to close.
    """
    days, priced = sessions.to_frame("session"), [value for value in values if value is not None]
    if not priced:
        return days.clear().with_columns(net_bp=pl.lit(0.0))
    mean = np.mean(priced, axis=0)
    return days.with_columns(net_bp=pl.Series(np.diff(mean, prepend=0.0)).round(6))


def benchmark(
    spans: Mapping[str, pl.Series], values: Mapping[str, Mapping[str, Floats | None]], symbols: Sequence[str]
) -> pl.DataFrame:
    """`Benchmark` of each span from its sessions and what its symbols `earned`: buy and hold of `symbols`, and of SPY.

    SPY is left out where its bars are not there.
    """
    parts: list[pl.DataFrame] = [Benchmark.create_empty()]
    for name, sessions in spans.items():
        known = values[name]
        for benchmark, members in {HOLDING: symbols, **({MARKET: [MARKET]} if MARKET in known else {})}.items():
            days = held([known[symbol] for symbol in members], sessions)
            parts.append(days.select(pl.lit(name).alias("span"), pl.lit(benchmark).alias("name"), "session", "net_bp"))
    return Benchmark.of(pl.concat(parts))
