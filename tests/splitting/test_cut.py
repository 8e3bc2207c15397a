"""The record is cut into spans that follow each other and share nothing."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ConfigurationError
from stages.splitting.cut import cut_sessions, within
from stages.splitting.params import CutParams

DAY_ONE = date(2024, 9, 2)


def sessions(n: int) -> list[date]:
    return [DAY_ONE + timedelta(days=k) for k in range(n)]


def record(n_sessions: int, n_history: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A calendar, and forecasts (two a day) from the day on which the history is complete."""
    days = sessions(n_sessions)
    return pl.DataFrame({"session": days}), pl.DataFrame({"session": sorted(days[n_history:] * 2)})


def params(holdout: int = 30, embargo: int = 1, holdout_from: date | None = None) -> CutParams:
    return CutParams(holdout_sessions=holdout, embargo_sessions=embargo, holdout_from=holdout_from)


def test_144_sessions_with_40_of_history_leave_73_to_search_1_between_and_30_sealed():
    spans = cut_sessions(*record(144, 40), params())

    assert (len(spans.search), len(spans.embargo), len(spans.holdout)) == (73, 1, 30)
    assert spans.search.sessions[0] == sessions(144)[40]
    assert spans.holdout.sessions[-1] == sessions(144)[-1]


@given(n=st.integers(0, 60), history=st.integers(0, 20), holdout=st.integers(1, 30), embargo=st.integers(1, 3))
def test_spans_are_the_scored_sessions_in_order_or_the_cut_is_refused(n, history, holdout, embargo):
    scored = sessions(n)[history:]
    if len(scored) < holdout + embargo + 1:
        with pytest.raises(ConfigurationError, match=f"{len(scored)} sessions.*split.holdout_sessions = {holdout}"):
            cut_sessions(*record(n, history), params(holdout, embargo))
        return

    spans = cut_sessions(*record(n, history), params(holdout, embargo))

    assert [*spans.search.sessions, *spans.embargo.sessions, *spans.holdout.sessions] == scored
    assert (len(spans.embargo), len(spans.holdout)) == (embargo, holdout)


def test_a_date_may_say_where_the_holdout_begins():
    spans = cut_sessions(*record(20, 5), params(holdout_from=sessions(20)[15]))

    assert spans.holdout.sessions == tuple(sessions(20)[15:])
    assert spans.embargo.sessions == (sessions(20)[14],)


def test_a_holdout_that_begins_after_the_record_is_refused_by_its_date():
    with pytest.raises(ConfigurationError, match=r"split.holdout_from = 2030-01-01 \(0 sessions\)"):
        cut_sessions(*record(20, 5), params(holdout_from=date(2030, 1, 1)))


def test_a_session_without_forecasts_is_in_no_span():
    calendar, forecasts = record(20, 5)
    skipped = sessions(20)[10]

    spans = cut_sessions(calendar, forecasts.filter(pl.col("session") != skipped), params(5, 1))

    assert skipped not in (*spans.search.sessions, *spans.embargo.sessions, *spans.holdout.sessions)


def test_a_span_keeps_its_own_rows_in_their_order():
    spans = cut_sessions(*record(20, 5), params(5, 1))
    frame = pl.DataFrame({"session": sessions(20), "row": range(20)})

    assert within(spans.search, frame)["row"].to_list() == list(range(5, 14))
    assert within(spans.holdout, frame)["row"].to_list() == list(range(15, 20))


def test_the_span_document_can_be_read_without_the_code():
    spans = cut_sessions(*record(8, 5), params(1, 1))

    assert spans.search.as_document() == {
        "name": "search",
        "first_session": "2024-09-07",
        "last_session": "2024-09-07",
        "n_sessions": 1,
        "sessions": ["2024-09-07"],
    }
