"""The search span is walked through: what is chosen on always ends before what is traded."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from stages.params.split import WalkForward, WalkForwardParams
from stages.sessions.spans import folds


def days(n: int) -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=k) for k in range(n)]


def params(train: int = 20, fold: int = 10, embargo: int = 1) -> WalkForwardParams:
    walk = WalkForward(first_train_sessions=train, fold_sessions=fold)
    return WalkForwardParams(embargo_sessions=embargo, walk_forward=walk)


def test_34_sessions_after_20_to_choose_on_and_1_between_are_folds_of_10_and_3():
    first, second = folds(days(34), params())
    assert (first.train.sessions, first.trade.sessions) == (tuple(days(34)[:20]), tuple(days(34)[21:31]))
    assert (second.train.sessions, second.trade.sessions) == (tuple(days(34)[:30]), tuple(days(34)[31:]))


@example(n=21, train=20, fold=10, embargo=1)
@example(n=22, train=20, fold=10, embargo=1)
@given(n=st.integers(1, 90), train=st.integers(20, 40), fold=st.integers(1, 15), embargo=st.integers(1, 3))
def test_what_is_chosen_on_ends_an_embargo_before_what_is_traded_and_folds_share_no_session(n, train, fold, embargo):
    sessions = days(n)
    walked = folds(sessions[::-1], params(train, fold, embargo))
    assert bool(walked) == (n > train + embargo)
    for one in walked:
        between = sessions.index(one.trade.sessions[0]) - sessions.index(one.train.sessions[-1])
        assert (one.train.sessions[0], between) == (sessions[0], embargo + 1)
        assert len(one.train) >= train
        assert 1 <= len(one.trade) <= fold
    assert [day for one in walked for day in one.trade.sessions] == sessions[train + embargo :]
    assert all(len(early.train) < len(late.train) for early, late in pairwise(walked))


def test_without_a_walk_there_is_no_fold():
    assert folds(days(3), WalkForwardParams(embargo_sessions=1, walk_forward=None)) == []
