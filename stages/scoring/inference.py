"""Inference with the day as the unit of evidence: bootstrap bounds, tests, and four-valued verdicts.

All symbols and snapshots of a day are drawn together, because they share the day's shocks. Short records are drawn day
by day, longer ones in blocks of neighbouring days with a mean length chosen from the data. A figure that has no
denominator in some draw, for instance because nothing moved on the drawn days, has no bound and no standard error:
leaving such draws out would flatter it.

Verdicts have four values, because too little evidence is neither a pass nor a failure, and a sealed holdout is not
judged at all.

*Shapes*: weights (reps, days) count how often a day was drawn; a sum over drawn days is `weights @ day_sums`.
*Source*: Politis, Romano (1994), stationary bootstrap; Politis, White (2004) with Patton's correction (2009), length;
Diebold, Mariano (1995) with the correction of Harvey, Leybourne, Newbold (1997): with one value a day and no lags, the
corrected statistic is the t statistic of the mean; Diebold, Gunther, Tay (1998) for the PIT.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr

Floats = NDArray[np.float64]
ROUNDING = 1e-9  # of sums of quantities that are known to 1e-6 bp


@lru_cache(maxsize=64)
def day_weights(n_days: int, block_days: int, reps: int, seed: int) -> Floats:
    """How often each day is drawn, by rep; circular blocks of geometric length with mean `block_days`."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_days, block_days]))
    begins = rng.random((reps, n_days)) < 1.0 / block_days
    return times_drawn(rng.integers(n_days, size=(reps, n_days)), begins)


def times_drawn(start: NDArray[np.int64], begins: NDArray[np.bool_]) -> Floats:
    """How often each day is drawn: a circular block starts at `start` on the first day and wherever `begins`.

    *Shapes*: all (reps, days).
    """
    reps, n_days = start.shape
    step = np.arange(n_days)
    begun_at = np.maximum.accumulate(np.where(begins, step, 0), axis=1)
    drawn = (np.take_along_axis(start, begun_at, axis=1) + step - begun_at) % n_days
    flat = (drawn + np.arange(reps)[:, None] * n_days).ravel()
    return np.bincount(flat, minlength=reps * n_days).reshape(reps, n_days).astype(np.float64)


def bounds(drawn: Floats, shares: Sequence[float]) -> Floats:
    """Quantiles of the draws at these shares; NaN for a figure that is missing in some draw.

    *Shapes*: drawn (..., draws); the result (shares, ...).
    """
    places = np.asarray(shares) * (drawn.shape[-1] - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, drawn.shape[-1] - 1)
    ordered = np.sort(drawn, axis=-1)  # much faster than np.partition, and np.quantile would first move the axis
    lower, upper = np.moveaxis(ordered[..., below], -1, 0), np.moveaxis(ordered[..., above], -1, 0)
    part = (places - below).reshape(-1, *[1] * (drawn.ndim - 1))
    with np.errstate(invalid="ignore"):
        found = np.where(part < 0.5, lower + (upper - lower) * part, upper - (upper - lower) * (1 - part))
    return np.where(np.isfinite(drawn).all(axis=-1), found, np.nan)


def deviation(drawn: Floats) -> Floats:
    """Standard error from the draws; NaN for a figure that is missing in some draw. *Shapes*: (..., draws) to (...)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(drawn.std(axis=-1, ddof=1))


def varies(daily: Floats) -> NDArray[np.bool_]:
    """Whether days differ by more than the rounding of sums. *Shapes*: (..., days) to (...)."""
    if daily.shape[-1] < 2:
        return np.zeros(daily.shape[:-1], np.bool_)
    mean = daily.mean(axis=-1, keepdims=True)
    return np.asarray((np.abs(daily - mean) > ROUNDING * (1.0 + np.abs(mean))).any(axis=-1))


def block_lengths(daily: Floats) -> NDArray[np.int64]:
    """Mean block length in days, rounded up, for the stationary bootstrap of daily series, (..., days) to (...)."""
    n = daily.shape[-1]
    lengths = np.ones(daily.shape[:-1], np.int64)
    varied = varies(daily)
    if not varied.any():
        return lengths
    centred = daily[varied] - daily[varied].mean(axis=-1, keepdims=True)
    quiet = max(5, int(np.log10(n)))
    longest = int(np.ceil(np.sqrt(n))) + quiet
    lags = np.arange(longest + 1)
    covariance = np.stack([(centred[:, lag:] * centred[:, : n - lag]).sum(axis=1) / n for lag in lags], axis=1)
    bandwidth = _bandwidths(centred, covariance, quiet, longest)[:, None]
    taper = np.clip(2.0 * (1.0 - lags / bandwidth), 0.0, 1.0)
    taper[:, 0] = 0.0
    spectral_slope = 2.0 * np.sum(taper * lags * covariance, axis=1)
    long_run_variance = covariance[:, 0] + 2.0 * np.sum(taper * covariance, axis=1)
    needed = np.full_like(long_run_variance, np.inf)  # the longest if the long-run variance is 0
    np.divide(n * spectral_slope**2, long_run_variance**2, out=needed, where=long_run_variance != 0.0)
    length = np.cbrt(needed)
    lengths[varied] = np.clip(np.ceil(length), 1, np.ceil(min(3.0 * np.sqrt(n), n / 3.0)))
    return lengths


def _bandwidths(centred: Floats, covariance: Floats, quiet: int, longest: int) -> NDArray[np.int64]:
    """Twice the first lag after which `quiet` autocorrelations in a row are insignificant, by series."""
    n = centred.shape[1]
    days = np.maximum(n - 1 - np.arange(longest + 1), 0)  # number of days with another day `lag + 1` days away
    forward, backward = np.pad(centred**2, ((0, 0), (1, 0))), np.pad(centred[:, ::-1] ** 2, ((0, 0), (1, 0)))
    upto, after = np.cumsum(forward, axis=1)[:, days], np.cumsum(backward, axis=1)[:, days]
    correlated = np.abs(covariance * n) >= 2.0 * np.sqrt(np.log10(n) / n) * np.sqrt(upto * after)
    windows: NDArray[np.bool_] = sliding_window_view(correlated, quiet, axis=1)[:, : longest - quiet + 1]
    calm = np.logical_not(np.any(windows, axis=2))
    first = np.where(calm.any(axis=1), calm.argmax(axis=1), longest)
    return np.asarray(np.minimum(2 * np.maximum(first, 1), longest))


def diebold_mariano(daily_loss_difference: Floats) -> dict[str, Floats]:
    """Tests whether the mean daily (loss - benchmark's loss) is zero, and below zero; NaN where days do not differ.

    *Shapes*: (..., days) to (...).
    """
    varied, days = varies(daily_loss_difference), daily_loss_difference.shape[-1]
    statistic = np.full(varied.shape, np.nan)
    if varied.any():
        daily = daily_loss_difference[varied]
        statistic[varied] = daily.mean(axis=-1) / (daily.std(axis=-1, ddof=1) / np.sqrt(days))
    p_better, p_two_sided = stdtr(days - 1, statistic), 2.0 * stdtr(days - 1, -np.abs(statistic))
    return {"statistic": statistic, "p_two_sided": p_two_sided, "p_better": p_better}


def pit_uniformity(counts: Floats, drawn: Floats | None) -> dict[str, Floats]:
    """Chi-square test of four equally likely bins: p for independent outcomes, and p from resampled days, else NaN.

    The second centres each draw on the observed counts, so it accounts for dependence within a day. Ties are counted as
    evenly as possible (`figures.hit_counts`), so with ties both are upper bounds of p.
    *Shapes*: counts (..., 4), drawn (..., draws, 4), results (...).
    """
    n = counts.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        share = counts / n[..., None]
    chi2 = _distance(share, np.full(4, 0.25), n)
    p_days = np.full(n.shape, np.nan)
    if drawn is not None:
        size = drawn.sum(axis=-1)
        luck = _distance(drawn / size[..., None], share[..., None, :], size)
        p_days = (1 + np.count_nonzero(luck >= chi2[..., None], axis=-1)) / (1 + luck.shape[-1])
    return {"chi2": chi2, "p_independent": chdtrc(3, chi2), "p_days": p_days}


def _distance(share: Floats, expected: Floats, n: Floats) -> Floats:
    return np.asarray(n * np.sum((share - expected) ** 2, axis=-1) / 0.25)


class Verdict(StrEnum):
    """PASS, FAIL, INCONCLUSIVE (too little evidence to say) or SEALED (the holdout is closed)."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    SEALED = "SEALED"


WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SEALED, Verdict.PASS)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One gate's verdict with everything needed to check it by hand.

    `bound` is the confidence bound that the rule used (null if it used none); `words` say what the test could detect
    with this much data.
    """

    verdict: Verdict
    value: float | None
    threshold: float
    bound: float | None = None
    n: int = 0
    n_days: int = 0
    words: str

    def as_document(self) -> dict[str, object]:
        """Plain values for JSON."""
        return vars(self) | {"verdict": self.verdict.value}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The joint verdict: FAIL before INCONCLUSIVE before SEALED before PASS; INCONCLUSIVE for none.

    INCONCLUSIVE outranks SEALED: if the search span cannot decide, opening the holdout does not help.
    """
    return min(verdicts, key=WORST_FIRST.index, default=Verdict.INCONCLUSIVE)
