"""What a file says, unpacked: a text inside compressed bytes is found by no search of them."""

import gzip
import io
import zlib
from contextlib import suppress
from pathlib import Path

import polars as pl
import zstandard

TORN = (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, zstandard.ZstdError)


def unpacked(path: Path) -> bytes:
    """The bytes of a file and, where they are whole parquet, gzip or zstd, told by how they begin, what they hold."""
    content = path.read_bytes()
    with suppress(*TORN):
        if content.startswith(b"PAR1"):
            frame = pl.read_parquet(io.BytesIO(content))
            values = (str(value) for column in frame for value in column.unique().to_list())
            return b"\n".join([content, *map(str.encode, frame.columns), *map(str.encode, values)])
        if content.startswith(b"\x1f\x8b"):
            return content + gzip.decompress(content)
        if content.startswith(b"\x28\xb5\x2f\xfd"):
            return content + zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content
