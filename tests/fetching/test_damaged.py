"""Damaged files: one sentence, and nothing of Rust's own report."""

import os

import polars as pl
import pytest

from stages.errors import DataContractError
from stages.fetching.formats import collect

PANIC = b"thread 'async-executor-0' (1) panicked at crates/polars-arrow/src/bitmap/immutable.rs:329:9:\n"


def test_a_panic_of_the_reader_is_one_sentence_and_shows_nothing_of_rust(capfd):
    def rows():
        os.write(2, PANIC)
        raise pl.exceptions.PanicException("assertion failed")

    with pytest.raises(DataContractError, match=r"bars\.parquet is not readable as parquet \(assertion failed\)"):
        collect("bars.parquet", rows)
    assert capfd.readouterr() == ("", "")


def test_what_else_is_said_while_a_file_is_read_is_shown(capfd):
    def rows():
        os.write(2, b"a warning\n")
        return pl.LazyFrame({"close": [1.0]})

    assert collect("bars.parquet", rows)["close"].to_list() == [1.0]
    assert capfd.readouterr().err == "a warning\n"
