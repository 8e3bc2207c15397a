"""Worlds whose truth is known: series of days with mean 0 and deviation 1, and planted pairs of forecasters.

Losses are computed here by themselves, apart from the product's table code.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import ndtri

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Floats]
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
AT = ndtri(LEVELS)
WIDTH = AT[-1] - AT[0]
BURN_IN = 100
SPREAD_OF_LOG = 0.83255461  # of a lognormal whose skewness is 4
DISASTER, FALL = 0.01, 10.0  # how often, and how many deviations of a plain day


def normal(rng: np.random.Generator, paths: int, days: int) -> Floats:
    return rng.standard_normal((paths, days))


def t3(rng: np.random.Generator, paths: int, days: int) -> Floats:
    return rng.standard_t(3, (paths, days)) / np.sqrt(3.0)


def skewed_down(rng: np.random.Generator, paths: int, days: int) -> Floats:
    """A reflected lognormal of skewness -4, the bad direction of `better`."""
    square = np.exp(SPREAD_OF_LOG**2)
    drawn = rng.lognormal(0.0, SPREAD_OF_LOG, (paths, days))
    return (np.sqrt(square) - drawn) / np.sqrt((square - 1.0) * square)


def flat_and_skewed_down(rng: np.random.Generator, paths: int, days: int) -> Floats:
    """A reflected gamma of skewness -4: most days hardly differ, a few lose all that these gain."""
    return (0.25 - rng.gamma(0.25, 1.0, (paths, days))) / 0.5


def skewed_up(rng: np.random.Generator, paths: int, days: int) -> Floats:
    return -skewed_down(rng, paths, days)


def disasters(rng: np.random.Generator, paths: int, days: int) -> Floats:
    """One day in a hundred loses ten deviations of the others."""
    fell = rng.random((paths, days)) < DISASTER
    x = rng.standard_normal((paths, days)) - FALL * (fell - DISASTER)
    return x / np.sqrt(1.0 + FALL**2 * DISASTER * (1.0 - DISASTER))


@dataclass(frozen=True)
class Rule:
    """A rule that gains nothing: how many trades it may make a day, how often it makes each, and how often one wins.

    *Units*: what a lost trade loses is 1.
    """

    trades: int
    made: float
    won: float

    def __call__(self, rng: np.random.Generator, paths: int, days: int) -> Floats:
        """Its days."""
        shape = (paths, days, self.trades)
        earned = np.where(rng.random(shape) < self.won, (1.0 - self.won) / self.won, -1.0)
        return np.where(rng.random(shape) < self.made, earned, 0.0).sum(axis=-1)


def garch(rng: np.random.Generator, paths: int, days: int) -> Floats:
    """GARCH(1,1) with 0.1 and 0.85, of variance 1."""
    shocks = rng.standard_normal((paths, days + BURN_IN))
    x, variance = np.empty_like(shocks), np.ones(paths)
    for day in range(days + BURN_IN):
        x[:, day] = np.sqrt(variance) * shocks[:, day]
        variance = 0.05 + 0.1 * x[:, day] ** 2 + 0.85 * variance
    return x[:, BURN_IN:]


def autocorrelated(rho: float) -> Draw:
    """An autoregression of order one, of variance 1."""

    def draw(rng: np.random.Generator, paths: int, days: int) -> Floats:
        shocks = np.sqrt(1.0 - rho**2) * rng.standard_normal((paths, days + BURN_IN))
        return lfilter([1.0], [1.0, -rho], shocks, axis=-1)[:, BURN_IN:]

    return draw


@dataclass(frozen=True)
class Side:
    """A Gaussian forecaster: its width over the right one, the noise in the log of its width, whether it knows more."""

    width: float = 1.0
    noise: float = 0.0
    knows: bool = False


@dataclass(frozen=True)
class Pair:
    """Two forecasters of a standard normal outcome of which a share `signal` of the deviation can be known."""

    paid: Side
    free: Side
    signal: float = 0.0

    def day_values(self, rng: np.random.Generator, paths: int, days: int, questions: int) -> Floats:
        """Advantages by day. *Shapes*: (paths, days)."""
        return np.stack([self.questions(rng, days * questions).reshape(days, -1).mean(axis=1) for _ in range(paths)])

    def questions(self, rng: np.random.Generator, count: int) -> Floats:
        """The shape's difference of the losses, by question, in units of the expected loss."""
        known, rest = rng.standard_normal((2, count))
        y = self.signal * known + np.sqrt(1.0 - self.signal**2) * rest
        sides = [self._says(side, known, rng.standard_normal(count)) for side in (self.free, self.paid)]
        free, paid = (_pinball(y, *said) for said in sides)
        return (free - paid) / (0.0755 * 0.5 * WIDTH * (sides[0][1] + sides[1][1]))

    def mean(self, count: int, seed: int = 99) -> float:
        """The true advantage, by as many questions."""
        return float(self.questions(np.random.default_rng(seed), count).mean())

    def _says(self, side: Side, known: Floats, noise: Floats) -> tuple[Floats, Floats]:
        sure = np.sqrt(1.0 - self.signal**2) if side.knows else 1.0
        return self.signal * known * side.knows, sure * side.width * np.exp(side.noise * noise)


def by_signal(advantage: float, noise: float) -> Pair:
    """Both as noisy; the paid one knows enough of the outcome to be better by this."""

    def pair(signal: float) -> Pair:
        return Pair(Side(noise=noise, knows=True), Side(noise=noise), signal)

    return pair(_solved(pair, advantage, 0.9)) if advantage else pair(0.0)


def by_scale(advantage: float, noise: float) -> Pair:
    """The paid one's width is as noisy as said, the free one's is noisier."""

    def pair(more: float) -> Pair:
        return Pair(Side(noise=noise), Side(noise=noise + more))

    return pair(_solved(pair, advantage, 1.0)) if advantage else pair(0.0)


def _solved(pair: Callable[[float], Pair], advantage: float, largest: float) -> float:
    return float(brentq(lambda one: pair(one).mean(400_000) - advantage, 1e-3, largest, xtol=1e-4))


def _pinball(y: Floats, centre: Floats, spread: Floats) -> Floats:
    total = np.zeros_like(y)
    for level, at in zip(LEVELS, AT, strict=True):
        error = y - (centre + at * spread)
        total += np.maximum(level * error, (level - 1.0) * error)
    return total / len(LEVELS)
