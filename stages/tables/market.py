"""Tables of the market: the calendar of sessions, sound minute bars, and dated facts that a user states.

The calendar is computed once; no later stage imports a calendar library.
"""

from datetime import time

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number

REGULAR_OPEN, REGULAR_CLOSE = time(9, 30), time(16)  # of full sessions, in New York
NEW_YORK = "America/New_York"  # the zone of the exchange, of clock times in params and of sessions


class Calendar(Table):
    """One row a session of the exchange. *Units*: `n_bars` minutes between open and close (390, half days 210)."""

    session = dy.Date(primary_key=True, nullable=False)
    open_utc = instant()
    close_utc = instant()
    n_bars = dy.Int32(nullable=False, min=1)
    is_half = dy.Bool(nullable=False)

    @dy.rule()
    def closes_after_it_opens(cls) -> pl.Expr:
        """`close_utc` is `n_bars` minutes after `open_utc`."""
        return pl.col("open_utc") + pl.duration(minutes=pl.col("n_bars")) == pl.col("close_utc")


PRICES = ("open", "high", "low", "close")
REAL = pl.col("gap_len") == 0  # a delivered bar, neither filled nor missing


class Bars(Table):
    """One row a minute of every session of the calendar, including sessions that the gate dropped.

    *Time*: `ts` is the bar's start, `known_at = ts + 1 min` the instant from which it may be used. `m` counts minutes
    from the open. A missing bar has the previous close while the gap is at most `quality.ffill_max_bars` long so far
    (`is_filled`, volume 0); after that, prices are null. `gap_len` counts the missing minutes up to and including this
    one (0 on a real bar), so no row depends on later ones.
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
    """The columns of `Bars` that trading uses."""

    ts = instant(key=True)
    open = number(6, nullable=True)
    high = number(6, nullable=True)
    low = number(6, nullable=True)
    close = number(6, nullable=True)
    is_filled = dy.Bool(nullable=False)


EVERYBODY = "*"
SYMBOL = r"^(\*|[A-Z][A-Z0-9.\-]{0,14})$"


class Events(Table):
    """One row an event; `symbol` is `*` for an event of the whole market.

    *Time*: `ts` is when it happens, `announced_at` the instant from which this row was public and may be used. An event
    whose date moves is a new row; the old one stays unchanged. Both in UTC.
    """

    ts = instant(key=True)
    symbol = dy.String(primary_key=True, nullable=False, regex=SYMBOL)
    event = dy.String(primary_key=True, nullable=False, min_length=1)
    announced_at = instant()

    @dy.rule()
    def is_announced_before_it_happens(cls) -> pl.Expr:
        """`announced_at <= ts`: an event that was not announced is not a scheduled event."""
        return pl.col("announced_at") <= pl.col("ts")


class Halts(Table):
    """One row a halt of trading; `symbol` is `*` for a halt of the whole market. `source` says who published it.

    *Time*: trading is stopped from `halted_at` until `resumed_at`. During the halt it is known, so a snapshot then may
    use the row. Both in UTC, to the second.
    """

    halted_at = instant(key=True)
    symbol = dy.String(primary_key=True, nullable=False, regex=SYMBOL)
    resumed_at = instant()
    source = dy.String(nullable=False, min_length=1)

    @dy.rule()
    def ends_after_it_begins(cls) -> pl.Expr:
        """`halted_at < resumed_at`."""
        return pl.col("halted_at") < pl.col("resumed_at")


class CorporateActions(Table):
    """One row a symbol and session with a known price jump: splits, spin-offs, or news that halved a price.

    `price_factor` is the new price over the old one: 0.25 for a 4:1 split.
    *Time*: the factor is expected between the last close before the session and its open, or once within it; where the
    session has no bar, at the next one that has.
    """

    session = dy.Date(primary_key=True, nullable=False)
    symbol = dy.String(primary_key=True, nullable=False, regex=r"^[A-Z][A-Z0-9.\-]{0,14}$")
    price_factor = dy.Float64(nullable=False, min_exclusive=0, allow_inf=False, allow_nan=False)
    reason = dy.String(nullable=False, min_length=1)
