"""Tables and sheets that are written as they are made: no byte shows in which parts."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stages.errors import DataContractError
from stages.io.files import read_table, write_csv, write_csv_parts, write_table, write_table_parts
from stages.io.parquet import frame_bytes
from stages.tables.trades import GridDaily

SESSIONS = [date(2024, 1, 1) + timedelta(days=n) for n in range(300)]


def days_of(combos: range) -> pl.DataFrame:
    rows = {"combo": [f"{n:04}" for n in combos for _ in SESSIONS], "session": SESSIONS * len(combos)}
    return pl.DataFrame(rows).with_columns(net_bp=pl.int_range(pl.len()) % 17 / 3 + min(combos))


def parts(at_once: int, combos: int) -> Iterator[pl.DataFrame]:
    whole = days_of(range(combos))
    return whole.iter_slices(at_once * len(SESSIONS))


@pytest.mark.parametrize(("combos", "smallest"), [(3, 1), pytest.param(700, 9, marks=pytest.mark.journey)])
def test_the_size_of_the_parts_does_not_show(tmp_path: Path, combos: int, smallest: int):
    for at_once in (smallest, 50, 10_000):
        write_table_parts(GridDaily, parts(at_once, combos), tmp_path / f"{at_once}.parquet")
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1
    assert_frame_equal(read_table(GridDaily, tmp_path / "50.parquet"), GridDaily.of(days_of(range(combos))))


def test_a_small_table_in_parts_has_the_bytes_of_the_whole(tmp_path: Path):
    write_table_parts(GridDaily, parts(2, 5), tmp_path / "parts.parquet")
    write_table(GridDaily, days_of(range(5)), tmp_path / "whole.parquet")
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_part_that_breaks_the_contract_leaves_no_file(tmp_path: Path):
    good, bad = days_of(range(1)), days_of(range(1)).with_columns(net_bp=pl.lit(float("nan")))
    with pytest.raises((DataContractError, pl.exceptions.ComputeError), match="GridDaily breaks its contract"):
        write_table_parts(GridDaily, iter([good, bad]), tmp_path / "parts.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_in_parts_has_the_bytes_of_the_whole(tmp_path: Path):
    write_csv_parts(parts(2, 5), tmp_path / "parts.csv")
    write_csv(days_of(range(5)), tmp_path / "whole.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_the_chunks_of_a_frame_do_not_change_its_bytes():
    whole = pl.DataFrame({"row": range(200_000)})
    pieces = pl.concat([whole[:70_000], whole[70_000:]], rechunk=False)
    assert pieces.n_chunks() == 2
    assert frame_bytes(pieces) == frame_bytes(whole)
