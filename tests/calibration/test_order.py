"""Crossed quantiles are put in order without making any forecast worse."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.calibration.methods import in_order, in_order_around_median

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
ROWS = arrays(np.float64, (3, 5), elements=st.floats(-100, 100, width=32))


def pinball(q, y):
    return np.maximum(LEVELS * (y - q), (LEVELS - 1) * (y - q)).sum(axis=1)


def test_a_crossed_row_is_sorted():
    assert in_order(np.array([[0.0, 5.0, 1.0, 4.0, 9.0]])).tolist() == [[0.0, 1.0, 4.0, 5.0, 9.0]]


@given(q=ROWS, y=st.floats(-100, 100))
def test_sorting_never_worsens_the_summed_pinball_loss(q, y):
    assert (pinball(in_order(q), y) <= pinball(q, y) + 1e-9).all()


def test_a_median_outside_a_narrowed_interval_moves_to_its_nearest_end():
    narrowed = np.array([[-9.0, 2.0, 0.0, 4.0, 9.0], [-9.0, -4.0, 0.0, -2.0, 9.0], [-9.0, -1.0, 0.0, 1.0, 9.0]])

    assert in_order_around_median(narrowed)[:, 2].tolist() == [2.0, -2.0, 0.0]


@given(q=ROWS)
def test_the_result_is_in_order_and_keeps_the_four_outer_values(q):
    found = in_order_around_median(q)

    assert (np.diff(found, axis=1) >= 0).all()
    assert np.array_equal(found[:, [0, 1, 3, 4]], np.sort(q[:, [0, 1, 3, 4]], axis=1))
