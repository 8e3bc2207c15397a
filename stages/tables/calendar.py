"""The sessions of the study, computed once; no later stage imports a calendar library."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant


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
