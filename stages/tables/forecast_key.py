"""What names a forecast; shared by every table that holds one row a forecast."""

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number


class ForecastKey(Table):
    """One row a symbol, snapshot, horizon, history length and model.

    *Units*: `last` a price, `sigma_5m` a fraction per five minutes; both as known at `snapshot_utc`.
    """

    symbol = dy.String(primary_key=True, nullable=False)
    snapshot_utc = instant(key=True)
    horizon_min = dy.Int32(primary_key=True, nullable=False, min=1)
    history_days = dy.Int32(primary_key=True, nullable=False, min=1)
    model = dy.String(primary_key=True, nullable=False)
    session = dy.Date(nullable=False)
    snapshot_et = dy.String(nullable=False)
    last = number(6)
    sigma_5m = number(12, nullable=True)

    @dy.rule()
    def last_is_a_price(cls) -> pl.Expr:
        """`last` is above zero."""
        return pl.col("last") > 0
