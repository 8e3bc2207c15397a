"""Where the volume traded, and whether it is much for this time of the day.

*Units*: `vwap_30m` a price; `z_vwap` in sigmas of the window; `volume_norm` in logs (0.69 is twice the usual).
*Time*: the usual volume of a minute comes from earlier usable sessions; whether today is usable is not known yet and
not asked.
"""

from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from stages.features.minute import trailing_sum
from stages.features.params import FeaturesParams
from stages.universe.earlier_sessions import median, windows_before


def vwap(params: FeaturesParams) -> pl.Expr:
    """`sum of (H+L+C)/3 * V over sum of V`; null where nothing traded."""
    money, volume = (trailing_sum(column, params.vwap_window_min, 1) for column in ("tpv", "v"))
    return pl.when(volume > 0).then(money / volume)


def z_vwap(params: FeaturesParams) -> pl.Expr:
    """`(C - VWAP) / (C * sigma of one minute * sqrt(window))`; null where sigma is 0."""
    scale = pl.col("close") * pl.col("sigma") * (params.vwap_window_min / 5) ** 0.5
    return pl.when(scale > 0).then((pl.col("close") - pl.col("vwap")) / scale)


def volume_norm(_: FeaturesParams) -> pl.Expr:
    """`ln(1 + V)` minus its median at the same minute over the previous usable sessions."""
    return pl.col("log_volume") - pl.col("usual_log_volume")


def with_usual_volume(frame: pl.DataFrame, usable: tuple[date, ...], sessions: int) -> pl.DataFrame:
    """Add `usual_log_volume`; null until half of `features.volume_norm_sessions` have that minute.

    A minute that half days lack is compared with full sessions only, so the minutes up to their close come first.
    """
    day, m = frame["session"].rle_id().to_numpy(), frame["m"].to_numpy()
    opens = frame.filter(pl.col("session").is_first_distinct())
    is_usable, n_bars = opens["session"].is_in(usable).to_numpy(), opens["n_bars"].to_numpy()
    by_minute = np.full((opens.height, n_bars.max(initial=0)), np.nan)
    by_minute[day, m] = frame["log_volume"].to_numpy()
    usual = np.full_like(by_minute, np.nan)
    for first, last in pairwise([0, *np.unique(n_bars)]):
        long = n_bars >= last
        windows, before = windows_before(by_minute[long, first:last], is_usable[long], sessions)
        usual[long, first:last] = median(windows, at_least=max(1, sessions // 2))[before]
    return frame.with_columns(usual_log_volume=pl.Series(usual[day, m], nan_to_null=True))
