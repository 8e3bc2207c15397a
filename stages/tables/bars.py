"""Sound minute bars on the gapless regular-hours grid, one file a symbol."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number

PRICES = ("open", "high", "low", "close")
REAL = pl.col("gap_len") == 0  # a bar that the market made, neither carried forward nor missing


class Bars(Table):
    """One row a minute of every session of the calendar, also of sessions that the gate dropped.

    *Time*: `ts` is the bar's start, `known_at = ts + 1 min` the instant from which it may be used. `m` counts minutes
    from the open. A missing bar carries the previous close while the gap is at most `quality.ffill_max_bars` long so
    far (`is_filled`, volume 0); beyond that, prices are null. `gap_len` counts the missing minutes up to and including
    this one (0 on a real bar), so no row depends on what comes after it.
    *Units*: prices in the quote currency, volume in shares.
    """

    ts = instant(key=True)
    known_at = instant()
    session = dy.Date(nullable=False)
    m = dy.Int32(nullable=False, min=0)
    open = number(6, nullable=True)
    high = number(6, nullable=True)
    low = number(6, nullable=True)
    close = number(6, nullable=True)
    volume = number(3, nullable=True)
    is_filled = dy.Bool(nullable=False)
    is_outlier = dy.Bool(nullable=False)
    gap_len = dy.Int32(nullable=False, min=0)


class Prices(Table):
    """Of `Bars`, what trading looks at."""

    ts = instant(key=True)
    open = number(6, nullable=True)
    high = number(6, nullable=True)
    low = number(6, nullable=True)
    close = number(6, nullable=True)
    is_filled = dy.Bool(nullable=False)
