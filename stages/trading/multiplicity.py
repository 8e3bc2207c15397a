"""Corrections for multiple testing: superior predictive ability, deflated Sharpe ratio, overfitting probability.

`superior_ability_p` is Hansen's test whether any variant beats doing nothing. As in the paper the statistic is
studentised: the best ratio of mean day to deviation of a day, so that the skill of a variant with small moves is not
hidden by the luck of one with large moves. The deviation is the plain daily one, the scale of a Sharpe ratio. The
paper's long-run deviation is too uncertain over a few months: among many variants without skill, one is best because
its scale is underestimated. `bench_superior_ability` prints size and power of both. Days are drawn by the
stationary bootstrap in blocks of sqrt(sessions) on average, as `arch` draws them, whose import takes longer than a
sweep. Each draw is a row of counts, so a block of variants is one matrix product.

No array has the size variants times variants, or variants times choices of days: ten thousand variants are processed in
pieces.

*Shapes*: `daily` (sessions, variants). *Units*: those of the P&L; Sharpe ratios here are per session, not annualised.
*Source*: Hansen (2005), "A Test for Superior Predictive Ability", the consistent p-value; one is added to numerator and
denominator, as the sample is one of the draws (Davison and Hinkley 1997, eq. 4.11), so no p-value is 0.
"""

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from stages.scoring.inference import times_drawn
from stages.trading.daily import Floats
from stages.trading.performance import MIN_SESSIONS, varies, varying_blocks


def superior_ability_p(daily: Floats, reps: int, seed: int) -> float | None:
    """P-value of "no variant earns more than nothing"; None where no variant varies or below twenty sessions.

    It is 1 where no variant of the sample earned anything.
    """
    if len(daily) < MIN_SESSIONS or not varies(daily).any():
        return None
    draws = _draws(len(daily), reps, seed)
    best, best_by_luck = 0.0, np.zeros(reps)
    for block in varying_blocks(daily):
        mean, deviation = block.mean(axis=0), block.std(axis=0)
        best = max(best, float((mean / deviation).max()))
        by_luck = (draws @ block - np.where(_is_relevant(mean, deviation, len(daily)), mean, 0.0)) / deviation
        np.maximum(best_by_luck, by_luck.max(axis=1), out=best_by_luck)
    return float((1 + np.count_nonzero(best_by_luck >= best)) / (1 + reps))


def _draws(sessions: int, reps: int, seed: int) -> Floats:
    """The weight of each session in each draw. *Shapes*: (reps, sessions), rows sum to 1."""
    rng, new = np.random.default_rng(seed), 1.0 / int(np.sqrt(sessions))
    drawn = [(rng.integers(sessions, size=sessions), rng.random(sessions) <= new) for _ in range(reps)]
    return times_drawn(np.array([start for start, _ in drawn]), np.array([begins for _, begins in drawn])) / sessions


def _is_relevant(mean: Floats, deviation: Floats, sessions: int) -> NDArray[np.bool_]:
    """Which variants are not significantly worse than doing nothing (Hansen's threshold)."""
    return np.asarray(np.sqrt(sessions) * mean >= -deviation * np.sqrt(2.0 * np.log(np.log(sessions))))


MIN_BLOCK_SESSIONS = 2
FIGURES_AT_ONCE = 1 << 18  # of variants times choices of days: two megabytes


def expected_best_sharpe(variance: float, trials: float) -> float:
    """The Sharpe ratio that the best of `trials` independent variants without skill reaches on average.

    *Source*: Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio", eq. 1.
    """
    if trials <= 1:
        return 0.0
    rare, rarer = ndtri(1.0 - 1.0 / trials), ndtri(1.0 - 1.0 / (trials * math.e))
    return float(np.sqrt(variance) * ((1.0 - np.euler_gamma) * rare + np.euler_gamma * rarer))


def deflated_sharpe(daily: Floats, variance: float, trials: float) -> float | None:
    """Probability that a variant's true Sharpe ratio is above what luck gives the best of `trials`.

    `daily` is that variant's series; `variance` is that of the Sharpe ratios of all `trials`, not only those in this
    grid: otherwise a copy of a variant would raise its own figure. Skewness and kurtosis are the sample's. None below
    twenty sessions or where the series does not vary.
    *Source*: Bailey and Lopez de Prado (2014), eq. 2.
    """
    if len(daily) < MIN_SESSIONS or np.ptp(daily) == 0.0:
        return None
    ratio = float(daily.mean() / daily.std(ddof=1))
    bar = expected_best_sharpe(variance, trials)
    z = (daily - daily.mean()) / daily.std()
    shape = float(1.0 - (z**3).mean() * ratio + ((z**4).mean() - 1.0) / 4.0 * ratio**2)
    return float(ndtr((ratio - bar) * np.sqrt((len(daily) - 1.0) / shape))) if shape > 0.0 else None


def effective_trials(daily: Floats) -> float:
    """The number of independent variants that the grid amounts to: 1 + (N - 1)(1 - mean correlation).

    Idle variants are left out. The correlations add up to the variance of the sum of the standardised series, so no
    matrix is needed.
    """
    together, count = np.zeros(len(daily)), 0
    for block in varying_blocks(daily):
        together += ((block - block.mean(axis=0)) / block.std(axis=0)).sum(axis=1)
        count += block.shape[1]
    if count < 2:
        return float(count)
    mean = ((together**2).mean() - count) / (count * (count - 1))
    return float(1.0 + (count - 1) * (1.0 - max(mean, 0.0)))


def overfitting_probability(daily: Floats, blocks: int) -> float | None:
    """PBO: how often the best variant of one half of the days is below the median in the other half.

    Days are split into `blocks` consecutive blocks of about equal length, an even number; every choice of half of them
    is in sample once. A value at the median counts as below. None with fewer than two distinct variants, where no
    variant has two different days, or for too few days.
    *Source*: Bailey, Borwein, Lopez de Prado, Zhu (2017), "The Probability of Backtest Overfitting", CSCV.
    """
    distinct = _distinct(daily)
    sessions, variants = len(daily), len(distinct)
    if variants < 2 or sessions < MIN_BLOCK_SESSIONS * blocks or not varies(daily).any():
        return None
    sums, squares = np.empty((2, blocks, variants))
    days = np.array_split(daily, blocks)
    for block, part in enumerate(days):
        of_variants = part.T[distinct]
        sums[block], squares[block] = of_variants.sum(axis=1), (of_variants**2).sum(axis=1)
    sizes = np.array([len(part) for part in days])
    halves = np.array([[block in half for block in range(blocks)] for half in combinations(range(blocks), blocks // 2)])
    at_once = max(1, FIGURES_AT_ONCE // variants)
    below = [
        _best_is_below_median(halves[first : first + at_once], sums, squares, sizes)
        for first in range(0, len(halves), at_once)
    ]
    return float(np.mean(np.concatenate(below)))


def _distinct(daily: Floats) -> NDArray[np.int64]:
    """One variant's number of each distinct series, ordered by their days: what `np.unique` gives, without copies."""
    order = np.lexsort(daily[::-1]) if len(daily) else np.arange(daily.shape[1])
    new = np.ones(len(order), np.bool_)
    new[1:] = False
    for day in daily:
        new[1:] |= np.diff(day[order]) != 0.0
    return np.asarray(order[new])


def _best_is_below_median(
    halves: NDArray[np.bool_], sums: Floats, squares: Floats, sizes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the best variant inside each choice of blocks is at or below the median outside. *Shapes*: (choices,)."""
    inside = _sharpes_of(halves, sums, squares, sizes)
    outside = _sharpes_of(~halves, sums, squares, sizes)
    best = np.argmax(inside, axis=1)
    found = np.take_along_axis(outside, best[:, None], axis=1)
    rank = (outside < found).sum(axis=1) + 0.5 * ((outside == found).sum(axis=1) + 1.0)
    return np.asarray(rank / (outside.shape[1] + 1.0) <= 0.5)


def _sharpes_of(halves: NDArray[np.bool_], sums: Floats, squares: Floats, sizes: NDArray[np.int64]) -> Floats:
    """Sharpe ratios per session over each choice of blocks. *Shapes*: (choices, variants)."""
    chosen = halves.astype(np.float64)
    count = (chosen @ sizes)[:, None]
    mean = chosen @ sums / count
    variance = (chosen @ squares - count * mean**2) / (count - 1.0)
    still = variance <= 1e-12 * np.maximum(mean**2, 1.0)
    return np.where(still, 0.0, mean / np.sqrt(np.where(still, 1.0, variance)))
