"""What an answer must look like before anybody keeps it.

*Shapes*: `values_bp` (levels, horizon), levels ascending; `mean_bp` (horizon,).
*Units*: bp.
"""

import numpy as np
from numpy.typing import NDArray

CROSSING_TOLERANCE_BP = 1e-6


def complaint(values_bp: NDArray[np.float64], mean_bp: NDArray[np.float64], shape: tuple[int, int]) -> str | None:
    """What is wrong with an answer, in a few words; None if it is sound."""
    if values_bp.shape != shape or mean_bp.shape != shape[1:]:
        return f"it has {values_bp.shape[0]} levels of {values_bp.shape[1]} steps, asked were {shape[0]} of {shape[1]}"
    if not (np.isfinite(values_bp).all() and np.isfinite(mean_bp).all()):
        return "it holds nulls, NaN or infinity"
    if (np.diff(values_bp, axis=0) < -CROSSING_TOLERANCE_BP).any():
        return "its quantiles cross"
    if np.ptp(values_bp) == 0:
        return f"all its values are {values_bp.flat[0]:g}"
    return None
