"""Volatility read from highs and lows: less noisy than closes, biased low when bars hold few trades.

*Units*: `parkinson`, `garman_klass` fractions per minute; `atr` in price, `atr_rel` a fraction of the close.
*Source*: Parkinson (1980), J. Business 53(1); Garman and Klass (1980), same issue; true range after Wilder (1978), with
a simple mean. Filled bars are left out of every mean.
"""

import math

import polars as pl

from stages.features.minute import root, trailing_mean
from stages.features.params import FeaturesParams


def parkinson(params: FeaturesParams) -> pl.Expr:
    """`sqrt(mean(ln(H/L)^2) / (4 ln 2))`."""
    mean = trailing_mean("hl2", params.range_window_min, params.sigma_min_obs)
    return root(mean / (4 * math.log(2)))


def garman_klass(params: FeaturesParams) -> pl.Expr:
    """`sqrt(mean(ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2))`, the mean clipped at 0."""
    return root(trailing_mean("gk", params.range_window_min, params.sigma_min_obs))


def atr(params: FeaturesParams) -> pl.Expr:
    """Mean true range; the first bar of a session has no close before it and takes `H - L`."""
    return trailing_mean("tr", params.atr_window_min, params.sigma_min_obs)


def atr_rel(_: FeaturesParams) -> pl.Expr:
    """Mean true range over the close."""
    return pl.col("atr") / pl.col("close")
