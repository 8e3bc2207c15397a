"""Tables of forecasts: which are asked, what was answered, how it was calibrated, and the outcomes.

Also the label of a run's sources, which never calls a local forecast TimeGPT.
"""

from collections.abc import Sequence
from itertools import pairwise

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


class Schedule(Table):
    """One row a symbol, snapshot and history length; `status` is `ok` or the reason why nothing is asked.

    Rows with the same `key` are the same question, whatever their `history_days`.
    *Time*: `m0` is the last bar known at the snapshot, `last` its close, `sigma_5m` the trailing volatility then.
    *Units*: `sigma_5m` is a fraction per five minutes; `rows_sent` counts history rows in the question.
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


LEVELS = (5, 25, 50, 75, 95)
QUANTILES = tuple(f"q{level:02d}" for level in LEVELS)
BENCHMARK = "persistence"  # the benchmark model of every run
FREE = "free:"  # prefix of the model name of a free forecast, which answers the same questions as the asked one
MIX = "free_mix"  # the best free forecast, chosen by losses of earlier days
FREE_MIX = f"{FREE}{MIX}"


class Quantiles(ForecastKey):
    """One row a symbol, snapshot, horizon, history length and model, as answered.

    `source` names model and deployment, `local:<name>` or `command:<model>`; `key` is null only for a benchmark or a
    free forecast of a local forecaster, which ask no question.
    `crossed`: the answer's levels were not in order.
    *Units*: `q05..q95` in bp of log return from `last`; `q05_px..q95_px` the same as prices; `sigma_5m` a fraction.
    *Time*: everything is known at `snapshot_utc`.
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
    """The outcome of a forecast; `y_bp` is null, and `void` true, where it may not be scored.

    *Units*: `y_bp` in bp of log return from `last`.
    *Time*: `target_ts` is the instant at which `y_bp` is known.
    """

    y_bp = number(6, nullable=True)
    target_ts = instant()
    void = dy.Bool(nullable=False)

    @dy.rule()
    def void_means_no_outcome(cls) -> pl.Expr:
        """`y_bp` is null exactly where `void`."""
        return pl.col("void") == pl.col("y_bp").is_null()


class Provenance(Table):
    """Which past outcomes corrected a forecast, and where its answer came from.

    `calibrated` is false while too few outcomes were known; such rows stay as answered and no gate counts them
    (`identity` is always true).
    *Time*: `last_outcome_used_utc` is at or before `snapshot_utc` on every row.
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
    """One row a forecast and calibration method, of every session including sealed ones, without outcomes."""


class FreeWeights(Table):
    """The weight of each candidate in the mix of free forecasts, set before a session's outcomes are known.

    Weights of a session and horizon add up to 1.
    *Time*: `last_outcome_used_utc` is in an earlier session; null while nothing was known, so that it is the prior.
    """

    session = dy.Date(primary_key=True, nullable=False)
    horizon_min = dy.Int32(primary_key=True, nullable=False, min=1)
    model = dy.String(primary_key=True, nullable=False)
    weight = number(9)
    last_outcome_used_utc = instant(nullable=True)

    @dy.rule()
    def uses_no_outcome_of_its_session(cls) -> pl.Expr:
        """The day of `last_outcome_used_utc` is before `session`."""
        return pl.col("last_outcome_used_utc").is_null() | (
            pl.col("last_outcome_used_utc").dt.date() < pl.col("session")
        )


class Scored(Corrected, Outcome, Provenance):
    """`Calibrated` with outcomes; only for sessions that may be scored: the search span, or an opened holdout."""


class Traded(ForecastKey):
    """The columns of `Calibrated` that trading uses."""

    method = dy.String(primary_key=True, nullable=False)
    q25 = number(6)
    q50 = number(6)
    q75 = number(6)
    calibrated = dy.Bool(nullable=False)


class Offsets(Table):
    """What a method added to each level, per symbol, group and session; for audits and plots.

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


LOCAL = "local:"
PROGRAM = "command:"  # a program of the user's
SYNTHETIC = "synthetic"
NEVER = "never"  # the end of the training of this project's own forecasters


def makers(forecasts: pl.DataFrame) -> list[str]:
    """The sources of the asked forecasts, sorted; benchmark rows have no key and are left out."""
    return sorted(forecasts.filter(pl.col("key").is_not_null())["source"].unique())


def is_local(sources: Sequence[str]) -> bool:
    """Whether every forecast was made here, free of charge, by a local forecaster or a program of the user's."""
    return all(name.startswith((LOCAL, PROGRAM)) for name in sources)


def is_untrained(sources: Sequence[str]) -> bool:
    """Whether every forecast is of this project's own forecasters, which are not trained; a user's program may be."""
    return all(name.startswith(LOCAL) for name in sources)


def origin(sources: Sequence[str], kind: str, name: str) -> str:
    """Who made the forecasts, and on which bars: for the head of a page and every picture."""
    names = [_maker(source) for source in sources]
    bars = "an artificial market" if kind == SYNTHETIC else f"bars of “{name}”"
    return f"{' and '.join(names)} on {bars}"


def _maker(source: str) -> str:
    for prefix, kind in ((LOCAL, "Local forecaster"), (PROGRAM, "Local program")):
        if source.startswith(prefix):
            return f"{kind} “{source.removeprefix(prefix)}” (not TimeGPT)"
    return source
