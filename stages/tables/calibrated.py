"""Forecasts beside their outcomes, corrected by every calibration method."""

from itertools import pairwise

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number
from stages.tables.forecast_key import ForecastKey


class Calibrated(ForecastKey):
    """One row a forecast and calibration method; `raw_*` as answered (crossing repaired), `q*` as corrected.

    *Units*: quantiles and the outcome `y_bp` in bp of log return from `last`.
    *Time*: `target_ts` is the instant at which `y_bp` is known; it is null (and `void` says so) where the outcome may
    not be scored. `last_outcome_used_utc` is at or before `snapshot_utc` on every row. `calibrated` is false while too
    few outcomes were known; such rows stand as answered and no gate counts them (method `identity` is always true).
    """

    method = dy.String(primary_key=True, nullable=False)
    raw_q05 = number(6)
    raw_q25 = number(6)
    raw_q50 = number(6)
    raw_q75 = number(6)
    raw_q95 = number(6)
    q05 = number(6)
    q25 = number(6)
    q50 = number(6)
    q75 = number(6)
    q95 = number(6)
    y_bp = number(6, nullable=True)
    target_ts = instant()
    void = dy.Bool(nullable=False)
    group_used = dy.String(nullable=False)
    n_cal = dy.Int32(nullable=False, min=0)
    last_outcome_used_utc = instant(nullable=True)
    calibrated = dy.Bool(nullable=False)
    key = dy.String(nullable=True)
    source = dy.String(nullable=False)
    crossed = dy.Bool(nullable=False)

    @dy.rule()
    def uses_no_outcome_from_the_future(cls) -> pl.Expr:
        """`last_outcome_used_utc <= snapshot_utc`."""
        return pl.col("last_outcome_used_utc").is_null() | (pl.col("last_outcome_used_utc") <= pl.col("snapshot_utc"))

    @dy.rule()
    def quantiles_are_in_order(cls) -> pl.Expr:
        """`q05 <= q25 <= q50 <= q75 <= q95`."""
        names = ["q05", "q25", "q50", "q75", "q95"]
        return pl.all_horizontal(pl.col(a) <= pl.col(b) for a, b in pairwise(names))

    @dy.rule()
    def void_means_no_outcome(cls) -> pl.Expr:
        """`y_bp` is null exactly where `void`."""
        return pl.col("void") == pl.col("y_bp").is_null()


class Offsets(Table):
    """What calibration added, per method, group, horizon, history, model and session; for audits and plots.

    *Units*: `lower_offset`, `upper_offset` in units of the row's sigma (or bp without `calibration.scale: sigma`).
    """

    method = dy.String(primary_key=True, nullable=False)
    group = dy.String(primary_key=True, nullable=False)
    model = dy.String(primary_key=True, nullable=False)
    history_days = dy.Int32(primary_key=True, nullable=False)
    horizon_min = dy.Int32(primary_key=True, nullable=False)
    snapshot_utc = instant(key=True)
    session = dy.Date(nullable=False)
    lower_offset = number(9)
    upper_offset = number(9)
    n_cal = dy.Int32(nullable=False, min=0)
    last_outcome_used_utc = instant(nullable=True)
