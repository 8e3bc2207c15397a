"""Day values: by how much the asked forecaster beats a free one on the same questions, as a share of the expected loss.

The difference of the losses of a question is divided by a unit that is known at the snapshot: the loss that a Gaussian
forecast as wide as the mean of both would expect. Dividing by the losses themselves would reward intervals that are too
narrow. A day's value is the mean over its symbols of the mean over the symbol's questions, so symbols weigh alike.

*Tables*: frames in the form of `Scored`, each of one model, one method and one history; others are as documented below.
*Units*: losses and widths in bp; values are shares of the expected loss, positive where the asked one is better.
*Time*: a unit is known at its snapshot, a day's value once all its outcomes are.
*Errors*: `DataContractError` where the outcomes differ, or the losses differ by more than the forecasts do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.calibration.mix import LOSS_PER_WIDTH
from stages.errors import DataContractError
from stages.tables.contract import rounded
from stages.tables.forecasts import LEVELS, QUANTILES

QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
VERSIONS = {"calibrated": "{}", "raw": "raw_{}"}
SHAPE, DIRECTION = "shape", "direction"
EXPECTED = {SHAPE: LOSS_PER_WIDTH, DIRECTION: 0.2425}  # of a Gaussian, by the width of its 90 % interval
VALUES = [f"{kind}_{version}" for version in VERSIONS for kind in EXPECTED]
DECIMALS = 9  # of a day's value
ROUNDING = 1e-6  # of losses in bp


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The questions with an outcome that both sides answered with calibrated forecasts, and how many were left out.

    *Tables*: symbol, snapshot_utc, horizon_min, session, and `VALUES`, the differences of the losses as shares of the
    expected loss; null if neither interval has a width. `void` and `uncalibrated` count questions without a row,
    `no_scale` the rows whose calibrated intervals have no width.
    """

    questions: pl.DataFrame
    void: int
    uncalibrated: int
    no_scale: int


@dataclass(frozen=True, kw_only=True)
class Days:
    """The day values `x`, one row a session, and how many days were set aside.

    *Tables*: session, x, n_questions, n_symbols; a day with fewer than half of the universe's symbols is set aside.
    """

    table: pl.DataFrame
    set_aside: int


def compare(asked: pl.DataFrame, free: pl.DataFrame) -> Compared:
    """The asked model's and the free model's losses on the questions of both."""
    levels = [column.format(name) for column in VERSIONS.values() for name in QUANTILES]
    kept = [*QUESTION, "session", "y_bp", "void", "calibrated", *levels]
    both = asked.select(kept).join(free.select(kept).drop("session"), on=QUESTION, how="inner", suffix="_free")
    _require_one_outcome(both)
    is_calibrated = pl.col("calibrated") & pl.col("calibrated_free")
    scored = both.filter(~pl.col("void") & is_calibrated)
    within = scored.with_columns(
        expression for version in VERSIONS for kind in EXPECTED for expression in _difference(kind, version)
    )
    _require_agreement(within)
    return Compared(
        questions=within.select(*QUESTION, "session", *VALUES),
        void=int(both["void"].sum()),
        uncalibrated=both.filter(~pl.col("void") & ~is_calibrated).height,
        no_scale=within["shape_calibrated"].null_count(),
    )


def day_values(questions: pl.DataFrame, value: str, symbols: Sequence[str], horizon_min: int) -> Days:
    """The days of one of `VALUES` at one horizon; `symbols` are all of the universe."""
    mine = questions.filter(pl.col("symbol").is_in(list(symbols)))
    return days_of(symbol_days(mine, value, horizon_min), symbols)


def symbol_days(questions: pl.DataFrame, value: str, horizon_min: int) -> pl.DataFrame:
    """One row a session and symbol: the mean `x` of one of `VALUES` at one horizon, and its number `n` of questions.

    Sums run over sorted values, so neither the order of rows nor the names of symbols change a bit.
    """
    found = questions.filter(pl.col(value).is_not_null(), horizon_min=horizon_min)
    return _means(found.select("session", "symbol", pl.col(value).alias("x")), ["session", "symbol"])


def days_of(rows: pl.DataFrame, symbols: Sequence[str]) -> Days:
    """The days from rows of `symbol_days`; `symbols` are all that count."""
    by_day = _means(rows.drop("n"), ["session"]).rename({"n": "n_symbols"})
    asked = rows.group_by("session").agg(n_questions=pl.col("n").sum())
    days = by_day.join(asked, on="session", how="left", maintain_order="left")
    present = days.filter(2 * pl.col("n_symbols") >= len(set(symbols)))
    table = present.select("session", rounded(pl.col("x"), DECIMALS), "n_questions", "n_symbols")
    return Days(table=table, set_aside=days.height - present.height)


def _means(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """One row a group, in order: the mean of `x`, summed in rising order, and the number `n` of rows."""
    rising = rows.sort(*keys, "x")
    group = rising.select(pl.struct(keys).rle_id()).to_series().to_numpy()
    n = np.bincount(group)
    mean = np.bincount(group, rising["x"].to_numpy()) / n
    return rising.select(keys).unique(maintain_order=True).with_columns(x=pl.Series(mean), n=pl.Series(n))


def _difference(kind: str, version: str) -> list[pl.Expr]:
    """The value of each question, its largest possible size (the forecasts' disagreement), and its unit in bp."""
    column, share = VERSIONS[version], EXPECTED[kind]
    y, paid, free = pl.col("y_bp"), column, f"{column}_free"
    width = 0.5 * sum((_width(side) for side in (free, paid)), pl.lit(0.0))
    unit = pl.when(width > 0).then(share * width)
    lost = {side: _loss(kind, y, side) for side in (free, paid)}
    return [
        ((lost[free] - lost[paid]) / unit).alias(f"{kind}_{version}"),
        (_disagreement(kind, free, paid) / unit).alias(f"{kind}_{version}_most"),
        unit.alias(f"{kind}_{version}_unit"),
    ]


def _width(side: str) -> pl.Expr:
    return pl.col(side.format("q95")) - pl.col(side.format("q05"))


def _loss(kind: str, y: pl.Expr, side: str) -> pl.Expr:
    """Absolute error of the median, or the mean pinball loss over the levels."""
    if kind == DIRECTION:
        return (y - pl.col(side.format("q50"))).abs()
    missed = [(level / 100, y - pl.col(side.format(name))) for level, name in zip(LEVELS, QUANTILES, strict=True)]
    return _mean([pl.max_horizontal(share * error, (share - 1) * error) for share, error in missed])


def _disagreement(kind: str, free: str, paid: str) -> pl.Expr:
    """The largest difference of the losses over all possible outcomes."""
    apart = [(pl.col(free.format(name)) - pl.col(paid.format(name))).abs() for name in QUANTILES]
    if kind == DIRECTION:
        return apart[QUANTILES.index("q50")]
    return _mean([max(level, 100 - level) / 100 * one for level, one in zip(LEVELS, apart, strict=True)])


def _mean(parts: Sequence[pl.Expr]) -> pl.Expr:
    """The mean of the levels, added from the lowest up."""
    return sum(parts[1:], parts[0]) / len(parts)


def _require_one_outcome(both: pl.DataFrame) -> None:
    other = both.filter(~pl.col("y_bp").eq_missing(pl.col("y_bp_free")) | (pl.col("void") != pl.col("void_free")))
    if other.height:
        symbol, snapshot, horizon = other.sort(QUESTION).select(QUESTION).row(0)
        raise DataContractError(
            f"{symbol} {snapshot} {horizon} min: the asked and the free model have different outcomes in "
            f"{other.height} questions, this is the first; both must be scored on the same bars: `dvc repro seal` "
            "writes them again."
        )


def _require_agreement(scored: pl.DataFrame) -> None:
    for name in VALUES:
        excess = (pl.col(name).abs() - pl.col(f"{name}_most")) * pl.col(f"{name}_unit")
        if (beyond := scored.filter(excess > ROUNDING)).height:
            symbol, snapshot, horizon = beyond.sort(QUESTION).select(QUESTION).row(0)
            raise DataContractError(
                f"{symbol} {snapshot} {horizon} min: {name} is larger than the forecasts' disagreement allows, as in "
                f"{beyond.height} questions: the losses are computed wrongly. Report this as a fault of the pipeline."
            )
