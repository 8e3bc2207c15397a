"""The record is cut into spans that follow each other and share nothing."""

import re
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ConfigurationError
from stages.params.section import parse
from stages.params.split import HOLDOUT_KEYS, CutParams, SplitParams
from stages.sessions.spans import Spans, cut_sessions, require_search_span, within

DAY_ONE = date(2024, 9, 2)


def sessions(n: int) -> list[date]:
    return [DAY_ONE + timedelta(days=k) for k in range(n)]


def record(n_sessions: int, n_history: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A calendar, and forecasts (two a day) from the day on which the history is complete."""
    days = sessions(n_sessions)
    return pl.DataFrame({"session": days}), pl.DataFrame({"session": sorted(days[n_history:] * 2)})


def params(holdout: int | None = 30, embargo: int = 1, **others: object) -> CutParams:
    """Sessions are counted, unless another key is given."""
    keys = dict.fromkeys(HOLDOUT_KEYS) | ({} if others else {"holdout_sessions": holdout}) | others
    return CutParams.model_validate(keys | {"embargo_sessions": embargo})


def lengths(spans: Spans) -> tuple[int, int, dict[str, int]]:
    return len(spans.search), len(spans.embargo), spans.held


def test_144_sessions_with_40_of_history_leave_73_to_search_1_between_and_30_sealed():
    spans = cut_sessions(*record(144, 40), params())

    assert lengths(spans) == (73, 1, {"all": 30})
    assert spans.search.sessions[0] == sessions(144)[40]
    assert spans.holdout[0].sessions[-1] == sessions(144)[-1]


@given(n=st.integers(0, 60), history=st.integers(0, 20), holdout=st.integers(1, 30), embargo=st.integers(1, 3))
def test_spans_are_the_scored_sessions_in_order_or_the_cut_is_refused(n, history, holdout, embargo):
    scored = sessions(n)[history:]
    if len(scored) < holdout + embargo + 1:
        with pytest.raises(ConfigurationError, match=f"{len(scored)} sessions?.*split.holdout_sessions = {holdout}"):
            cut_sessions(*record(n, history), params(holdout, embargo))
        return

    spans = cut_sessions(*record(n, history), params(holdout, embargo))

    assert [*spans.search.sessions, *spans.embargo.sessions, *spans.holdout[0].sessions] == scored
    assert lengths(spans)[1:] == (embargo, {"all": holdout})


def test_a_date_may_say_where_the_holdout_begins():
    spans = cut_sessions(*record(20, 5), params(holdout_from=sessions(20)[15]))

    assert spans.holdout[0].sessions == tuple(sessions(20)[15:])
    assert spans.embargo.sessions == (sessions(20)[14],)


def test_the_last_months_are_an_envelope_each():
    """100 days from 2 September: 24 of September are scored, 31 of October, 30 of November, 10 of December."""
    spans = cut_sessions(*record(100, 5), params(holdout_months=2))

    assert lengths(spans) == (24 + 31 - 1, 1, {"2024-11": 30, "2024-12": 10})
    assert spans.embargo.sessions == (date(2024, 10, 31),)
    assert [(one.sessions[0], one.sessions[-1]) for one in spans.holdout] == [
        (date(2024, 11, 1), date(2024, 11, 30)),
        (date(2024, 12, 1), date(2024, 12, 10)),
    ]


def test_months_follow_each_other_over_the_turn_of_a_year():
    spans = cut_sessions(*record(140, 5), params(holdout_months=2))  # the last day is 19 January

    assert spans.held == {"2024-12": 31, "2025-01": 19}


def test_a_month_without_a_forecast_between_others_is_no_envelope_but_an_error():
    calendar, forecasts = record(100, 5)
    gone = forecasts.filter(pl.col("session").dt.month() != 11)

    with pytest.raises(ConfigurationError, match="a month between 2024-10 and 2024-12 has no session with forecasts"):
        cut_sessions(calendar, gone, params(holdout_months=2))


def test_no_session_is_lost_over_the_turn_of_a_year():
    calendar, forecasts = record(140, 5)
    gone = forecasts.filter(pl.col("session").dt.month() != 12)

    with pytest.raises(ConfigurationError, match="a month between 2024-11 and 2025-01 has no session with forecasts"):
        cut_sessions(calendar, gone, params(holdout_months=2))


def test_a_month_of_one_session_counts_as_a_month():
    calendar, forecasts = record(61, 5)  # the last day is 1 November
    gone = forecasts.filter(pl.col("session").dt.month() != 10)

    assert cut_sessions(calendar, forecasts, params(holdout_months=1)).held == {"2024-11": 1}
    with pytest.raises(ConfigurationError, match="a month between 2024-09 and 2024-11"):
        cut_sessions(calendar, gone, params(holdout_months=2))


def test_a_record_without_a_forecast_has_no_month_to_hold_out():
    with pytest.raises(ConfigurationError, match=r"0 sessions with forecasts, too few for split\.holdout_months = 2"):
        cut_sessions(*record(20, 20), params(holdout_months=2))


@pytest.mark.parametrize("months", [4, 5, 12])
def test_months_that_leave_nothing_to_search_are_refused(months):
    with pytest.raises(ConfigurationError, match=rf"95 sessions.*holdout_months = {months} .*lower split.holdout_mon"):
        cut_sessions(*record(100, 5), params(holdout_months=months))


def test_an_embargo_of_the_whole_record_is_refused_with_its_own_remedy():
    with pytest.raises(ConfigurationError, match=r"embargo_sessions = 95 .*search: lower split\.embargo_sessions, "):
        cut_sessions(*record(100, 5), params(embargo=95))


@pytest.mark.parametrize(("scored", "told"), [(2, "search: lower split.holdout_sessions, "), (1, "search: shorten ")])
def test_what_is_one_already_cannot_be_lowered(scored, told):
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        cut_sessions(*record(5 + scored, 5), params(embargo=1, holdout_sessions=scored))


def test_a_date_that_leaves_nothing_to_search_is_refused_with_its_own_remedy():
    with pytest.raises(ConfigurationError, match=r"holdout_from = 2024-09-08 .*move split.holdout_from to a later day"):
        cut_sessions(*record(20, 5), params(holdout_from=sessions(20)[6]))


@pytest.mark.parametrize(("begins", "searched"), [(20, 14), (21, 14), (400, 14)])
def test_a_holdout_that_lies_ahead_has_not_begun_and_the_embargo_is_kept_before_the_end_of_the_calendar(
    begins, searched
):
    """20 sessions, 15 of them scored: which days after the last are sessions is not known, so none counts."""
    spans = cut_sessions(*record(20, 5), params(holdout_from=DAY_ONE + timedelta(days=begins)))

    assert lengths(spans) == (searched, 1, {"all": 0})
    assert spans.holdout[0].as_document() == {
        "name": "all",
        "first_session": None,
        "last_session": None,
        "n_sessions": 0,
        "sessions": [],
    }


@pytest.mark.parametrize(("scored_until", "searched", "embargoed"), [(12, 8, 0), (14, 10, 0), (15, 10, 1), (17, 10, 2)])
def test_before_a_known_begin_the_embargo_is_the_exchanges_last_sessions_scored_or_not(
    scored_until, searched, embargoed
):
    """The holdout begins with session 16, so 14 and 15 (counted from 0) are never searched."""
    calendar, forecasts = record(20, 4)
    until = forecasts.filter(pl.col("session") < sessions(20)[scored_until])

    spans = cut_sessions(calendar, until, params(embargo=2, holdout_from=sessions(20)[16]))

    assert (len(spans.search), len(spans.embargo)) == (searched, embargoed)
    assert spans.held == {"all": max(scored_until - 16, 0)}


@given(st.integers(8, 60), st.integers(1, 3))
def test_a_growing_record_never_gives_back_a_session_that_was_searched(n, embargo):
    begins = params(embargo=embargo, holdout_from=sessions(40)[-1])

    shorter, longer = (cut_sessions(*record(k, 4), begins).search.sessions for k in (n, n + 1))

    assert longer[: len(shorter)] == shorter
    assert len(longer) - len(shorter) in (0, 1)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"holdout_sessions": 30, "holdout_from": "2025-02-03"},
         "split.holdout_sessions = 30 and split.holdout_from = 2025-02-03 states which sessions are held out"),
        ({"holdout_sessions": 30, "holdout_months": 2}, "split.holdout_sessions = 30 and split.holdout_months = 2"),
        ({"holdout_from": "2025-02-03", "holdout_months": 2}, "split.holdout_from = 2025-02-03 and split.holdout_mon"),
        ({}, "nothing states which sessions are held out; set exactly one of split.holdout_sessions, "
             "split.holdout_from and split.holdout_months"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("model", [CutParams, SplitParams])
def test_two_ways_to_hold_out_or_none_are_refused_in_one_sentence_that_names_the_keys(keys, said, model):
    rest = {"embargo_sessions": 1, "walk_forward": None, "open_holdout": None}

    with pytest.raises(ConfigurationError, match=re.escape(said)) as refused:
        parse(model, {"split": dict.fromkeys(HOLDOUT_KEYS) | keys | rest})
    assert refused.value.exit_code == 5
    assert str(refused.value).count("and the others to null") == 1


@pytest.mark.parametrize(
    ("months", "opened", "fine"),
    [
        (2, {"2025-02": "s1", "2025-03": None}, True),
        (2, "s1", True),
        (None, {"2025-02": "s1"}, False),
        (2, {"2025-2": "s1"}, False),
        (2, {"2025-13": "s1"}, False),
        (2, 5, False),
        (2, "", False),
    ],
)
def test_open_holdout_is_an_id_or_an_id_by_month_where_months_are_cut(months, opened, fine):
    keys = dict.fromkeys(HOLDOUT_KEYS) | ({"holdout_months": months} if months else {"holdout_sessions": 30})
    split = keys | {"embargo_sessions": 1, "walk_forward": None, "open_holdout": opened}

    if fine:
        assert parse(SplitParams, {"split": split}).open_holdout == opened
        return
    with pytest.raises(ConfigurationError, match="open_holdout"):
        parse(SplitParams, {"split": split})


def test_a_session_without_forecasts_is_in_no_span():
    calendar, forecasts = record(20, 5)
    skipped = sessions(20)[10]

    spans = cut_sessions(calendar, forecasts.filter(pl.col("session") != skipped), params(5, 1))

    assert skipped not in (*spans.search.sessions, *spans.embargo.sessions, *spans.holdout[0].sessions)


def test_the_order_of_a_calendars_rows_moves_no_session():
    calendar, forecasts = record(20, 5)
    assert cut_sessions(calendar.reverse(), forecasts, params(5, 1)) == cut_sessions(calendar, forecasts, params(5, 1))


def test_a_span_keeps_its_own_rows_in_their_order():
    spans = cut_sessions(*record(20, 5), params(5, 1))
    frame = pl.DataFrame({"session": sessions(20), "row": range(20)})

    assert within(spans.search, frame)["row"].to_list() == list(range(5, 14))
    assert within(spans.holdout[0], frame)["row"].to_list() == list(range(15, 20))


def test_the_span_document_can_be_read_without_the_code():
    spans = cut_sessions(*record(9, 5), params(1, 1))

    assert spans.search.as_document() == {
        "name": "search",
        "first_session": "2024-09-07",
        "last_session": "2024-09-08",
        "n_sessions": 2,
        "sessions": ["2024-09-07", "2024-09-08"],
    }


@pytest.mark.parametrize(("asked", "embargo"), [(1, 1), (2, 1)])
def test_the_advice_lowers_no_param_that_is_at_its_least(asked, embargo):
    with pytest.raises(ConfigurationError, match=r"left to search: shorten requests\.history_days"):
        cut_sessions(*record(asked + 5, 5), params(holdout=1, embargo=embargo))


def test_a_stated_history_that_only_the_holdout_has_is_refused_before_it_is_bought():
    """Ten sessions ask a history of two days, the last two one of nine: with one held out and one between, none."""
    days = sessions(12)
    rows = [(day, 2, "ok") for day in days[2:]] + [(day, 9, "ok" if day in days[10:] else "skip") for day in days[2:]]
    schedule = pl.DataFrame(rows, schema=["session", "history_days", "status"], orient="row")
    calendar = pl.DataFrame({"session": days})

    require_search_span(schedule, calendar, params(1, 1), 2)
    with pytest.raises(ConfigurationError, match=r"no session of the search span has rules\.history_days 9 before it"):
        require_search_span(schedule, calendar, params(1, 1), 9)
    longer = schedule.with_columns(status=pl.when(session=days[9]).then(pl.lit("ok")).otherwise("status"))
    require_search_span(longer, calendar, params(1, 1), 9)
