"""What a file says, unpacked: a text inside compressed bytes is found by no search of them."""

import gzip
import io
from pathlib import Path

import polars as pl
import zstandard


def unpacked(path: Path) -> bytes:
    """The bytes of a file and, where they are parquet, gzip or zstd (told by how they begin), what they hold."""
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        frame = pl.read_parquet(io.BytesIO(content))
        values = (str(value) for column in frame for value in column.unique().to_list())
        return b"\n".join([content, *(name.encode() for name in frame.columns), *map(str.encode, values)])
    if content.startswith(b"\x1f\x8b"):
        return content + gzip.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return content + zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content
