"""Minute columns: one row a minute of the gapless grid, prices as returns; and counts of unknown feature values.

*Tables*: `Bars` plus the columns below, sorted by `ts`. `feature_report.json`, per symbol: `rows`; `rows_incomplete`,
those on which a required feature is unknown; per feature `nulls` among all rows, `due` minutes (of usable sessions,
after its look-back), `nulls_due` among these.
*Units*: `r` a log return per minute; `r2, r2_real, hl2, gk` squares of log returns; `tr` in price, `tpv` in money.
*Time*: each added column uses its own row and earlier rows of the same session.
*Errors*: `DataContractError` when a required feature is unknown on more than `features.max_null_share` of its due
minutes.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.errors import DataContractError
from stages.params.features import FeaturesParams

M = pl.col("m")
OPENING_WEIGHT = 2 * math.log(2) - 1  # Garman and Klass (1980), J. Business 53(1)


def minute_return() -> pl.Expr:
    """`ln(C_m / C_{m-1})`; at the open `ln(C_0 / O_0)`, so the overnight move is in no return.

    A minute without a trade returns 0. Null until the session has traded, and on its first trade after the first
    minute, since the previous close is of another day. After a gap too long to fill, the first bar after it has the
    whole move.
    """
    close, traded = pl.col("close"), is_real()
    has_traded = pl.when(traded).then("session").forward_fill() == pl.col("session")
    before = pl.when(M == 0).then("open").otherwise(close.forward_fill().shift(1))
    is_known = pl.when(M == 0).then(traded).otherwise(has_traded.shift(1))
    return pl.when(is_known).then((close / before).log())


def is_real() -> pl.Expr:
    """Whether the bar was delivered and is sound: not filled, not nulled."""
    return ~pl.col("is_filled") & pl.col("close").is_not_null()


def with_returns(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with `r`, and `known_min`: for how many minutes in a row, up to this one, the return is known."""
    _require_gapless(bars)
    row = pl.int_range(pl.len())
    last_unknown = pl.when(pl.col("r").is_null()).then(row).forward_fill().fill_null(-1)
    return bars.with_columns(r=minute_return()).with_columns(known_min=row - last_unknown)


def with_minute_columns(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with returns, `r2`, and the columns that features average, which are null except on real bars."""
    log_range, log_body = (pl.col("high") / pl.col("low")).log(), (pl.col("close") / pl.col("open")).log()
    before = pl.when((M > 0) & pl.col("r").is_not_null()).then(pl.col("close").shift(1))
    logs = {"log_range": log_range, "log_body": log_body}
    averaged = {
        "r2_real": pl.col("r2"),
        "hl2": pl.col("log_range") ** 2,
        "gk": 0.5 * pl.col("log_range") ** 2 - OPENING_WEIGHT * pl.col("log_body") ** 2,
        "tr": pl.when(before > pl.col("high")).then(before).otherwise("high")  # also without a bar before
        - pl.when(before < pl.col("low")).then(before).otherwise("low"),
        "tpv": (pl.col("high") + pl.col("low") + pl.col("close")) / 3 * pl.col("volume"),
        "v": pl.col("volume"),
        "log_volume": (1 + pl.col("volume")).log(),
    }
    return (
        with_returns(bars)
        .with_columns(pl.col("session").set_sorted(), r2=pl.col("r") ** 2, real=is_real(), **logs)
        .with_columns(pl.when("real").then(value).alias(name) for name, value in averaged.items())
    )


def sessions_of(frame: pl.DataFrame, calendar: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The calendar's rows of a frame's sessions, with `known_at` of their first row; and for each row of the frame the
    index of its session.
    """
    opens = frame.select("session", "known_at", "m").filter(M == 0).drop("m")
    return opens.join(calendar, on="session", how="left", maintain_order="left"), frame["session"].rle_id()


def trailing_sum(column: str, window: int) -> pl.Expr:
    """Sum over the last `window` minutes of this session, or all there are; a null counts as 0.

    Values that have left the window leave no rounding error, so a result depends on its window alone, to the last bit.
    """

    def total(given: Sequence[pl.Series]) -> pl.Series:
        m, values = (one.to_numpy() for one in given)
        return pl.Series(_of_last(values, m, window))

    return pl.map_batches([M, pl.col(column).fill_null(0.0)], total, return_dtype=pl.Float64)


def trailing_mean(column: str, window: int, min_obs: int) -> pl.Expr:
    """Mean of the values known in that window; null where fewer than `min_obs` (or than `window`) are known."""

    def mean(given: Sequence[pl.Series]) -> pl.Series:
        m, values, known = (one.to_numpy() for one in given)
        count = _of_last(known, m, window)
        means = _of_last(values, m, window) / np.maximum(count, 1)
        means[count < min(min_obs, window)] = np.nan
        return pl.Series(means, nan_to_null=True)

    value = pl.col(column)
    known = value.is_not_null().cast(pl.Int16)
    return pl.map_batches([M, value.fill_null(0.0), known], mean, return_dtype=pl.Float64)


def _of_last(values: NDArray[Any], m: NDArray[np.int32], window: int) -> NDArray[Any]:
    """Sum of the last `window` rows of a session, from sums of half as many."""
    early = np.flatnonzero(m < window)
    minute = m[early]

    def plus(sums: NDArray[Any], others: NDArray[Any], rows: int) -> NDArray[Any]:
        """Each sum plus the one that `others` holds `rows` rows earlier, where the session has such a row."""
        both = np.empty_like(sums)
        np.add(sums[rows:], others[: max(0, len(others) - rows)], out=both[rows:])
        alone = early[minute < rows]
        both[alone] = sums[alone]
        return both

    def last(rows: int) -> NDArray[Any]:
        if rows == 1:
            return values
        half = last(rows // 2)
        even = plus(half, half, rows // 2)
        return plus(values, even, 1) if rows % 2 else even

    return last(window)


def _require_gapless(bars: pl.DataFrame) -> None:
    """Lags count rows, so every session must hold each of its minutes once, in order."""
    follows = (M.shift(1) + 1 == M) & (pl.col("session") == pl.col("session").shift(1))
    broken = bars.filter(~(follows | (M == 0)).fill_null(value=False))
    if not broken.is_empty():
        row = broken.row(0, named=True)
        raise DataContractError(
            f"bars are not gapless: {row['session']} minute {row['m']} does not follow its predecessor; features need "
            "the grid that `dvc repro check_data` writes."
        )


SCHEMA_VERSION = 1

LookBack = tuple[int, int]  # bars of the session, sessions before


def count_unknown(
    features: pl.DataFrame, usable: tuple[date, ...], lookbacks: Mapping[str, LookBack], required: tuple[str, ...]
) -> dict[str, Any]:
    """The counts of one symbol, for the features that `lookbacks` names."""
    session, m = features["session"], features["m"]
    behind = {sessions: session.is_in(usable[sessions:]) for sessions in {late for _, late in lookbacks.values()}}
    is_due = {(bars, sessions): behind[sessions] & (m >= bars) for bars, sessions in set(lookbacks.values())}
    due = {lookback: minutes.sum() for lookback, minutes in is_due.items()}
    unknown = {name: pl.col(name).is_null() & is_due[lookback] for name, lookback in lookbacks.items()}
    nulls_due = features.select(**{name: rows.sum() for name, rows in unknown.items()}).row(0, named=True)
    counts = {
        name: {"nulls": features[name].null_count(), "due": due[lookback], "nulls_due": nulls_due[name]}
        for name, lookback in lookbacks.items()
    }
    known = features.select(required).drop_nulls()
    return {
        "rows": features.height,
        "rows_incomplete": features.height - known.height if required else 0,
        "features": counts,
    }


def require_known(symbol: str, counts: Mapping[str, Any], params: FeaturesParams) -> None:
    """Refuse a symbol for which a required feature is unknown too often."""
    for name in params.required:
        count = counts["features"][name]
        share = count["nulls_due"] / max(1, count["due"])
        if share > params.max_null_share:
            raise DataContractError(
                f"{symbol}: required feature {name} is unknown on {100 * share:.3g}% of its minutes, more than "
                f"features.max_null_share {100 * params.max_null_share:.3g}%; check "
                "artifacts/check_data/dq_report.json, or remove the feature from features.required."
            )


def unknown_report(counts: Mapping[str, Mapping[str, Any]], params: FeaturesParams) -> dict[str, Any]:
    """The counts of all symbols, and the limit that judged them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "required": list(params.required),
        "max_null_share": params.max_null_share,
        "symbols": dict(counts),
    }


def nulls_due(report: Mapping[str, Any]) -> int:
    """How many values are unknown where they should be known, of all symbols and features."""
    return sum(count["nulls_due"] for one in report["symbols"].values() for count in one["features"].values())
