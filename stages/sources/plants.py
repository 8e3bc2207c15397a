"""What can be forecast in the artificial market: a part of the log price that is known in advance, or pulled back.

`wave` is a half-hour season, the same every session. `ou` wanders around 0 and is pulled back to it (Ornstein and
Uhlenbeck): every session starts from its stationary law, on a stream of its own, so that neither a longer span nor
another session alters a path.

*Shapes*: a path has a value before the first minute of a session and one after each, `n_bars + 1` in all.
*Time*: `ahead` says what can be known at the end of minute `m0` by whoever knows the path so far, and no more.
*Units*: log price; `amplitude_bp` is the height of the wave, or the standard deviation of what is pulled back.
*Source*: Uhlenbeck and Ornstein (1930), Phys. Rev. 36, sampled exactly: an AR(1) of a minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from stages.sources.params import SyntheticParams

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Plant:
    """A path for a symbol and session; from a path, the mean and the variance of its moves from `m0` on."""

    path: Callable[[str, SyntheticParams, date, int], Floats]
    ahead: Callable[[str, SyntheticParams, Floats, Integers, Integers], tuple[Floats, Floats]]


def _wave_path(symbol: str, params: SyntheticParams, _: date, n_bars: int) -> Floats:
    minute = np.arange(-1, n_bars, dtype=np.int32)
    angle = 2 * np.pi * minute / params.wave_period_min + params.wave_phase_rad
    return np.asarray(_amplitude(symbol, params) * np.sin(angle))


def _wave_ahead(
    _: str, __: SyntheticParams, path: Floats, m0: Integers, horizon_min: Integers
) -> tuple[Floats, Floats]:
    """All of it is known."""
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
    """What will have been pulled back by then is known; what comes anew is not."""
    kept = _kept(params, horizon_min)
    return -(1 - kept) * path[m0 + 1], _amplitude(symbol, params) ** 2 * (1 - kept**2)


def _kept(params: SyntheticParams, minutes: int | Integers) -> Floats:
    """The share of a deviation that is still there after so many minutes."""
    return np.asarray(0.5 ** (minutes / params.ou_half_life_min))


def _amplitude(symbol: str, params: SyntheticParams) -> float:
    return params.amplitude_bp[symbol] * 1e-4


PLANTS = {"wave": Plant(_wave_path, _wave_ahead), "ou": Plant(_ou_path, _ou_ahead)}
