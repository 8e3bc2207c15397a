"""Past moves begin at the close of a minute and end within their session."""

import numpy as np

from stages.forecasting.moves import past_moves as moves_over
from stages.forecasting.moves import spread
from tests.forecasting.windows import changed, window


def past_moves(rows, minutes, horizon, sessions):
    return moves_over(rows, minutes, horizon, np.arange(1, horizon + 1), sessions)


SESSIONS = window([[9, 1, 2, 3], [9, 10, 20, 30], [9, 100], [9, 5]])  # the third is a half day, the last today


def test_moves_over_one_and_two_minutes_by_hand():
    assert past_moves(SESSIONS, range(1, 2), 2, sessions=5).tolist() == [[2, 5], [20, 50]]


def test_sessions_too_short_for_the_move_are_left_out_and_today_is_never_used():
    assert past_moves(SESSIONS, range(1), 1, sessions=5).tolist() == [[1], [10], [100]]
    assert past_moves(SESSIONS, range(3, 4), 1, sessions=5).size == 0


def test_only_the_last_sessions_count():
    assert past_moves(SESSIONS, range(1), 1, sessions=2).tolist() == [[10], [100]]


def test_a_history_that_begins_in_the_middle_of_a_session_starts_with_the_next_one():
    cut = window([[9, 1, 2, 3], [9, 10, 20, 30], [9, 5]])
    assert past_moves(changed(cut, cut.returns, first=2), range(1, 2), 2, sessions=5).tolist() == [[20, 50]]


def test_the_spread_of_one_to_nineteen_by_hand():
    """Rank p(n+1) of 20: the 1st, 5th, 10th, 15th and 19th value, around the 10th."""
    moves = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))[:, None]
    assert spread(moves, (5, 25, 50, 75, 95))[:, 0].tolist() == [-9, -5, 0, 5, 9]
