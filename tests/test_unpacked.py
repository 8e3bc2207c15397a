"""A search for what must stand nowhere would find it in compressed files too."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

from stages.io.parquet import SETTINGS
from tests.unpacked import unpacked

TEXT = "/home/somebody/a-folder" * 20
WRITE: dict[str, Callable[[Path], object]] = {
    "parquet": lambda path: pl.DataFrame({"at": [TEXT[:7] + TEXT[7:]] * 3}).write_parquet(path, **SETTINGS),
    "gzip": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "zstd": lambda path: path.write_bytes(zstandard.compress(TEXT.encode())),
    "plain": lambda path: path.write_text(TEXT),
}


@pytest.mark.parametrize("form", WRITE)
def test_a_text_is_found_in_a_file_whatever_its_form(form, tmp_path):
    path = tmp_path / "file"
    WRITE[form](path)
    assert TEXT.encode() in unpacked(path)
