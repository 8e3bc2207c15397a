"""A dated list of conf/ is read whole and sound, or refused in one sentence."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stages.errors import ConfigurationError, DataContractError
from stages.io.dated_files import read_actions, read_events, read_halts, require_lists
from stages.params.features import FeaturesParams
from stages.params.quality import QualityParams
from stages.params.section import parse
from tests.architecture.dependencies import ROOT
from tests.support.large_market import PARAMS

READERS = {"events": read_events, "halts": read_halts, "corporate_actions": read_actions}
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
    with pytest.raises(DataContractError, match=r"^conf/events/mine.csv is not a valid list of events") as refused:
        listed(HEAD + row + "\n")
    assert complaint in str(refused.value)


def test_a_missing_column_is_named(listed):
    with pytest.raises(DataContractError, match=r"lacks the columns \['announced_at'\]"):
        listed("ts,symbol,event\n2024-05-01T18:00:00Z,*,rates\n")


@pytest.mark.parametrize("param", ["features.events", "quality.halts", "quality.corporate_actions"])
def test_a_list_that_is_missing_is_reported_with_those_on_offer_before_any_work(param, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("conf/events/none", "conf/halts/market_wide", "conf/halts/none", "conf/corporate_actions/none"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(f"{path}.csv").touch()
    (section, key), offered = param.split("."), "market_wide, none" if param == "quality.halts" else "none"
    document = {one: PARAMS[one] | ({key: "other"} if one == section else {}) for one in ("features", "quality")}
    chosen = parse(FeaturesParams, document), parse(QualityParams, document)
    told = f"^there is no conf/{key}/other.csv, which {param} names: write the file, or name one of {offered}\\.$"
    for read in (lambda: require_lists(*chosen), lambda: READERS[key]("other")):
        with pytest.raises(ConfigurationError, match=told):
            read()


@pytest.fixture
def actions(tmp_path, monkeypatch):
    (tmp_path / "conf/corporate_actions").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def read(rows):
        text = f"session,symbol,price_factor,reason\n{rows}"
        (tmp_path / "conf/corporate_actions/mine.csv").write_text(text)
        return read_actions("mine")

    return read


def test_known_jumps_are_read_by_symbol_and_session(actions):
    rows = "2024-06-10,NVDA,0.1,10:1 split\n2024-06-26,CMG,0.02,50:1 split\n2021-07-20,NVDA,0.25,4:1 split\n"
    assert actions(rows) == {
        "NVDA": {date(2021, 7, 20): 0.25, date(2024, 6, 10): 0.1},
        "CMG": {date(2024, 6, 26): 0.02},
    }
    assert actions("") == {}


@pytest.mark.parametrize(
    "row",
    ["10.06.2024,NVDA,0.1,split", "2024-06-10,NVDA,10:1,split", "2024-06-10,NVDA,0,split", "2024-06-10,NVDA,-1,split",
     "2024-06-10,NVDA,inf,split", "2024-06-10,,0.1,split", "2024-06-10,NVDA,0.1,",
     "2024-06-10,NVDA,0.1,a\n2024-06-10,NVDA,0.2,b"],
)  # fmt: skip
def test_a_row_that_is_no_known_jump_is_refused(actions, row):
    with pytest.raises(DataContractError, match=r"mine.csv is not a valid list of corporate actions.*price_factor"):
        actions(f"{row}\n")


def test_the_committed_list_holds_no_jump(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert read_actions("none") == {}


def test_halts_are_read_to_the_second_and_one_that_ends_before_it_begins_is_refused(tmp_path, monkeypatch):
    (tmp_path / "conf/halts").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    path, head = tmp_path / "conf/halts/mine.csv", "halted_at,symbol,resumed_at,source\n"
    path.write_text(f"{head}2024-05-01T14:00:07Z,AAPL,2024-05-01T10:05:07-04:00,the exchange\n")
    begins = datetime(2024, 5, 1, 14, 0, 7, tzinfo=UTC)
    assert read_halts("mine").rows() == [(begins, "AAPL", begins.replace(minute=5), "the exchange")]

    path.write_text(f"{head}2024-05-01T14:00:07Z,AAPL,2024-05-01T14:00:07Z,the exchange\n")
    with pytest.raises(
        DataContractError, match=r"^conf/halts/mine.csv is not a valid list of halts .*ends_after_it_begins"
    ):
        read_halts("mine")
