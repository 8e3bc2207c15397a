"""The rows that are sent: a spliced level that ends at zero, and a digest of exactly those rows."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.questions.window import UNITS_PER_BP, Past, Window, digest_of_sessions
from tests.questions.digests import digest_of

EMPTY = np.empty((0, 0))


def window(sessions: list[int], returns: list[int]) -> Window:
    """Rows of these sessions; minutes count up within each."""
    session = np.array(sessions, dtype=np.int32)
    minute = np.array([sessions[:k].count(day) for k, day in enumerate(sessions)], dtype=np.int32)
    units = np.array(returns, dtype=np.int64)
    return Window(np.arange(len(sessions)), session, minute, units, EMPTY, EMPTY, Past.of(minute, units))


def test_y_is_the_sum_of_later_returns_told_backwards_from_zero():
    rows = window([1, 1, 2, 2], [7 * UNITS_PER_BP, 2 * UNITS_PER_BP, -1 * UNITS_PER_BP, 3 * UNITS_PER_BP])
    assert rows.y_bp.tolist() == [-4, -2, -3, 0]


def test_complete_sessions_by_hand():
    """A window that begins in the middle of a session has it among none; one without any takes all rows for today's."""
    units = list(range(7))
    rows = window([1, 1, 2, 2, 3, 4, 4], units)
    past = Past.of(rows.minute[1:], rows.returns[1:])
    assert (past.returns.tolist(), past.starts.tolist()) == ([2, 3, 4], [0, 2, 3])
    assert past.latest(1).returns.tolist() == [4]
    assert past.latest(1) is past.latest(1)
    assert past.latest(2) is past
    assert rows.returns[rows.today].tolist() == [5, 6]
    alone = window([1, 1], [3, 4])
    assert (len(alone.past), alone.today) == (0, slice(0, None))
    torn = Past.of(rows.minute[[1, 3]], rows.returns[[1, 3]])
    assert (torn.returns.tolist(), torn.starts.tolist()) == ([], [0])


RETURNS = hnp.arrays(np.int64, st.integers(2, 30), elements=st.integers(-(10**9), 10**9))


@given(RETURNS, st.data())
def test_any_sent_return_moves_y_and_the_first_rows_own_does_not(returns, data):
    sessions = sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(returns), max_size=len(returns))))
    row = data.draw(st.integers(0, len(returns) - 1))
    changed = returns.copy()
    changed[row] += data.draw(st.integers(1, 5))
    before, after = window(sessions, returns.tolist()), window(sessions, changed.tolist())
    assert np.array_equal(before.y_bp, after.y_bp) == (row == 0)


def test_the_digest_by_hand():
    """sha256 over the digests of [r1] and [r2, r3]; r0 is in no y, so it is not in the digest either."""

    def sha(content: bytes) -> bytes:
        return hashlib.sha256(content).digest()

    def units(*values: int) -> bytes:
        return b"".join(value.to_bytes(8, "little", signed=True) for value in values)

    rows = window([1, 1, 2, 2], [99, 5, -6, 7])
    assert digest_of(rows) == digest_of_sessions([sha(units(5)), sha(units(-6, 7))])
    assert digest_of(rows) == sha(sha(units(5)) + sha(units(-6, 7))).hex()
