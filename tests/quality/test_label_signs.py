"""Each sign of the label alone, on a few minutes whose odds are worked out by hand."""

import numpy as np
from scipy.stats import ttest_1samp

from stages.quality.label_signs import _t

NAN = np.nan


def test_a_step_is_known_in_standard_errors_from_21_minutes_on_and_where_steps_differ() -> None:
    steps = np.random.default_rng(4).normal(0.1, 0.3, (4, 30))
    steps[0, ::4], steps[1, 21:], steps[2, 20:], steps[3] = NAN, NAN, NAN, 0.0
    expected = [*ttest_1samp(steps[:2], 0.0, axis=1, nan_policy="omit").statistic, 0.0, 0.0]
    np.testing.assert_allclose(_t(steps), expected, rtol=1e-12)
