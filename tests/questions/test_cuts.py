"""A cut's rows as slices are its rows one by one."""

import hashlib
from datetime import date

import numpy as np
import polars as pl
import pytest

from stages.questions.window import Cut, Series, digest_of_sessions

VALUES = np.arange(100) * 3


@pytest.mark.parametrize(
    ("blocks", "runs"),
    [
        ([(4, 9)], 1),
        ([(0, 10), (10, 20), (20, 23)], 1),  # sessions that follow each other
        ([(5, 10), (20, 30), (30, 31)], 2),
        ([(0, 10), (20, 30), (50, 60), (60, 70), (90, 99)], 4),
    ],
)
def test_sessions_that_follow_each_other_are_one_slice(blocks, runs):
    cut = Cut(tuple(blocks[:-1]), blocks[-1])
    rows = [row for first, stop in blocks for row in range(first, stop)]
    assert len(cut.runs) == runs
    assert cut.index.tolist() == rows
    assert cut.of(VALUES).tolist() == [3 * row for row in rows]
    assert np.shares_memory(cut.of(VALUES), VALUES) == (runs == 1)


@pytest.mark.parametrize(
    ("limit", "blocks"),
    [
        (None, [(0, 3), (5, 8), (8, 9)]),
        (8, [(0, 3), (5, 8), (8, 9)]),
        (6, [(1, 3), (5, 8), (8, 9)]),
        (4, [(5, 8), (8, 9)]),  # exactly the last two sessions
        (3, [(6, 8), (8, 9)]),
        (1, [(8, 9)]),
    ],
)
def test_the_latest_rows_are_those_of_the_last_sessions_the_first_of_them_in_part(limit, blocks):
    assert Cut(((0, 3), (5, 8)), (8, 9)).latest(limit) == Cut(tuple(blocks[:-1]), blocks[-1])


def test_without_an_earlier_session_the_first_row_s_own_return_is_in_no_digest():
    count = np.arange(10)
    series = Series(count, count, count, VALUES[:10], np.ones(10), pl.DataFrame(), {})
    sent = hashlib.sha256(VALUES[5:9].astype("<i8").tobytes()).digest()
    assert series.digest(Cut((), (4, 9))) == digest_of_sessions([sent])


@pytest.mark.parametrize(
    "past",
    [
        ((0, 2), (2, 5), (5, 8), (8, 9), (9, 10)),
        ((0, 2), (2, 5), (8, 9)),
        ((0, 2), (2, 5), (9, 10)),
        ((2, 5), (8, 9)),
    ],
)
def test_a_session_that_is_left_out_between_others_is_in_no_digest(past):
    count, blocks = np.arange(11), [(0, 2), (2, 5), (5, 8), (8, 9), (9, 10), (10, 11)]
    dated = {date(2024, 1, 2 + n): block for n, block in enumerate(blocks)}
    series = Series(count, count, count, VALUES[:11], np.ones(11), pl.DataFrame(), dated)
    (first, stop), *later = past
    sent = [(first + 1, stop), *later, (10, 11)]
    parts = [hashlib.sha256(VALUES[begin:end].astype("<i8").tobytes()).digest() for begin, end in sent]
    assert series.digest(Cut(past, (10, 11))) == digest_of_sessions(parts)
