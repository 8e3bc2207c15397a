"""A list of events is read whole and sound, or refused in one sentence."""

from datetime import UTC, datetime

import pytest

from stages.errors import DataContractError
from stages.outside.event_files import read_events

HEAD = "ts,symbol,event,announced_at\n"


@pytest.fixture
def listed(tmp_path, monkeypatch):
    (tmp_path / "conf/events").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "conf/events/mine.csv").write_text(text)
        return read_events("mine")

    return read


def test_instants_are_read_in_their_zone_and_rows_sorted(listed):
    rates, report = "2024-05-01T18:00:00Z,*,rates,2023-06-01T00:00:00Z", "2024-05-01T16:00:00-04:00,AAPL,report,"
    events = listed(f"{HEAD}{report}2024-04-04T20:00:00Z\n{rates}\n")
    assert events["ts"].to_list() == [datetime(2024, 5, 1, 18, tzinfo=UTC), datetime(2024, 5, 1, 20, tzinfo=UTC)]
    assert events["symbol"].to_list() == ["*", "AAPL"]


def test_a_list_without_events_is_a_list(listed):
    assert listed(HEAD).height == 0


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2024-05-01,*,rates,2023-06-01T00:00:00Z", "2024-05-01"),
        ("2024-05-01T18:00:00,*,rates,2023-06-01T00:00:00Z", "2024-05-01T18:00:00"),  # no zone: a guess
        ("2024-05-01T18:00:00Z,*,rates,2025-01-01T00:00:00Z", "is_announced_before_it_happens"),
        ("2024-05-01T18:00:00Z,*,rates,", "announced_at"),
        ("2024-05-01T18:00:00Z,../x,rates,2023-06-01T00:00:00Z", "regex"),
        ("2024-05-01T18:00:00Z,*,rates,2023-06-01T00:00:00Z\n" * 2, "primary_key"),
    ],
)
def test_a_bad_row_is_refused_by_its_value_or_its_rule(listed, row, complaint):
    with pytest.raises(DataContractError, match=r"^conf/events/mine.csv is no list of events") as refused:
        listed(HEAD + row + "\n")
    assert complaint in str(refused.value)


def test_a_missing_column_and_a_missing_file_are_named(listed, tmp_path):
    with pytest.raises(DataContractError, match=r"lacks the columns \['announced_at'\]"):
        listed("ts,symbol,event\n2024-05-01T18:00:00Z,*,rates\n")
    with pytest.raises(DataContractError, match=r"conf/events/other.csv, which features.events names, is missing"):
        read_events("other")
