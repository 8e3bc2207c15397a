"""Anytime-valid evidence about a mean: a betting process (an e-process) and its confidence sequence.

A gambler bets each day that the value lies above the tested mean. The gambler's wealth, from one unit, is the evidence
E against the mean being that small. Days are divided by a scale known from earlier days and clipped at four of them,
and bets are constants, so E is a non-negative supermartingale while the expected clipped day is at most zero given the
past. Then the chance that E ever reaches 1/alpha is at most alpha, however often one looks. The clip is the only
approximation: if rare losses exceed it, the clipped mean exceeds the true one.

*Shapes*: values are (..., days); every result has the same shape. A result of the first n days equals the first n of a
longer series to the last bit, since all sums run in day order.
*Units*: E as natural logarithm; scales and means in the unit of the values.
*Source*: Waudby-Smith, Ramdas (2024) for betting and confidence sequences; Ville (1939) for the bound; Wang, Ramdas
(2022) for e-BH.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

CLIP = 4.0  # the most that a day counts, in scales
K = 3  # the weight of the planned deviation, in days
BETS = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0])
LARGEST = 0.95  # share of the wealth that the largest bet puts at risk
STAKES = LARGEST * BETS / CLIP  # share of the wealth, by scale
REACH, HALVINGS = 40.0, 60  # of the bisection: distance from the mean in largest scales, and number of steps
PREFIXES_AT_ONCE = 64


def running_means(x: Floats) -> Floats:
    """The mean of the days so far, after each day."""
    return np.asarray(np.cumsum(x, axis=-1) / np.arange(1, x.shape[-1] + 1))


def scales(x: Floats, s0: float) -> Floats:
    """The scale by which each day is divided: the deviation of earlier days, shrunk towards the planned one, `s0`."""
    squares = np.cumsum((x - running_means(x)) ** 2, axis=-1)
    earlier = np.concatenate([np.zeros_like(x[..., :1]), squares[..., :-1]], axis=-1)
    return np.asarray(np.sqrt((K * s0**2 + earlier) / (K + np.arange(x.shape[-1]))))


def log_e_values(x: Floats, mean: float, s0: float, sign: int = 1) -> Floats:
    """The log of E after each day against a mean of at most `mean` (`sign` 1), or of at least `mean` (`sign` -1)."""
    return wealth(sign * (x - mean) / scales(x, s0))


def wealth(scaled: Floats) -> Floats:
    """The log of E after each day, from values divided by their scales: the mean wealth over the bets."""
    z = np.clip(scaled, -CLIP, CLIP)
    by_bet = [np.cumsum(np.log1p(stake * z), axis=-1) for stake in STAKES]
    largest = np.maximum.reduce(by_bet)
    return np.asarray(largest + np.log(sum(np.exp(one - largest) for one in by_bet) / len(by_bet)))


def bounds(x: Floats, s0: float, threshold: float, sign: int = 1, after: Sequence[int] | None = None) -> Floats:
    """After each day, the largest mean rejected as too small; with `sign` -1, the smallest rejected as too large.

    E decreases in the tested mean, so the bound is found by bisection. NaN while there is no bound. `after` limits the
    search to these day indices, rising; the other days are NaN.
    *Shapes*: (days,).
    """
    days = np.arange(len(x)) if after is None else np.asarray(after, np.int64)
    values = sign * x
    spread = scales(values, s0)
    means, reach = running_means(values)[days], (REACH * np.maximum.accumulate(spread))[days]
    low, high = means - reach, means + reach
    bounded = _rejected(low, days, values, spread, threshold)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        rejected = _rejected(middle, days, values, spread, threshold)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    found = np.full(len(x), np.nan)
    found[days] = np.where(bounded, sign * low, np.nan)
    return found


def _rejected(tested: Floats, days: Days, x: Floats, spread: Floats, threshold: float) -> NDArray[np.bool_]:
    """Whether the days up to each of `days` reject the mean tested there. *Shapes*: as `days`.

    Plain products are enough, since only the side of the threshold matters. Later days multiply by one.
    """
    rejected = np.empty(len(days), bool)
    for first in range(0, len(days), PREFIXES_AT_ONCE):
        chunk = slice(first, first + PREFIXES_AT_ONCE)
        known = np.arange(days[chunk][-1] + 1)[:, None]
        z = np.clip((x[known] - tested[chunk]) / spread[known], -CLIP, CLIP)
        behind = days[first] + 1
        z[behind:] *= known[behind:] <= days[chunk]
        with np.errstate(over="ignore"):  # beyond the largest number, E is surely above the threshold
            total = np.prod(1.0 + STAKES[:, None, None] * z, axis=1).sum(axis=0)
        rejected[chunk] = total >= threshold * len(STAKES)
    return rejected


def rejected_together(log_e: Sequence[float], alpha: float) -> list[bool]:
    """Which of several hypotheses e-BH rejects at a false-discovery rate of `alpha`, under any dependence.

    It takes the largest j whose j-th largest E is at least K / (alpha j), and rejects the j hypotheses with the largest
    E; K is the number of hypotheses.
    """
    e, k = np.asarray(log_e, np.float64), len(log_e)
    largest_first = np.sort(e)[::-1]
    enough = np.flatnonzero(largest_first >= np.log(k / (alpha * np.arange(1, k + 1))))
    return [bool(one) for one in e >= largest_first[enough[-1]]] if len(enough) else [False] * k
