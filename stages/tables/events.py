"""Events that were on a calendar before they happened: earnings, rate decisions, index changes."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant

EVERYBODY = "*"


class Events(Table):
    """One row an event; `symbol` is `*` for an event of the whole market.

    *Time*: `ts` is when it happens, `announced_at` the instant from which this row was public; before that nobody may
    know of it. A date that moves is a new row: the old one stays as it was told. Both in UTC.
    """

    ts = instant(key=True)
    symbol = dy.String(primary_key=True, nullable=False, regex=r"^(\*|[A-Z][A-Z0-9.\-]{0,14})$")
    event = dy.String(primary_key=True, nullable=False, min_length=1)
    announced_at = instant()

    @dy.rule()
    def is_announced_before_it_happens(cls) -> pl.Expr:
        """`announced_at <= ts`: what nobody announced is no scheduled event."""
        return pl.col("announced_at") <= pl.col("ts")
