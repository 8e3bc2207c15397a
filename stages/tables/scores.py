"""The table of scores: every figure of every cell, in long form, to be filtered and plotted."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import dataframely as dy

from stages.tables.contract import Table, number

ALL_DAY = "all"  # `snapshot_et` of a cell over all clock times
WORSE = "worse than persistence"  # prefix of the text of a gate whose bound is a lower one


class Cell(NamedTuple):
    """The unit that is scored: one symbol's forecasts of one history, horizon and method."""

    symbol: str
    history_days: int
    horizon_min: int
    method: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """The cell that an entry of `metrics.json` or `forecast_gates.json` is about."""
        return cls(*(entry[name] for name in cls._fields))


class Cells(Table):
    """One row a cell, clock time, figure and version of the asked model's forecasts on the search span.

    `snapshot_et` is `all`, or a clock time (stated method only, without bounds). `version` is `raw` (as answered) or
    `calibrated`. `low`, `high`, `se` and `floor` are null where the figure has none; `n` to `n_crossed` and `unmoved`
    belong to the `Cell` and repeat on its rows.
    *Units*: by `metric` (docs/EVALUATION.md): bp where its name says so, the rest are ratios, shares, statistics and p.
    """

    symbol = dy.String(primary_key=True, nullable=False)
    history_days = dy.Int32(primary_key=True, nullable=False, min=1)
    horizon_min = dy.Int32(primary_key=True, nullable=False, min=1)
    method = dy.String(primary_key=True, nullable=False)
    snapshot_et = dy.String(primary_key=True, nullable=False)
    metric = dy.String(primary_key=True, nullable=False)
    version = dy.String(primary_key=True, nullable=False)
    value = number(6, nullable=True)
    low = number(6, nullable=True)
    high = number(6, nullable=True)
    se = number(6, nullable=True)
    floor = number(6, nullable=True)
    n = dy.Int32(nullable=False, min=0)
    n_days = dy.Int32(nullable=False, min=0)
    n_void = dy.Int32(nullable=False, min=0)
    n_uncalibrated = dy.Int32(nullable=False, min=0)
    n_crossed = dy.Int32(nullable=False, min=0)
    unmoved = number(6, nullable=True)
