"""The answers as a table: one row a forecast of one horizon."""

import dataframely as dy

from stages.tables.contract import number
from stages.tables.forecast_key import ForecastKey

LEVELS = (5, 25, 50, 75, 95)
QUANTILES = tuple(f"q{level:02d}" for level in LEVELS)
BENCHMARK = "persistence"  # the model whose rows stand beside the asked ones in every run


class Quantiles(ForecastKey):
    """One row a symbol, snapshot, horizon, history length and model.

    *Units*: `q05..q95` in bp of log return from `last`; `q05_px..q95_px` the same as prices; `sigma_5m` a fraction.
    *Time*: everything is known at `snapshot_utc`. `source` says model and deployment or `local:<name>`; `key` is null
    only for a benchmark, which asks no question. `crossed` says that the answer's levels were not in order.
    """

    q05 = number(6)
    q25 = number(6)
    q50 = number(6)
    q75 = number(6)
    q95 = number(6)
    q05_px = number(6)
    q25_px = number(6)
    q50_px = number(6)
    q75_px = number(6)
    q95_px = number(6)
    key = dy.String(nullable=True)
    source = dy.String(nullable=False)
    crossed = dy.Bool(nullable=False)
