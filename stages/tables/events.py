"""Dated facts that a user states: events known before they happened, halts of trading, known jumps of a price."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant

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
