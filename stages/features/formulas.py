"""Formulas of features within one symbol: returns, volatility, ranges, volume and the session clock.

Range-based volatility is less noisy than that of closes, and biased low when bars hold few trades. Filled bars are left
out of every mean. Formulas read the columns of `Bars` and those that `minutes.with_minute_columns` and `SHARED` of the
catalogue add. Features of the session clock need only `m, n_bars, is_half, weekday`, so they may be sent for the
minutes ahead.

*Units*: log returns; `rv_k` per k minutes, `sigma_5m` per five minutes, `parkinson`, `garman_klass` per minute, all as
fractions; `atr` and `vwap_30m` in price, `atr_rel` a fraction of the close; `z_vwap` in sigmas of the window;
`volume_norm` in logs (0.69 is twice the usual); clock features in minutes, shares of a session, 0 or 1, and waves of
the day.
*Time*: the usual volume of a minute comes from earlier usable sessions; today's verdict is not known yet and not used.
*Source*: Parkinson (1980), J. Business 53(1); Garman and Klass (1980), same issue; true range after Wilder (1978), with
a simple mean.
"""

import math
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from stages.features.minutes import M, trailing_mean, trailing_sum
from stages.params.features import FeaturesParams
from stages.sessions.calendar import FULL_SESSION_MIN
from stages.sessions.rolling import median, windows_before

Builder = Callable[[FeaturesParams], pl.Expr]


def ret(minutes: int) -> Builder:
    """`ln(C_m / C_{m-k})`, from minutes whose returns are all known; `ret(1)` at the open is `ln(C_0 / O_0)`."""
    if minutes == 1:
        return lambda _: pl.col("r")
    move = (pl.col("close") / pl.col("close").shift(minutes)).log()
    known = (minutes <= M) & (minutes <= pl.col("known_min"))  # all of them in this session
    return lambda _: pl.when(known).then(move)


def rv(minutes: int) -> Builder:
    """`sqrt(sum of r^2)` over exactly k known returns; a minute without a trade adds 0."""
    known = (minutes <= M + 1) & (minutes <= pl.col("known_min"))
    return lambda _: pl.when(known).then(trailing_sum("r2", minutes).sqrt())


def sigma_5m(params: FeaturesParams) -> pl.Expr:
    """`sqrt(5 * mean of r^2)`, zero mean, over the real bars of the window."""
    return (5 * trailing_mean("r2_real", params.sigma_window_min, params.sigma_min_obs)).sqrt()


def parkinson(params: FeaturesParams) -> pl.Expr:
    """`sqrt(mean(ln(H/L)^2) / (4 ln 2))`."""
    mean = trailing_mean("hl2", params.range_window_min, params.sigma_min_obs)
    return (mean / (4 * math.log(2))).sqrt()


def garman_klass(params: FeaturesParams) -> pl.Expr:
    """`sqrt(mean(ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2))`, the mean clipped at 0."""
    return trailing_mean("gk", params.range_window_min, params.sigma_min_obs).clip(lower_bound=0).sqrt()


def atr(params: FeaturesParams) -> pl.Expr:
    """Mean true range; the first bar of a session has no previous close and uses `H - L`."""
    return trailing_mean("tr", params.atr_window_min, params.sigma_min_obs)


def atr_rel(_: FeaturesParams) -> pl.Expr:
    """Mean true range over the close."""
    return pl.col("atr") / pl.col("close")


def vwap(params: FeaturesParams) -> pl.Expr:
    """`sum of (H+L+C)/3 * V over sum of V`; null where nothing traded."""
    sums = pl.col("tpv").rolling_sum(params.vwap_window_min, min_samples=1)  # compensated, as nine decimals need
    money = sums.over("session", mapping_strategy="explode")  # rows are in order, so none has to find its place
    return money / trailing_sum("v", params.vwap_window_min).replace(0.0, None)


def z_vwap(params: FeaturesParams) -> pl.Expr:
    """`(C - VWAP) / (C * sigma of one minute * sqrt(window))`; null where sigma is 0."""
    scale = pl.col("close") * pl.col("sigma") * (params.vwap_window_min / 5) ** 0.5
    return pl.when(scale > 0).then((pl.col("close") - pl.col("vwap")) / scale)


def volume_norm(_: FeaturesParams) -> pl.Expr:
    """`ln(1 + V)` minus its median at the same minute over the previous usable sessions."""
    return pl.col("log_volume") - pl.col("usual_log_volume")


def with_usual_volume(
    frame: pl.DataFrame, days: pl.DataFrame, number: pl.Series, usable: tuple[date, ...], sessions: int
) -> pl.DataFrame:
    """Add `usual_log_volume`; null until half of `features.volume_norm_sessions` have that minute.

    A minute that half days do not have is compared with full sessions only, so the minutes up to their close come
    first.
    """
    is_usable, n_bars = days["session"].is_in(usable).to_numpy(), days["n_bars"].to_numpy()
    by_minute = np.full((days.height, n_bars.max(initial=0)), np.nan)
    place = number.to_numpy() * np.int64(by_minute.shape[1]) + frame["m"].to_numpy()
    by_minute.ravel()[place] = frame["log_volume"].fill_null(math.nan).to_numpy()
    usual = np.full_like(by_minute, np.nan)
    for first, last in pairwise([0, *np.unique(n_bars)]):
        long = n_bars >= last
        windows, before = windows_before(by_minute[long, first:last], is_usable[long], sessions)
        usual[long, first:last] = median(windows, at_least=sessions // 2)[before]
    return frame.with_columns(usual_log_volume=pl.Series(usual.ravel()[place], nan_to_null=True))


N = pl.col("n_bars")


def session_share(_: FeaturesParams) -> pl.Expr:
    """The part of the session before this bar."""
    return M / N


def minutes_to_close(_: FeaturesParams) -> pl.Expr:
    """Minutes from `known_at` to the close: 0 on the last bar."""
    return N - 1 - M


def bucket_open(params: FeaturesParams) -> pl.Expr:
    """1 in the first minutes of the session."""
    return params.session_open_min > M


def bucket_close(params: FeaturesParams) -> pl.Expr:
    """1 in the last minutes of the session."""
    return N - params.session_close_min <= M


def bucket_mid(params: FeaturesParams) -> pl.Expr:
    """1 between the two."""
    return ~bucket_open(params) & ~bucket_close(params)


def sine(waves: int) -> Builder:
    """`sin(2 pi k m / 390)`, k waves a full session."""
    return lambda _: (2 * math.pi * waves / FULL_SESSION_MIN * M).sin()


def cosine(waves: int) -> Builder:
    """`cos(2 pi k m / 390)`, k waves a full session."""
    return lambda _: (2 * math.pi * waves / FULL_SESSION_MIN * M).cos()
