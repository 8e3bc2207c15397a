"""What a barrier trade earns on average: a normal move that ends at the stop or at the target if it reaches beyond.

With X ~ N(mu, sd), a stop at -S and a target at T, as for a bought put and a sold call under the normal model,

    E[clip(X, -S, T)] = mu + E[max(-S - X, 0)] - E[max(X - T, 0)],
    E[max(N(m, sd), 0)] = m Phi(m / sd) + sd phi(m / sd),

so that a grid of stops and targets needs one term a stop and one a target. Without the cut the test "EV > 0" would
follow from the quantile rule and never bite.

*Units*: everything in bp of simple return, signed so that a gain of the position is positive; quantiles in bp of log
return must be turned into simple ones first.
*Source*: Bachelier (1900); the closed form of the clipped normal in docs/TRADING_RULES.md is the same number.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

# Distance between the quartiles of the standard normal, to five decimals.
QUARTILE_DISTANCE = 1.34898


def normal_of(q25: Floats, q50: Floats, q75: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the normal that three quantiles suggest."""
    return (q25 + q50 + q75) / 3.0, (q75 - q25) / QUARTILE_DISTANCE


def saved_by_stop(mu: Floats, sd: Floats, stop: Floats) -> Floats:
    """E[max(-stop - X, 0)]: the part of the losses that the stop cuts off."""
    return _mean_above_zero(-stop - mu, sd)


def lost_to_target(mu: Floats, sd: Floats, take: Floats) -> Floats:
    """E[max(X - take, 0)]: the part of the gains that the target cuts off."""
    return _mean_above_zero(mu - take, sd)


def _mean_above_zero(mean: Floats, sd: Floats) -> Floats:
    """E[max(N(mean, sd), 0)]; a certain move where `sd` is zero."""
    certain = sd <= 0.0
    z = mean / np.where(certain, 1.0, sd)
    spread = mean * ndtr(z) + sd * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.where(certain, np.maximum(mean, 0.0), spread)
