"""The oracle of the artificial market: the planted move, and the error that remains even when it is known.

The planted move is the only thing that can be forecast, and the noise is symmetric, so it is the median of the outcome:
no forecaster can do better on average. Prices are rounded to ticks, so where these are coarse the median is the planted
move to a tick: rounding keeps an order, and with it the median.

*Tables*: one row a symbol, snapshot and horizon: `planted_bp`, `on_tick_bp` (the same to the nearest tick), and the
expected mean absolute errors of the oracle and of persistence, `oracle_mae_bp` and `persistence_mae_bp`; their quotient
is the oracle's rMAE.
*Units*: bp of log return from the snapshot's last close.
*Source*: Leone, Nelson, Nottingham (1961) for the folded normal; the mean over the volatility level by Gauss-Hermite
quadrature. Expected errors leave out jumps and ticks: one outcome in four hundred contains a jump.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import polars as pl
from scipy.special import erf

from stages.params.source import SyntheticParams
from stages.sessions.calendar import FULL_SESSION_MIN
from stages.sources.synthetic import PLANTS, Floats, Integers, diurnal_shape, on_ticks

BP = 1e4
NODES = 21
QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
SESSION = ["symbol", "session", "n_bars"]
KNOWN = ("planted_bp", "oracle_mae_bp", "persistence_mae_bp")
NO_MINUTES = pl.DataFrame(
    schema={
        "symbol": pl.String,
        "snapshot_utc": pl.Datetime("us", "UTC"),
        "session": pl.Date,
        "m0": pl.Int32,
        "n_bars": pl.UInt32,
    }
)


def planted(forecasts: pl.DataFrame, bars: Mapping[str, pl.DataFrame], params: SyntheticParams) -> pl.DataFrame:
    """The oracle's answer to each question that was forecast."""
    questions = forecasts.select(*QUESTION, "last").unique()
    symbols = sorted(set(questions["symbol"]) & set(bars))
    minutes = pl.concat([NO_MINUTES, *(_minutes(symbol, bars[symbol], questions) for symbol in symbols)])
    asked = questions.join(minutes, on=["symbol", "snapshot_utc"]).sort(QUESTION)
    m0, horizon_min = asked["m0"].to_numpy(), asked["horizon_min"].to_numpy()
    ahead = np.empty((3, asked.height))
    first = 0
    for symbol, session, n_bars, count in asked.group_by(*SESSION, maintain_order=True).agg(pl.len()).iter_rows():
        mine = slice(first, first := first + count)
        path = PLANTS[params.plant].path(symbol, params, session, n_bars)
        ahead[:, mine] = move_and_noise(symbol, params, path, m0[mine], horizon_min[mine])
    last = np.log(asked["last"].to_numpy())
    on_tick = np.maximum(on_ticks(last + ahead[0], params.tick_size), params.tick_size)
    on_tick_bp = np.round(BP * (np.log(on_tick) - last), 6)
    return asked.select(QUESTION).with_columns(on_tick_bp=on_tick_bp, **_expected(params, *ahead))


def _minutes(symbol: str, bars: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Session and minute of each instant at which one symbol's questions were asked."""
    asked = questions.filter(symbol=symbol)["snapshot_utc"].unique()
    return bars.select(
        pl.lit(symbol).alias("symbol"),
        pl.col("known_at").alias("snapshot_utc"),
        "session",
        pl.col("m").alias("m0"),
        pl.len().over("session").alias("n_bars"),
    ).filter(pl.col("snapshot_utc").is_in(asked.implode()))


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Nodes and weights of a mean over the volatility level."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights


def move_and_noise(
    symbol: str, params: SyntheticParams, path: Floats, m0: Integers, horizon_min: Integers
) -> tuple[Floats, Floats, Floats]:
    """The planted move from the end of each minute `m0` over its `horizon_min`, and two variances of the noise.

    The first variance is of the random walk at volatility level 1, the second of the plant. *Units*: fractions.
    """
    move, surprise = PLANTS[params.plant].ahead(symbol, params, path, m0, horizon_min)
    squares = np.cumsum(diurnal_shape(len(path) - 1) ** 2)
    return move, params.daily_sigma**2 * (squares[m0 + horizon_min] - squares[m0]) / FULL_SESSION_MIN, surprise


def _expected(params: SyntheticParams, move: Floats, walk: Floats, surprise: Floats) -> dict[str, Floats]:
    """The planted move and the two mean absolute errors."""
    nodes, weights = _quadrature()
    level = np.exp(params.vol_sd * nodes - params.vol_sd**2)
    sd = np.sqrt(np.outer(walk, level**2) + surprise[:, None])
    still = sd * np.sqrt(2 / np.pi)
    ratio = move[:, None] / sd
    moving = still * np.exp(-(ratio**2) / 2) + sd * ratio * erf(ratio / np.sqrt(2))
    share = weights / weights.sum()
    return dict(
        zip(KNOWN, (BP * move, BP * (still * share).sum(axis=1), BP * (moving * share).sum(axis=1)), strict=True)
    )
