"""Where a study that grows ends, and which holdout lies behind it."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl
import pytest

from stages.errors import ConfigurationError
from stages.params.study import StageStudy
from stages.sessions.calendar import trading_calendar
from stages.sessions.spans import cut_sessions
from stages.worth.plan import (
    asked_by_session,
    calibrating_sessions,
    evidence_sessions,
    planned_end,
    require_sealed,
    searched,
    sessions_before_evidence,
)
from tests.worth.studies import study_with

SESSIONS = trading_calendar(date(2024, 9, 3), date(2025, 3, 31))["session"].sort().to_list()
FROM = {"split__holdout_sessions": None}


def asked(*counts: tuple[int, int], then: tuple[int, int] = (12, 3), sessions: Sequence[date] = SESSIONS):
    """So many outcomes of so many symbols in the first sessions, and then in every other one; all of them may trade."""
    outcomes, symbols = zip(*counts, *[then] * (len(sessions) - len(counts)), strict=True)
    columns = {"session": sessions, "outcomes": outcomes, "symbols": symbols, "traded": symbols}
    return pl.DataFrame(columns, schema_overrides={"session": pl.Date})


def test_forty_outcomes_of_twelve_a_session_take_four_sessions_to_calibrate():
    assert calibrating_sessions(study_with()) == 4  # three symbols at four snapshots: 36 after three sessions
    assert calibrating_sessions(study_with(calibration__min_outcomes=36)) == 3
    assert calibrating_sessions(study_with(calibration__method="identity")) == 0
    assert calibrating_sessions(study_with(calibration__min_outcomes=1)) == 1  # cqr takes its rank of nine
    assert calibrating_sessions(study_with(calibration__min_outcomes=1, calibration__method="split")) == 2


def test_a_window_too_short_for_any_calibration_is_refused_before_anything_is_bought():
    with pytest.raises(ConfigurationError) as told:
        study_with(calibration__window_sessions=3)
    assert "window_sessions 3 hold 36 outcomes at most (12 a session" in str(told.value)
    assert "calibration.method cqr needs 40 (calibration.min_outcomes 40)" in str(told.value)
    assert study_with(calibration__window_sessions=3, calibration__min_outcomes=36)
    assert study_with(calibration__window_sessions=3, calibration__method="identity")


def test_the_plan_ends_with_its_last_session_behind_those_that_calibrate():
    assert planned_end(study_with(worth__planned_sessions=20), asked()) == SESSIONS[23]


def test_days_of_the_training_count_for_nothing_in_the_plan_either():
    trained = {"worth__planned_sessions": 20, "forecaster__trained_until": str(SESSIONS[9])}
    assert planned_end(study_with(**trained), asked()) == SESSIONS[29]
    trained["forecaster__trained_until"] = str(SESSIONS[1])  # calibration takes longer
    assert planned_end(study_with(**trained), asked()) == SESSIONS[23]


def test_sessions_that_ask_another_history_count_for_nothing_in_the_plan_either():
    """A short history is asked from the first session on, the judged one from the eleventh."""
    assert planned_end(study_with(worth__planned_sessions=20), asked(*[(0, 0)] * 10)) == SESSIONS[33]


def test_sessions_with_few_questions_calibrate_later_and_those_with_few_symbols_count_for_nothing():
    """Of three symbols at four snapshots one is listed from the start: 4 outcomes a session, 40 after ten sessions."""
    study = study_with(worth__planned_sessions=20)
    alone = asked(*[(4, 1)] * 30)
    assert sessions_before_evidence(study, alone) == 30, "one of three symbols is less than half"
    assert planned_end(study, alone) == SESSIONS[49]
    money = study_with(worth__planned_sessions=20, worth__decide_by="money", worth__notional=1e4)
    assert sessions_before_evidence(money, alone) == 10, "the calls of a day have to be earned by whoever is there"
    idle = alone.with_columns(traded=pl.when(pl.int_range(pl.len()).is_between(20, 24)).then(1).otherwise(0))
    assert evidence_sessions(money, idle)[:10] == SESSIONS[20:30], "from the first of a symbol that may trade on"
    two = asked(*[(4, 1)] * 6, *[(8, 2)] * 30)
    assert sessions_before_evidence(study, two) == 8, "24 outcomes of six sessions, and 16 of two"
    halves = asked(*[(12, 3)] * 4, (4, 1), (12, 3), (0, 0))
    assert evidence_sessions(study, halves)[:3] == [SESSIONS[5], SESSIONS[7], SESSIONS[8]]


def test_a_session_is_calibrated_from_exactly_as_many_outcomes_as_are_needed():
    """Forty: with 39 in the first session the second one has too few, and one outcome is enough to be calibrated."""
    money = study_with(worth__decide_by="money", worth__notional=1e4)
    assert evidence_sessions(money, asked((39, 3), (1, 1), (1, 1)))[:2] == SESSIONS[2:4]
    assert evidence_sessions(money, asked((40, 3), (1, 1), (1, 1)))[:2] == SESSIONS[1:3]
    windowed = study_with(calibration__window_sessions=4)  # the first session is not yet left behind after four
    assert evidence_sessions(windowed, asked(*[(10, 3)] * 4, (12, 3)))[0] == SESSIONS[4]
    assert evidence_sessions(windowed, asked(*[(10, 3)] * 3, (9, 3), (12, 3)))[0] == SESSIONS[5]


def test_outcomes_that_left_the_window_calibrate_nothing():
    study = study_with(calibration__window_sessions=4)  # of 12 outcomes each: 48
    few = asked(*[(12, 3)] * 5, *[(4, 1)] * 3)
    assert evidence_sessions(study, few)[:2] == [SESSIONS[4], SESSIONS[11]], "4 and thrice 12 before the latter"


def test_sessions_that_ask_another_history_take_no_place_in_the_window():
    study = study_with(calibration__window_sessions=4)
    gap = asked(*[(12, 3)] * 5, *[(0, 0)] * 3)
    assert evidence_sessions(study, gap)[:2] == [SESSIONS[4], SESSIONS[8]]


def test_a_method_that_follows_a_symbol_needs_the_window_once():
    """The window of four holds 48 outcomes before the fifth session, 42 behind one of six, and 36 behind two."""
    few = asked(*[(12, 3)] * 5, then=(6, 3))
    windowed, followed = (study_with(calibration__window_sessions=4, calibration__method=one) for one in ("aci", "pid"))
    assert evidence_sessions(windowed, few) == SESSIONS[4:7]
    assert evidence_sessions(followed, few)[:5] == SESSIONS[4:9]


def test_no_more_snapshots_are_asked_a_session_than_the_cap_allows():
    capped = {"requests__max_snapshots_per_day": 1}
    assert calibrating_sessions(study_with(**capped)) == 14  # three outcomes a session: 39 after thirteen
    with pytest.raises(ConfigurationError, match=r"hold 39 outcomes at most \(3 a session"):
        study_with(**capped, calibration__window_sessions=13)


def test_the_training_may_end_behind_the_record():
    """Friday, 4 April 2025 is the fourth session behind the record: the first of evidence is Monday."""
    study = study_with(worth__planned_sessions=1, worth__min_days=1, forecaster__trained_until="2025-04-04")
    assert sessions_before_evidence(study, asked()) == len(SESSIONS) + 4
    assert planned_end(study, asked()) == date(2025, 4, 7)


def test_a_plan_may_last_years_and_its_calibration_training_and_skipped_sessions_too():
    """From 1 April 2025 on 190 sessions of the year are left, and 2026 has 251: 441 before that of 4 January 2027."""
    first, later = asked().head(1), trading_calendar(date(2025, 4, 1), date(2026, 12, 31))["session"].sort().to_list()
    long = study_with(worth__planned_sessions=243, calibration__min_outcomes=2400, calibration__window_sessions=250)
    assert calibrating_sessions(long) == 200  # one in the record, 199 behind it
    assert planned_end(long, first) == date(2027, 1, 4), "243 of evidence behind 199: the 442nd"
    skipped = {"worth__planned_sessions": 245, "requests__skip_sessions": [str(day) for day in later[:200]]}
    assert planned_end(study_with(**skipped), first) == date(2027, 1, 12), "3 calibrate, 200 are skipped: the 448th"
    learnt = study_with(worth__planned_sessions=1, worth__min_days=1, forecaster__trained_until="2029-12-31")
    assert planned_end(learnt, first) == date(2030, 1, 2)


def test_questions_are_counted_by_the_judged_history_and_sessions_by_any():
    rows = [
        (SESSIONS[0], "STRONG", 10, "ok"), (SESSIONS[1], "STRONG", 10, "ok"), (SESSIONS[1], "STRONG", 40, "ok"),
        (SESSIONS[1], "NULL", 40, "ok"), (SESSIONS[1], "NULL", 40, "ok"), (SESSIONS[2], "NULL", 40, "no_price"),
    ]  # fmt: skip
    schedule = pl.DataFrame(rows, ["session", "symbol", "history_days", "status"], orient="row")
    study = study_with(universe__whitelist=["STRONG", "WEAK"])
    assert asked_by_session(study, schedule).rows() == [(SESSIONS[0], 0, 0, 0), (SESSIONS[1], 3, 2, 1)]
    many = pl.concat(schedule.with_columns(session=pl.lit(session)) for session in SESSIONS[40::-1])
    assert asked_by_session(study, many)["session"].to_list() == SESSIONS[:41]


def test_what_lies_behind_the_search_span_is_no_evidence_to_buy():
    start = {**FROM, "split__holdout_from": str(SESSIONS[50])}
    assert searched(study_with(**start), SESSIONS) == 49, "one session is the embargo"
    assert searched(study_with(**start, split__embargo_sessions=3), SESSIONS) == 47
    for asked_so_far in (30, 49, 50, 51):
        assert searched(study_with(**start), SESSIONS[:asked_so_far]) == min(asked_so_far, 49)


@pytest.mark.parametrize("last", [29, 48, 49, 50, 51, 60])
@pytest.mark.parametrize("embargo", [1, 3, 40])
def test_the_search_span_is_that_of_seal_also_where_the_record_ends_before_the_holdout(last, embargo):
    """The last sessions of the record are its embargo then, asked or not."""
    document = study_with(**FROM, split__holdout_from=str(SESSIONS[50]), split__embargo_sessions=embargo).document()
    document["universe"]["last_session"] = str(SESSIONS[last])
    study, calendar = StageStudy.parse(document), trading_calendar(SESSIONS[0], SESSIONS[last])
    for asked_to in (last, last - 2):
        asked_sessions = SESSIONS[: asked_to + 1]
        many = searched(study, asked_sessions)
        if many:
            cut = cut_sessions(calendar, pl.DataFrame({"session": asked_sessions}), study.split)
            assert list(cut.search.sessions) == asked_sessions[:many]
        else:
            with pytest.raises(ConfigurationError, match="at least one session left to search"):
                cut_sessions(calendar, pl.DataFrame({"session": asked_sessions}), study.split)


def test_a_plan_beyond_the_record_ends_on_a_day_of_the_exchange():
    # The record's last session is Monday, 31 March 2025; the third session after it is Thursday, 3 April.
    study = study_with(worth__planned_sessions=len(SESSIONS) - 1)
    assert planned_end(study, asked()) == date(2025, 4, 3)
    friday = study_with(worth__planned_sessions=len(SESSIONS) + 11)  # the 15th: 18 April was Good Friday
    assert planned_end(friday, asked()) == date(2025, 4, 22)


def test_sessions_behind_the_record_are_those_that_will_be_asked():
    """The last two sessions of the record ask nothing, as after a delisting, and 2 April 2025 will be skipped."""
    gone = {"worth__planned_sessions": len(SESSIONS) - 5, "requests__skip_sessions": ["2025-04-02"]}
    assert planned_end(study_with(**gone), asked(sessions=SESSIONS[:-2])) == date(2025, 4, 1)
    gone["worth__planned_sessions"] += 1
    assert planned_end(study_with(**gone), asked(sessions=SESSIONS[:-2])) == date(2025, 4, 3)


def test_a_holdout_that_is_counted_from_the_end_is_refused_with_the_day_to_state():
    with pytest.raises(ConfigurationError) as told:
        require_sealed(study_with(), date(2025, 3, 28))  # a Friday; the embargo is Monday
    assert "split.holdout_sessions = 30 counts from the end of the record" in str(told.value)
    assert "set split.holdout_from to 2025-04-01 or later" in str(told.value)
    months = study_with(**FROM, split__holdout_months=2)
    with pytest.raises(ConfigurationError, match=r"split\.holdout_months = 2 counts from the end"):
        require_sealed(months, date(2025, 3, 28))


def test_an_embargo_may_last_years():
    """One session of 2025, 251 of 2026 and 48 of 2027: 19 in January, 19 in February, and ten of March."""
    embargo = study_with(split__embargo_sessions=300)
    with pytest.raises(ConfigurationError, match=r"set split\.holdout_from to 2027-03-15 or later"):
        require_sealed(embargo, date(2025, 12, 30))


def test_a_holdout_begins_behind_the_plan_and_the_embargo():
    end, first = date(2025, 3, 28), date(2025, 4, 1)
    require_sealed(study_with(**FROM, split__holdout_from=str(first)), end)
    with pytest.raises(ConfigurationError, match="begins before the plan of the study ends"):
        require_sealed(study_with(**FROM, split__holdout_from=str(first - timedelta(1))), end)
