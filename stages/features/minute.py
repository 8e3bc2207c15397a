"""The columns from which every feature starts: one row a minute of the gapless grid, prices made into returns.

*Tables*: `Bars` plus the calendar's `n_bars, is_half`, sorted by `ts`.
*Time*: each added column uses its own row and earlier rows of the same session.
*Units*: `r` a log return per minute; the squares and ranges below are squares of log returns; `tr` in price.
"""

import math

import polars as pl

from stages.errors import DataContractError

M = pl.col("m")
OPENING_WEIGHT = 2 * math.log(2) - 1  # Garman and Klass (1980), J. Business 53(1)


def minute_return() -> pl.Expr:
    """`ln(C_m / C_{m-1})`; at the open `ln(C_0 / O_0)`, so that the night never enters a return.

    A minute without a trade returns 0. Null until the session has traded, and on its first trade after the first
    minute: the close before it belongs to another day. After a gap too long to fill, the whole move stands on the
    first bar behind it.
    """
    close, traded = pl.col("close"), is_real()
    has_traded = traded.cum_sum().over("session") > 0
    before = close.forward_fill().over("session").shift(1)
    return (
        pl.when((M == 0) & traded)
        .then((close / pl.col("open")).log())
        .when((M > 0) & has_traded.shift(1))
        .then((close / before).log())
    )


def is_real() -> pl.Expr:
    """The bar was delivered and is sound: not filled, not nulled."""
    return ~pl.col("is_filled") & pl.col("close").is_not_null()


def with_minute_columns(bars: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Bars with `r` and, on real bars only, what the families average: `r2, hl2, gk, tr, tpv, v`."""
    _demand_gapless(bars)
    log_range, log_body = (pl.col("high") / pl.col("low")).log(), (pl.col("close") / pl.col("open")).log()
    before = pl.when(M > 0).then(pl.col("close").shift(1)).otherwise(pl.col("open"))
    true_range = pl.max_horizontal(
        pl.col("high") - pl.col("low"), (pl.col("high") - before).abs(), (pl.col("low") - before).abs()
    )
    typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    return (
        bars.join(calendar.select("session", "n_bars", "is_half"), on="session", how="left", maintain_order="left")
        .with_columns(r=minute_return(), real=is_real())
        .with_columns(
            pl.when("real").then(expression).alias(name)
            for name, expression in {
                "r2": pl.col("r") ** 2,
                "hl2": log_range**2,
                "gk": 0.5 * log_range**2 - OPENING_WEIGHT * log_body**2,
                "tr": pl.when(pl.col("r").is_not_null()).then(true_range).otherwise(pl.col("high") - pl.col("low")),
                "tpv": typical * pl.col("volume"),
                "v": pl.col("volume"),
            }.items()
        )
    )


def trailing_sum(column: str, window: int) -> pl.Expr:
    """Sum over the last `window` minutes of this session, nulls left out.

    Written as a sum of shifts: always the same terms in the same order, so that a row's last bit depends on nothing
    outside its window. A running sum would carry the rounding of everything before it.
    """
    return pl.sum_horizontal(_lagged(column, lag) for lag in range(window))


def trailing_count(column: str, window: int) -> pl.Expr:
    """How many of the last `window` minutes of this session have a value."""
    return pl.sum_horizontal(_lagged(column, lag).is_not_null() for lag in range(window))


def trailing_mean(column: str, window: int, min_obs: int) -> pl.Expr:
    """Mean of the values in the window; null while there are fewer than `min_obs` (or than the window can hold)."""
    count = trailing_count(column, window)
    return pl.when(count >= min(min_obs, window)).then(trailing_sum(column, window) / count)


def _lagged(column: str, lag: int) -> pl.Expr:
    return pl.when(lag <= M).then(pl.col(column).shift(lag)) if lag else pl.col(column)


def _demand_gapless(bars: pl.DataFrame) -> None:
    """Lags count rows, so every session must hold each of its minutes once, in order."""
    follows = (M.shift(1) + 1 == M) & (pl.col("session") == pl.col("session").shift(1))
    broken = bars.filter(~(follows | (M == 0)).fill_null(value=False))
    if not broken.is_empty():
        row = broken.row(0, named=True)
        raise DataContractError(
            f"bars are not gapless: {row['session']} minute {row['m']} does not follow its predecessor; "
            "features need the grid that check_data writes."
        )
