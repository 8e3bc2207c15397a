"""Returns and volatility of the last minutes, within the session.

*Units*: log returns; `rv_k` per k minutes, `sigma_5m` per five minutes, both as fractions.
"""

from collections.abc import Callable

import polars as pl

from stages.features.minute import M, root, trailing_mean, trailing_sum
from stages.features.params import FeaturesParams

Builder = Callable[[FeaturesParams], pl.Expr]


def ret(minutes: int) -> Builder:
    """`ln(C_m / C_{m-k})`, from minutes whose returns are all known; `ret(1)` at the open is `ln(C_0 / O_0)`."""
    if minutes == 1:
        return lambda _: pl.col("r")
    move = (pl.col("close") / pl.col("close").shift(minutes)).log()
    known = (minutes <= M) & pl.col("r").rolling_sum(minutes).is_not_null()  # all of them in this session
    return lambda _: pl.when(known).then(move)


def rv(minutes: int) -> Builder:
    """`sqrt(sum of r^2)` over exactly k known returns; a minute without a trade adds 0."""
    return lambda _: root(trailing_sum("r2", minutes, minutes))


def sigma_5m(params: FeaturesParams) -> pl.Expr:
    """`sqrt(5 * mean of r^2)`, zero mean, over the real bars of the window."""
    return root(5 * trailing_mean("r2_real", params.sigma_window_min, params.sigma_min_obs))
