"""The best that can be known of the artificial market: the planted move, and how large an error even that leaves.

The wave is the only thing in it that can be forecast, and its noise is symmetric, so the planted move is the median of
what will come: whoever does better on average knows more than can be known.

*Tables*: one row a symbol, snapshot and horizon: `planted_bp`, and the mean absolute error that the oracle and that
persistence must expect there, `oracle_mae_bp` and `persistence_mae_bp`; their quotient is the oracle's rMAE.
*Units*: bp of log return from the snapshot's last close.
*Source*: Leone, Nelson, Nottingham (1961) for the folded normal; the mean over the volatility level by Gauss-Hermite
quadrature. Jumps and ticks are left out: one outcome in four hundred holds a jump.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.special import erf

from stages.sources.params import SyntheticParams
from stages.sources.synthetic import FULL_SESSION_MIN, diurnal_shape, wave

BP = 1e4
NODES = 21
QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
KNOWN = {"planted_bp": pl.Float64, "oracle_mae_bp": pl.Float64, "persistence_mae_bp": pl.Float64}


def planted(forecasts: pl.DataFrame, bars: Mapping[str, pl.DataFrame], params: SyntheticParams) -> pl.DataFrame:
    """What the oracle would have answered to each question that was forecast."""
    minutes = pl.concat(
        frame.select(
            pl.lit(symbol).alias("symbol"),
            pl.col("known_at").alias("snapshot_utc"),
            pl.col("m").alias("m0"),
            pl.len().over("session").alias("n_bars"),
        )
        for symbol, frame in sorted(bars.items())
    )
    asked = forecasts.select(QUESTION).unique().join(minutes, on=["symbol", "snapshot_utc"]).sort(QUESTION)
    places = asked.select("symbol", "m0", "n_bars", "horizon_min")
    known = {place: expectation(params, *place) for place in places.unique().iter_rows()}
    return asked.select(QUESTION).hstack(pl.DataFrame([known[place] for place in places.iter_rows()], schema=KNOWN))


def expectation(params: SyntheticParams, symbol: str, m0: int, n_bars: int, horizon_min: int) -> dict[str, float]:
    """The planted move from the end of minute `m0` of a session of `n_bars`, and the two mean absolute errors."""
    move = BP * float(np.diff(wave(symbol, params, np.array([m0, m0 + horizon_min], np.int32)))[0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    level = np.exp(params.vol_sd * nodes - params.vol_sd**2)
    variance = float(np.sum(diurnal_shape(n_bars)[m0 + 1 : m0 + 1 + horizon_min] ** 2))
    sd = BP * params.daily_sigma * level * np.sqrt(variance / FULL_SESSION_MIN)
    still = sd * np.sqrt(2 / np.pi)
    moving = still * np.exp(-(move**2) / (2 * sd**2)) + move * erf(move / (sd * np.sqrt(2)))
    share = weights / weights.sum()
    return dict(zip(KNOWN, (move, float(share @ still), float(share @ moving)), strict=True))
