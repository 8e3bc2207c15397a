"""Minute columns: one row a minute of the gapless grid, prices as returns; and counts of unknown feature values.

*Tables*: `Bars` plus the calendar's `n_bars, is_half` and the columns below, sorted by `ts`. `feature_report.json`, per
symbol: `rows`; `rows_incomplete`, those on which a required feature is unknown; per feature `nulls` among all rows,
`due` minutes (of usable sessions, after its look-back), `nulls_due` among these.
*Units*: `r` a log return per minute; `r2, r2_real, hl2, gk` squares of log returns; `tr` in price, `tpv` in money.
*Time*: each added column uses its own row and earlier rows of the same session.
*Errors*: `DataContractError` when a required feature is unknown on more than `features.max_null_share` of its due
minutes.
"""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

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
    before = close.forward_fill().shift(1)
    return (
        pl.when((M == 0) & traded)
        .then((close / pl.col("open")).log())
        .when((M > 0) & has_traded.shift(1))
        .then((close / before).log())
    )


def is_real() -> pl.Expr:
    """Whether the bar was delivered and is sound: not filled, not nulled."""
    return ~pl.col("is_filled") & pl.col("close").is_not_null()


def with_minute_columns(bars: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Bars with `r, r2` and, on real bars only, the columns that features average; else null."""
    _require_gapless(bars)
    log_range, log_body = (pl.col("high") / pl.col("low")).log(), (pl.col("close") / pl.col("open")).log()
    before = pl.when(M > 0).then(pl.col("close").shift(1)).otherwise(pl.col("open"))
    true_range = pl.max_horizontal(
        pl.col("high") - pl.col("low"), (pl.col("high") - before).abs(), (pl.col("low") - before).abs()
    )
    averaged = {
        "r2_real": pl.col("r") ** 2,
        "hl2": log_range**2,
        "gk": 0.5 * log_range**2 - OPENING_WEIGHT * log_body**2,
        "tr": pl.when(pl.col("r").is_not_null()).then(true_range).otherwise(pl.col("high") - pl.col("low")),
        "tpv": (pl.col("high") + pl.col("low") + pl.col("close")) / 3 * pl.col("volume"),
        "v": pl.col("volume"),
        "log_volume": pl.col("volume").log1p(),
    }
    return (
        bars.join(calendar.select("session", "n_bars", "is_half"), on="session", how="left", maintain_order="left")
        .with_columns(pl.col("session").set_sorted(), r=minute_return(), real=is_real())
        .with_columns(r2=pl.col("r") ** 2, **{name: pl.when("real").then(value) for name, value in averaged.items()})
    )


def trailing_sum(column: str, window: int, min_obs: int) -> pl.Expr:
    """Sum over the last `window` minutes of this session; null with fewer than `min_obs` values.

    The sum runs from the session's open, so a row's last bit depends only on its session so far. Values that leave the
    window may leave a rounding error: clip before taking a root.
    """
    return pl.col(column).rolling_sum(window, min_samples=min(min_obs, window)).over("session")


def trailing_mean(column: str, window: int, min_obs: int) -> pl.Expr:
    """Mean over the last `window` minutes of this session, of at least `min_obs` values (or all of the window)."""
    return pl.col(column).rolling_mean(window, min_samples=min(min_obs, window)).over("session")


def root(square: pl.Expr) -> pl.Expr:
    """Square root of a value that is negative only by rounding."""
    return square.clip(lower_bound=0).sqrt()


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
    behind = {sessions: session.is_in(usable[sessions:]) for _, sessions in lookbacks.values()}
    counts = {}
    for name, (bars, sessions) in lookbacks.items():
        is_null, is_due = features[name].is_null(), behind[sessions] & (m >= bars)
        counts[name] = {"nulls": is_null.sum(), "due": is_due.sum(), "nulls_due": (is_due & is_null).sum()}
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
                f"{symbol}: required feature {name} is unknown on {share:.1%} of its minutes, more than "
                f"features.max_null_share {params.max_null_share:.1%}; check artifacts/check_data/dq_report.json, or "
                "remove the feature from features.required."
            )


def unknown_report(counts: Mapping[str, Mapping[str, Any]], params: FeaturesParams) -> dict[str, Any]:
    """The counts of all symbols, and the limit that judged them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "required": list(params.required),
        "max_null_share": params.max_null_share,
        "symbols": dict(counts),
    }


def total(report: Mapping[str, Any], kind: str) -> int:
    """The total of one kind of count, over all symbols and features."""
    return sum(count[kind] for one in report["symbols"].values() for count in one["features"].values())
