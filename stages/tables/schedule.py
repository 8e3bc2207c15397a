"""Which question each (symbol, snapshot, history) leads to, or why none is asked."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number


class Schedule(Table):
    """One row a symbol, snapshot and history length; `status` is `ok` or the reason of the skip.

    *Time*: `m0` is the last bar known at the snapshot, `last` its close, `sigma_5m` the trailing volatility then.
    *Units*: `sigma_5m` is a fraction per five minutes; `rows_sent` counts history rows in the question.
    Rows with the same `key` are the same question, whatever `history_days` says.
    """

    symbol = dy.String(primary_key=True, nullable=False)
    snapshot_utc = instant(key=True)
    history_days = dy.Int32(primary_key=True, nullable=False, min=1)
    session = dy.Date(nullable=False)
    snapshot_et = dy.String(nullable=False)
    status = dy.String(nullable=False)
    m0 = dy.Int32(nullable=True)
    last = number(6, nullable=True)
    sigma_5m = number(12, nullable=True)
    history_first = dy.Date(nullable=True)
    rows_sent = dy.Int32(nullable=True)
    key = dy.String(nullable=True)

    @dy.rule()
    def an_asked_question_is_complete(cls) -> pl.Expr:
        """`ok` rows carry `m0`, `last`, `rows_sent` and `key`."""
        complete = pl.all_horizontal(pl.col("m0", "last", "history_first", "rows_sent", "key").is_not_null())
        return (pl.col("status") == "ok") == complete
