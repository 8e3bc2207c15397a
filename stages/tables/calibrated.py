"""Forecasts corrected by every calibration method, without and with their outcomes."""

from itertools import pairwise

import dataframely as dy
import polars as pl

from stages.tables.contract import Table, instant, number
from stages.tables.forecast_key import ForecastKey
from stages.tables.quantiles import LEVELS

OFFSETS = tuple(f"offset_q{level:02d}" for level in LEVELS if level != 50)


class Corrected(ForecastKey):
    """Quantiles of a forecast by one calibration method; `raw_*` as answered (crossing repaired), `q*` as corrected.

    *Units*: bp of log return from `last`.
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

    @dy.rule()
    def quantiles_are_in_order(cls) -> pl.Expr:
        """`q05 <= q25 <= q50 <= q75 <= q95`."""
        names = ["q05", "q25", "q50", "q75", "q95"]
        return pl.all_horizontal(pl.col(a) <= pl.col(b) for a, b in pairwise(names))


class Outcome(Table):
    """What happened after a forecast.

    *Units*: `y_bp` in bp of log return from `last`.
    *Time*: `target_ts` is the instant at which `y_bp` is known; `y_bp` is null (and `void` says so) where the outcome
    may not be scored.
    """

    y_bp = number(6, nullable=True)
    target_ts = instant()
    void = dy.Bool(nullable=False)

    @dy.rule()
    def void_means_no_outcome(cls) -> pl.Expr:
        """`y_bp` is null exactly where `void`."""
        return pl.col("void") == pl.col("y_bp").is_null()


class Provenance(Table):
    """Which past a forecast was corrected by, and where its answer came from.

    *Time*: `last_outcome_used_utc` is at or before `snapshot_utc` on every row. `calibrated` is false while too few
    outcomes were known; such rows stand as answered and no gate counts them (`identity` is always true).
    """

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


class Calibrated(Corrected, Provenance):
    """One row a forecast and calibration method, of every session, also of those that are sealed: no outcome."""


class Scored(Corrected, Outcome, Provenance):
    """`Calibrated` beside its outcomes; only of sessions that may be scored: the search span, or an opened holdout."""


class Traded(ForecastKey):
    """Of `Calibrated`, what trading looks at."""

    method = dy.String(primary_key=True, nullable=False)
    q25 = number(6)
    q50 = number(6)
    q75 = number(6)
    calibrated = dy.Bool(nullable=False)


class Offsets(Table):
    """What a method added to each level, per symbol, group and session that it corrected; for audits and plots.

    *Units*: the row's volatility over the horizon (bp with `calibration.scale: none`), outwards from the answered level
    for `cqr` and `cqr_sides`, signed from the median for `split`; for `widen` the share by which the distance from the
    median grows.
    """

    method = dy.String(primary_key=True, nullable=False)
    symbol = dy.String(primary_key=True, nullable=False)
    group = dy.String(primary_key=True, nullable=False)
    model = dy.String(primary_key=True, nullable=False)
    history_days = dy.Int32(primary_key=True, nullable=False)
    horizon_min = dy.Int32(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    offset_q05 = number(9)
    offset_q25 = number(9)
    offset_q75 = number(9)
    offset_q95 = number(9)
    n_cal = dy.Int32(nullable=False, min=0)
    last_outcome_used_utc = instant(nullable=True)
