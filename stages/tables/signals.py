"""One decision a forecast: entered, or the first reason why not."""

import dataframely as dy

from stages.tables.contract import number
from stages.tables.forecast_key import ForecastKey


class Signals(ForecastKey):
    """One row a forecast that the strategy could have traded.

    `decision` is `long`, `short` or the first failing rule. *Units*: `ev_bp`, `cost_bp` (round trip) in bp of `last`;
    both null where params state no costs for the symbol, `ev_bp` also where the forecast takes no side.
    *Time*: everything is known at `snapshot_utc`, but for the reasons that depend on open positions.
    """

    method = dy.String(primary_key=True, nullable=False)
    decision = dy.String(nullable=False)
    ev_bp = number(6, nullable=True)
    cost_bp = number(6, nullable=True)
