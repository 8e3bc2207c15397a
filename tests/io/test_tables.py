"""Tables that are read symbol by symbol, or some symbols at a time."""

import pickle
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stages.errors import DataContractError
from stages.io import parquet
from stages.io.files import PartitionedTables, read_json, read_table, write_json, write_table
from stages.io.partitions import Rows
from stages.tables.forecasts import Scored
from stages.tables.market import Bars, Prices
from tests.scoring.simulated import as_answered, with_truth
from tests.support.folders import read_frames, write_tables
from tests.trading.made_markets import bars

FLAT = np.full((5, 4), 100.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tables(Bars, {name: bars(date(2024, 3, 11), FLAT + n) for n, name in enumerate("BA")}, tmp_path / "bars")
    return tmp_path / "bars"


def test_lazy_tables_hold_what_reading_the_whole_folder_gives(folder):
    lazy, whole = PartitionedTables.of(Bars, folder), read_frames(folder)
    assert (list(lazy), len(lazy)) == (["A", "B"], 2)
    for symbol in lazy:
        assert_frame_equal(lazy[symbol], whole[symbol], check_exact=True)


def test_no_column_beyond_the_contract_is_read(folder):
    lazy, whole = PartitionedTables.of(Prices, folder), read_frames(folder)
    assert_frame_equal(lazy["A"], whole["A"].select(Prices.column_names()), check_exact=True)


def test_of_a_table_without_a_contract_only_the_named_columns_are_read(folder):
    assert PartitionedTables.some({"close", "ts", "unheard_of"}, folder)["A"].columns == ["ts", "close"]


def test_tables_are_found_from_another_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    lazy = PartitionedTables.of(Bars, Path(folder.name))
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(lazy))["A"].height == 5


def test_a_symbol_without_a_file_is_no_key(folder):
    assert "C" not in PartitionedTables.of(Bars, folder)
    assert PartitionedTables.of(Bars, folder).get("C") is None


def test_a_damaged_file_is_reported_when_its_symbol_is_asked_for(folder):
    (folder / "A.parquet").write_bytes(b"no parquet")
    lazy = PartitionedTables.of(Bars, folder)
    assert lazy["B"].height == 5
    with pytest.raises(DataContractError, match=r"A\.parquet is not readable"):
        lazy["A"]


def test_the_rows_of_every_symbol_are_the_whole_table_here_and_where_they_were_sent(tmp_path):
    path, symbols = tmp_path / "calibrated.parquet", "ABCDE"
    write_table(Scored, as_answered(with_truth(2, symbols=tuple(symbols))), path)
    rows = [Rows(Scored, path, symbol) for symbol in symbols]
    here = [one.read() for one in rows]
    assert [one["symbol"].unique().to_list() for one in here] == [[symbol] for symbol in symbols]
    assert_frame_equal(pl.concat(here), read_table(Scored, path), check_exact=True)
    sent = [one.sent() for one in rows]
    path.unlink()
    assert_frame_equal(pl.concat(one.read() for one in sent), pl.concat(here), check_exact=True)


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_rows_are_those_of_the_file_as_it_is_now_however_many_groups_hold_a_symbol(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", at_once)
    path = tmp_path / "calibrated.parquet"
    for symbols in ("ACE", "BCD"):
        whole = as_answered(with_truth(2, symbols=tuple(symbols)))
        write_table(Scored, whole, path)
        for symbol in "ABCDE":
            assert_frame_equal(Rows(Scored, path, symbol).read(), whole.filter(symbol=symbol), check_exact=True)


def test_a_file_that_is_not_sorted_by_symbol_is_refused(tmp_path):
    path = tmp_path / "calibrated.parquet"
    whole = as_answered(with_truth(2, symbols=("A", "B")))
    pl.concat([whole, whole.head(1)]).write_parquet(path)
    with pytest.raises(DataContractError, match=r"calibrated\.parquet is not sorted by symbol"):
        Rows(Scored, path, "A").read()


def test_a_table_that_is_not_there_has_no_rows(tmp_path):
    with pytest.raises(DataContractError, match=r"calibrated\.parquet is missing: `dvc repro` makes it"):
        Rows(Scored, tmp_path / "calibrated.parquet", "A").read()


@pytest.mark.parametrize("content", [b"", b"[1, ", b"[]", b"5", b"null", b'{"a": NaN}', "Zürich".encode("latin-1")])
def test_a_file_that_holds_no_json_object_is_reported(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(DataContractError, match=r"report\.json"):
        read_json(tmp_path / "report.json")


def test_a_key_that_a_document_lacks_is_reported_with_its_file(tmp_path):
    (tmp_path / "report.json").write_text('{"symbols": {"A": {}}}')
    document = read_json(tmp_path / "report.json")
    with pytest.raises(DataContractError, match=r"report\.json has no 'days'"):
        document["symbols"]["A"]["days"]
    assert document == {"symbols": {"A": {}}}
    assert document.get("files") is None


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(TypeError, match="set is not JSON"):
        write_json({"a": {1}}, tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_a_stored_frame_is_read_again_and_gone_afterwards(tmp_path: Path):
    frame = pl.DataFrame({"x": [1, 2]})
    with parquet.temporary_frames(tmp_path / "a.parquet") as given:
        store = pickle.loads(pickle.dumps(given))
        read = pickle.loads(pickle.dumps(store("10 min A", frame)))
        assert read().equals(frame)
        assert [path.name for path in tmp_path.rglob("*.arrow")] == ["10-min-A.arrow"]
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_the_folder_sends_frames_in_memory(tmp_path: Path):
    with parquet.temporary_frames(tmp_path / "a.parquet") as store:
        pass
    with parquet.temporary_frames(tmp_path / "a.parquet"):  # the same place on another machine
        read = pickle.loads(pickle.dumps(store("10 min A", pl.DataFrame({"x": [1, 2]}))))
        assert list(tmp_path.rglob("*.arrow")) == []
    assert read()["x"].to_list() == [1, 2]
