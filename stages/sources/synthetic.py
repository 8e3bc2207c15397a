"""The artificial market: minute bars with a planted, predictable pattern, or without one.

It lets the pipeline run without data, key or network. In minute `m` of a session of `n` minutes, with `u = (m + 1/2) /
n`:

    sigma_m = daily_sigma / sqrt(390) * exp(v - vol_sd^2) * g(u),    v an AR(1) over sessions
    g(u)    ~ 0.70 + 0.65 (2u - 1)^2 + 1.2 exp(-u / 0.03),           scaled to a mean square of 1
    z       = beta * z_FACTOR + sqrt(1 - beta^2) * z_own,            so the variance stays sigma_m^2
    ln P_m  = ln base_price + sum(sigma z + jumps + overnight gaps) + plant_m

The plant is the only part that can be forecast: by default the `wave` amplitude_bp 1e-4 sin(2 pi m / period + phase), a
half-hour season that is the same in every session. `ou` moves around 0 and is pulled back to it (Ornstein and
Uhlenbeck): every session starts from its stationary law, from a random stream of its own, so neither a longer span nor
another session changes a path.

*Tables*: `ts, open, high, low, close, volume` as a vendor would deliver them; one row a minute of every session.
*Shapes*: a plant's path has a value before the first minute of a session and one after each, `n_bars + 1` in all.
*Units*: log prices; `sigma` is the standard deviation of one minute's log return; `amplitude_bp` is the height of the
wave, or the standard deviation of the OU process.
*Time*: every random series has its own child of `SeedSequence([seed, crc32(symbol)])` and is drawn in order of time, so
a longer span changes no earlier bar, and a further symbol changes no other. `ahead` returns what can be known at the
end of minute `m0` from the path so far.
*Source*: Uhlenbeck and Ornstein (1930), Phys. Rev. 36, sampled exactly as an AR(1) of a minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.errors import ConfigurationError
from stages.params.source import SyntheticParams
from stages.sessions.calendar import FULL_SESSION_MIN, minute_grid

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Plant:
    """A path for a symbol and session; and, from a path, the mean and the variance of its moves from `m0` on."""

    path: Callable[[str, SyntheticParams, date, int], Floats]
    ahead: Callable[[str, SyntheticParams, Floats, Integers, Integers], tuple[Floats, Floats]]


def _wave_path(symbol: str, params: SyntheticParams, _: date, n_bars: int) -> Floats:
    minute = np.arange(-1, n_bars, dtype=np.int32)
    angle = 2 * np.pi * minute / params.wave_period_min + params.wave_phase_rad
    return np.asarray(_amplitude(symbol, params) * np.sin(angle))


def _wave_ahead(
    _: str, __: SyntheticParams, path: Floats, m0: Integers, horizon_min: Integers
) -> tuple[Floats, Floats]:
    """The complete path is known."""
    move = path[m0 + 1 + horizon_min] - path[m0 + 1]
    return move, np.zeros_like(move)


def _ou_path(symbol: str, params: SyntheticParams, session: date, n_bars: int) -> Floats:
    seed = np.random.SeedSequence([params.seed, crc32(symbol.encode()), session.toordinal()])
    shocks = np.random.Generator(np.random.PCG64(seed)).standard_normal(n_bars + 1)
    kept = _kept(params, 1)
    shocks[1:] *= np.sqrt(1 - kept**2)
    path = accumulate(shocks.tolist(), lambda level, shock: kept * level + shock)
    return _amplitude(symbol, params) * np.fromiter(path, np.float64, n_bars + 1)


def _ou_ahead(
    symbol: str, params: SyntheticParams, path: Floats, m0: Integers, horizon_min: Integers
) -> tuple[Floats, Floats]:
    """The pull back to 0 is known; new noise is not."""
    kept = _kept(params, horizon_min)
    return -(1 - kept) * path[m0 + 1], _amplitude(symbol, params) ** 2 * (1 - kept**2)


def _kept(params: SyntheticParams, minutes: int | Integers) -> Floats:
    """The share of a deviation that remains after `minutes`."""
    return np.asarray(0.5 ** (minutes / params.ou_half_life_min))


def _amplitude(symbol: str, params: SyntheticParams) -> float:
    return params.amplitude_bp[symbol] * 1e-4


PLANTS = {"wave": Plant(_wave_path, _wave_ahead), "ou": Plant(_ou_path, _ou_ahead)}


FACTOR = "FACTOR"  # the stream that every symbol with a beta shares
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
            f"{sorted(params.amplitude_bp)}. Add it there, or remove it from universe.symbols."
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
        open=on_ticks(opening, params.tick_size),
        high=on_ticks(np.maximum(opening, close) + reach[0], params.tick_size),
        low=on_ticks(np.minimum(opening, close) - reach[1], params.tick_size),
        close=on_ticks(close, params.tick_size),
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


def on_ticks(log_price: Floats, tick_size: float) -> Floats:
    """Prices from their logarithms, rounded to ticks."""
    return np.asarray(np.round(np.round(np.exp(log_price) / tick_size) * tick_size, 6))
