"""Quantiles of data in order are those of numpy, to the bit."""

import numpy as np
import pytest

from stages.forecasting.quantiles import linear, weibull


@pytest.mark.parametrize(("of_sorted", "method"), [(linear, "linear"), (weibull, "weibull")])
@pytest.mark.parametrize("n", [2, 3, 20, 41, 1000, 1240])
def test_every_level_has_the_bits_of_numpy(of_sorted, method, n):
    # Source of the expected values: numpy.quantile, on moves in whole millionths of a bp as windows hold them.
    in_order = np.sort(np.round(np.random.default_rng(n).normal(0, 5, (4, n)), 6))
    levels = (0, 1, 5, 25, 50, 75, 95, 99, 100)
    expected = np.quantile(in_order, np.array(levels) / 100, axis=1, method=method)
    assert of_sorted(in_order, levels).tobytes() == expected.tobytes()
