r"""An artificial market of minute bars, so that the pipeline runs without data, key or network.

*Tables*: `ts, open, high, low, close, volume` as a vendor would deliver them; one row a minute of every session.
*Units*: log prices; `sigma` is the standard deviation of one minute's log return.
*Time*: every random series is drawn from its own child of `SeedSequence([seed, crc32(symbol)])` in the order of time,
so that a longer span never alters an earlier bar, and a further symbol alters no other.

The model of minute `m` in a session of `n` minutes, `u = (m + 1/2) / n`:

    sigma_m = daily_sigma / sqrt(390) * exp(v - vol_sd^2) * g(u),    v an AR(1) over sessions
    g(u)    ~ 0.70 + 0.65 (2u - 1)^2 + 1.2 exp(-u / 0.03),           scaled to a mean square of 1
    z       = beta * z_FACTOR + sqrt(1 - beta^2) * z_own,            so the variance stays sigma_m^2
    ln P_m  = ln base_price + sum(sigma z + jumps + overnight gaps) + plant_m

The plant (`plants`) is the only thing in it that can be forecast: by default amplitude_bp 1e-4 sin(2 pi m / period +
phase).
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import polars as pl

from stages.errors import ConfigurationError
from stages.sources.params import SyntheticParams
from stages.sources.plants import PLANTS, Floats
from stages.universe.grid import minute_grid

FACTOR = "FACTOR"  # the stream that every symbol with a beta shares
FULL_SESSION_MIN = 390
RANGE_SIGMAS = 0.3  # how far high and low reach beyond open and close
VOLUME_LOG_SD = 0.4
VOLUME_PER_SIGMA = 3.0  # how much a large move raises its minute's volume


@dataclass(frozen=True)
class _Streams:
    """One generator a random series, independent of each other."""

    own: np.random.Generator
    volatility: np.random.Generator
    overnight: np.random.Generator
    jump: np.random.Generator
    jump_size: np.random.Generator
    span: np.random.Generator
    volume: np.random.Generator

    @classmethod
    def of(cls, symbol: str, seed: int) -> "_Streams":
        children = np.random.SeedSequence([seed, crc32(symbol.encode())]).spawn(7)
        return cls(*(np.random.Generator(np.random.PCG64(child)) for child in children))


def synthetic_bars(symbol: str, params: SyntheticParams, calendar: pl.DataFrame) -> pl.DataFrame:
    """The bars of one symbol over the whole calendar, rounded to ticks and whole shares."""
    if symbol not in params.amplitude_bp:
        raise ConfigurationError(
            f"the synthetic market has no symbol {symbol!r}: source.synthetic.amplitude_bp names "
            f"{sorted(params.amplitude_bp)}. Add it there, or take it out of universe."
        )
    grid = minute_grid(calendar)
    minute = grid["m"].to_numpy()
    day = np.repeat(np.arange(calendar.height), calendar["n_bars"])
    shape = np.concatenate([diurnal_shape(n) for n in calendar["n_bars"].to_list()])
    streams = _Streams.of(symbol, params.seed)

    sigma = params.daily_sigma / np.sqrt(FULL_SESSION_MIN) * _session_levels(streams, params, calendar.height)[day]
    sigma = sigma * shape
    move = sigma * _standard_moves(symbol, streams, params, len(minute)) + _jumps(streams, params, len(minute))
    gaps = params.overnight_sigma_share * params.daily_sigma * streams.overnight.standard_normal(calendar.height)
    drift = np.log(params.base_price) + np.cumsum(move + np.where(minute == 0, gaps[day], 0.0))
    sessions = calendar.select("session", "n_bars").iter_rows()
    paths = [PLANTS[params.plant].path(symbol, params, session, n_bars) for session, n_bars in sessions]
    close = drift + np.concatenate([path[1:] for path in paths])
    opening = drift - move + np.concatenate([path[:-1] for path in paths])
    reach = RANGE_SIGMAS * sigma * np.abs(streams.span.standard_normal((len(minute), 2))).T
    surge = 1 + VOLUME_PER_SIGMA * np.abs(move) / sigma
    volume = params.base_volume * shape**2 * np.exp(VOLUME_LOG_SD * streams.volume.standard_normal(len(minute))) * surge
    return grid.select("ts").with_columns(
        open=_ticks(opening, params.tick_size),
        high=_ticks(np.maximum(opening, close) + reach[0], params.tick_size),
        low=_ticks(np.minimum(opening, close) - reach[1], params.tick_size),
        close=_ticks(close, params.tick_size),
        volume=np.round(volume),
    )


def diurnal_shape(n_bars: int) -> Floats:
    """Relative volatility of each minute of a session: high at the open, low at noon; mean square 1."""
    u = (np.arange(n_bars) + 0.5) / n_bars
    shape = 0.70 + 0.65 * (2 * u - 1) ** 2 + 1.2 * np.exp(-u / 0.03)
    return np.asarray(shape / np.sqrt(np.mean(shape**2)))


def _session_levels(streams: _Streams, params: SyntheticParams, sessions: int) -> Floats:
    """The volatility level of each session, `exp(v - vol_sd^2)`: its square has mean 1."""
    shocks = params.vol_sd * streams.volatility.standard_normal(sessions)
    v = np.empty(sessions)
    v[0] = shocks[0]
    for day in range(1, sessions):
        v[day] = params.vol_ar1 * v[day - 1] + np.sqrt(1 - params.vol_ar1**2) * shocks[day]
    return np.asarray(np.exp(v - params.vol_sd**2))


def _standard_moves(symbol: str, streams: _Streams, params: SyntheticParams, n: int) -> Floats:
    """Standard normal moves that share `beta` with the factor's."""
    own = streams.own.standard_normal(n)
    beta = params.beta.get(symbol, 0.0)
    factor = _Streams.of(FACTOR, params.seed).own.standard_normal(n)
    return np.asarray(beta * factor + np.sqrt(1 - beta**2) * own)


def _jumps(streams: _Streams, params: SyntheticParams, n: int) -> Floats:
    """Rare moves of `jump_sigmas` average minutes and more, up or down alike."""
    happens = streams.jump.random(n) < params.jumps_per_session / FULL_SESSION_MIN
    direction, rank = streams.jump_size.random((n, 2)).T
    sigmas = params.jump_sigmas * (1 - np.log1p(-rank))  # one plus a standard exponential
    return np.asarray(happens * np.sign(direction - 0.5) * sigmas * params.daily_sigma / np.sqrt(FULL_SESSION_MIN))


def _ticks(log_price: Floats, tick_size: float) -> Floats:
    return np.asarray(np.round(np.round(np.exp(log_price) / tick_size) * tick_size, 6))
