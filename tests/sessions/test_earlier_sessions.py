"""What the usable sessions before a session held: windows that grow from nothing, and their median."""

from statistics import median as by_the_book

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.sessions.rolling import median, windows_before

NAN = float("nan")


def test_a_session_sees_the_last_usable_ones_before_it_and_never_itself() -> None:
    table = np.array([[1.0], [2.0], [3.0], [4.0]])
    windows, before = windows_before(table, np.array([True, False, True, True]), 2)
    np.testing.assert_array_equal(windows[before][:, 0], [[NAN, NAN], [NAN, 1], [NAN, 1], [1, 3]])


def test_a_window_longer_than_the_record_is_as_long_as_the_record() -> None:
    usable = np.array([True, False, True, True])
    long, before = windows_before(np.array([[1.0], [2.0], [3.0], [4.0]]), usable, 10_000)
    assert long.shape == (4, 1, 3)
    np.testing.assert_array_equal(long[before][:, 0], [[NAN, NAN, NAN], [NAN, NAN, 1], [NAN, NAN, 1], [NAN, 1, 3]])
    assert windows_before(np.ones((2, 1)), np.zeros(2, bool), 10_000)[0].shape == (1, 1, 1)


def test_the_median_is_of_the_numbers_only_and_of_enough_of_them() -> None:
    values = np.array([[3.0, 1.0, 2.0], [4.0, NAN, 2.0], [NAN, 5.0, NAN], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(median(values), [2, 3, 5, NAN])
    np.testing.assert_array_equal(median(values, at_least=2), [2, 3, NAN, NAN])


NUMBERS = st.one_of(st.just(NAN), st.floats(-1e6, 1e6))
TABLES = st.integers(1, 7).flatmap(
    lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1)
)


@given(TABLES, st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_the_median_is_that_of_the_standard_library(rows: list[list[float]], at_least: int) -> None:
    for found, row in zip(median(np.array(rows), at_least), rows, strict=True):
        numbers = [value for value in row if value == value]  # noqa: PLR0124
        expected = by_the_book(numbers) if len(numbers) >= at_least else NAN
        assert found == pytest.approx(expected, nan_ok=True)
