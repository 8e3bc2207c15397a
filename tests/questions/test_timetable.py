"""Each snapshot is asked, or says why the calendar is against it."""

from datetime import date

import pytest

from stages.errors import ConfigurationError
from stages.questions.timetable import timetable
from stages.sessions.calendar import trading_calendar
from tests.questions.markets import requests_params

THANKSGIVING = trading_calendar(date(2024, 11, 27), date(2024, 12, 3))  # 2024-11-29 closes at 13:00


def statuses(day=date(2024, 11, 29), calendar=THANKSGIVING, **changes):
    table = timetable(calendar, requests_params(**{"horizons_min": [5, 20]} | changes))
    return {row["snapshot_et"]: row["status"] for row in table.rows(named=True) if row["session"] == day}


def test_a_half_day_by_hand():
    asked = {"snapshots_et": ["09:45", "12:40", "12:41", "13:00", "14:45"]}
    assert statuses(**asked) == {
        "09:45": "ok",
        "12:40": "ok",  # ends at 13:00, exactly the close
        "12:41": "horizon_past_close",
        "13:00": "closed",
        "14:45": "closed",
    }
    assert set(statuses(date(2024, 12, 2), **asked).values()) == {"ok"}


def test_the_longest_horizon_decides_for_all():
    assert statuses(snapshots_et=["12:41"], horizons_min=[5]) == {"12:41": "ok"}
    assert statuses(snapshots_et=["09:31", "12:59", "13:00"], horizons_min=[1]) == {
        "09:31": "ok", "12:59": "ok", "13:00": "closed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"first_session": date(2024, 12, 2)}, "outside_span"),
        ({"last_session": date(2024, 11, 27)}, "outside_span"),
        ({"skip_sessions": [date(2024, 11, 29)]}, "skip_session"),
    ],
)
def test_span_and_event_days_are_left_out(changes, reason):
    assert statuses(snapshots_et=["10:30", "14:45"], **changes) == {"10:30": reason, "14:45": reason}


def test_the_cap_counts_only_snapshots_that_would_be_asked_earliest_first():
    asked = {"snapshots_et": ["14:45", "10:30", "11:00", "12:30"], "max_snapshots_per_day": 2}
    assert statuses(**asked) == {"10:30": "ok", "11:00": "ok", "12:30": "snapshot_cap", "14:45": "closed"}


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [("09:30", "not after the open"), ("16:00", "not before the close"), ("15:50", "ends after the close")],
)
def test_a_snapshot_that_fits_no_session_is_a_mistake_in_the_params(snapshot, why):
    with pytest.raises(
        ConfigurationError, match=f"requests.snapshots_et '{snapshot}' cannot be asked in any session.*{why}"
    ):
        statuses(snapshots_et=["10:30", snapshot])


def test_a_span_of_half_days_alone_asks_what_they_can_answer():
    """The first step of a study may be one: what it cannot ask, later sessions can."""
    half_day = {"first_session": date(2024, 11, 29), "last_session": date(2024, 11, 29)}
    assert statuses(snapshots_et=["10:30", "14:45"], **half_day) == {"10:30": "ok", "14:45": "closed"}
    half_day["skip_sessions"] = [date(2024, 11, 27)]
    assert statuses(snapshots_et=["10:30", "14:45"], **half_day) == {"10:30": "ok", "14:45": "closed"}


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ({"first_session": date(2030, 1, 2)}, "2030-01-02", "null"),
        ({"last_session": date(2000, 1, 3)}, "null", "2000-01-03"),
    ],
)
def test_a_span_without_sessions_is_a_mistake_in_the_params(span, first, last):
    no_session = f"no session is left to ask in: requests.first_session {first}, requests.last_session {last} and"
    with pytest.raises(ConfigurationError, match=no_session):
        statuses(**span)
