"""Sums of losses turned into the figures people read.

*Shapes*: every function takes a mapping from loss name to an array and works alike on one total and on many resampled
totals. A figure that has no denominator is NaN.
*Ties*: where prices move in coarse ticks, many outcomes lie exactly on a quantile. A forecaster states the right
quantile q of level t when `P(y < q) <= t <= P(y <= q)`, so a tie may count as at or below q or as above it. Of the
ties of a level as many count as bring its share nearest to the level; without ties nothing is left to choose.
*Source*: Gneiting, Raftery (2007) for pinball, CRPS and interval score; Hyndman, Koehler (2006) for relative errors;
Gneiting, Wolffram, Resin and others (2023), Model Diagnostics and Forecast Evaluation for Quantiles, for ties.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stages.tables.quantiles import LEVELS

Floats = NDArray[np.float64]
Sums = Mapping[str, Floats]


def relative_errors(sums: Sums, version: str) -> dict[str, Floats]:
    """Errors of the median over those of persistence, which forecasts no move."""
    return {
        "rmae": ratio(sums[f"{version}_abs"], sums["abs_y"]),
        "rrmse": np.sqrt(ratio(sums[f"{version}_sq"], sums["sq_y"])),
    }


def figures(sums: Sums, version: str) -> dict[str, Floats]:
    """Every metric of one version. *Units*: bp where the name says so; the rest are ratios and shares."""
    n = sums["n"]

    def mean(loss: str) -> Floats:
        return ratio(sums[f"{version}_{loss}"], n)

    pinball = np.mean([sums[f"{version}_pinball_{level:02d}"] for level in LEVELS], axis=0)
    counts = hit_counts(sums, version)
    hits = {level: ratio(count, n) for level, count in counts.items()}
    return {
        **relative_errors(sums, version),
        "mae_bp": mean("abs"),
        "rmse_bp": np.sqrt(mean("sq")),
        "pinball_bp": ratio(pinball, n),
        "crps_bp": 2.0 * ratio(pinball, n),
        "crps_skill": 1.0 - ratio(pinball, sums[f"{version}_benchmark_pinball"]),
        "coverage_50": ratio(counts[75] - counts[25], n),
        "coverage_90": ratio(counts[95] - counts[5], n),
        **{f"hit_{level:02d}": hits[level] for level in LEVELS},
        "calibration_error": np.mean([np.abs(hits[level] - level / 100) for level in LEVELS], axis=0),
        "interval_score_50_bp": mean("interval_50"),
        "interval_score_90_bp": mean("interval_90"),
        "sharpness_50_bp": mean("width_50"),
        "sharpness_90_bp": mean("width_90"),
    }


def hit_counts(sums: Sums, version: str) -> dict[int, Floats]:
    """Level -> how many outcomes count as at or below its quantile; of those exactly on it, as many as the level asks.

    Without ties these are whole numbers.
    """
    found = {}
    for level in LEVELS:
        most, ties = sums[f"{version}_hit_{level:02d}"], sums[f"{version}_tie_{level:02d}"]
        found[level] = np.clip(level / 100 * sums["n"], most - ties, most)
    return found


def covered_50(sums: Sums, version: str) -> Floats:
    """Outcomes inside [q25, q75], both ends included whatever the levels ask."""
    below = sums[f"{version}_hit_25"] - sums[f"{version}_tie_25"]
    return sums[f"{version}_hit_75"] - below


def pit_counts(sums: Sums, version: str) -> Floats:
    """Outcomes at or below q25, up to q50, up to q75, above: the discrete PIT. *Shapes*: (..., 4)."""
    counts = hit_counts(sums, version)
    upto = [counts[level] for level in (25, 50, 75)]
    edges = np.stack([np.zeros_like(sums["n"]), *upto, sums["n"]], axis=-1)
    return np.diff(edges, axis=-1)


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient, NaN where the denominator is zero."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    quotient = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient
