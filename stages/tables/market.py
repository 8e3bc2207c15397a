"""What is known of the market: the calendar of sessions, sound minute bars, dated facts.

The sessions of the study, computed once; no later stage imports a calendar library.

Sound minute bars on the gapless regular-hours grid, one file a symbol.

Dated facts that a user states: events known before they happened, halts of trading, known jumps of a price.
"""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number

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


EVERYBODY = "*"
SYMBOL = r"^(\*|[A-Z][A-Z0-9.\-]{0,14})$"


class Events(Table):
    """One row an event; `symbol` is `*` for an event of the whole market.

    *Time*: `ts` is when it happens, `announced_at` the instant from which this row was public; before that nobody may
    know of it. A date that moves is a new row: the old one stays as it was told. Both in UTC.
    """

    ts = instant(key=True)
    symbol = dy.String(primary_key=True, nullable=False, regex=SYMBOL)
    event = dy.String(primary_key=True, nullable=False, min_length=1)
    announced_at = instant()

    @dy.rule()
    def is_announced_before_it_happens(cls) -> pl.Expr:
        """`announced_at <= ts`: what nobody announced is no scheduled event."""
        return pl.col("announced_at") <= pl.col("ts")


class Halts(Table):
    """One row a halt of trading; `symbol` is `*` for a halt of the whole market.

    *Time*: nobody can trade from `halted_at` until `resumed_at`, and at every instant between the two everybody knows
    it: who looks at the market then may use the row. Both in UTC, to the second. `source` says who published them.
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
    """Splits, spin-offs, news that halved a price: one row a symbol and session.

    `price_factor` is the new price over the old one: 0.25 for a 4:1 split.
    *Time*: the factor is expected between the last close before the session and its open, or once within it.
    """

    session = dy.Date(primary_key=True, nullable=False)
    symbol = dy.String(primary_key=True, nullable=False, regex=r"^[A-Z][A-Z0-9.\-]{0,14}$")
    price_factor = dy.Float64(nullable=False, min_exclusive=0, allow_inf=False, allow_nan=False)
    reason = dy.String(nullable=False, min_length=1)
