"""Damaged files: one sentence, and nothing of Rust's own report."""

import gzip
import os
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
import zstandard

from stages.errors import DataContractError
from stages.fetching.formats import _unpacked, collect, scan
from stages.fetching.inspection import inspect
from tests.sources.dialects import source

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


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_packed_text_file_with_one_wrong_byte_anywhere_is_one_sentence_to_the_stage_and_to_new_run(
    ending: str, pack, tmp_path: Path
):
    minutes = "".join(f"2024-11-04 10:{at:02}:00,1.{at},2,1,1.{at * 7 % 90},{at * at}\n" for at in range(60))
    sound, path = pack(f"ts,open,high,low,close,volume\n{minutes}".encode()), tmp_path / f"AAPL.csv.{ending}"
    for at in range(0, len(sound), 11):
        damaged = sound[:at] + bytes([sound[at] ^ 255]) + sound[at + 1 :]
        path.write_bytes(damaged)
        with suppress(DataContractError):
            collect(path.name, lambda content=damaged: scan(path.name, content, source()))
        with suppress(DataContractError):
            inspect(str(path))


def test_a_file_of_many_packed_frames_is_unpacked_whole_or_not_at_all():
    """As of a writer that packs block by block: what follows a frame was copied for each, for minutes."""
    block, skippable = os.urandom(3_000), b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    packed = zstandard.compress(block) * 3_000 + skippable
    assert _unpacked(packed) == block * 3_000
    for size in (1, 14):
        with pytest.raises(ValueError, match="incomplete frame"):
            _unpacked(packed[:-size])
