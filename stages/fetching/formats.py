"""A source's file as a table: parquet, CSV (plain, gzip or zstd) or DBN, by the ending of its name.

Parquet and DBN declare their column types. For CSV, `source.aliases`, `unit`, `stamp_format` and `csv` state them,
and numbers are floats. Columns without an alias are not read. A text stamp is ISO 8601 unless its format is stated.
Columns keep the vendor's names; a date and a time column become one, `ts`.
*Errors*: `DataContractError` for a file that cannot be read this way; `ConfigurationError` where a library is missing.
"""

import gzip
import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import polars as pl
import zstandard

from stages.errors import ConfigurationError, DataContractError
from stages.io.terminal import without_panic_text
from stages.params.source import ONE_HEADER, SYMBOL, CsvParams, SourceParams
from stages.sources.columns import unit_of
from stages.sources.csv_form import cells_of, header_names

ZSTD = b"\x28\xb5\x2f\xfd"
HEAD_BYTES, HEAD_LINES = 1 << 16, 100
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?)(?P<zone>Z|[+-]\d{2}(:?\d{2})?)?")
CSV = re.compile(r"\.(csv|txt|tsv)(\.gz|\.zst)?$")
DBN = re.compile(r"\.dbn(\.zst)?$")
NOT_UNPACKED = (OSError, EOFError, zlib.error, zstandard.ZstdError)
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, *NOT_UNPACKED)
HINT = re.compile(" (You might want|Consider setting|Specify these)")  # to users of polars
NUMBERS = ("open", "high", "low", "close", "volume")


def scan(uri: str, content: bytes, source: SourceParams) -> pl.LazyFrame:
    """The file's rows as a lazy frame."""
    if format_of(uri) == "CSV":
        return _scan_csv(content, source)
    rows = declared(uri, content)
    return rows if format_of(uri) == "DBN" else _scan_parquet(rows, source)


def declared(uri: str, content: bytes) -> pl.LazyFrame:
    """The rows of a parquet or DBN file, names and values unchanged."""
    return _scan_dbn(content) if format_of(uri) == "DBN" else pl.scan_parquet(io.BytesIO(content))


def collect(uri: str, rows: Callable[[], pl.LazyFrame]) -> pl.DataFrame:
    """Read the rows; explain damaged or unexpected content in one sentence."""
    with readable(uri), without_panic_text():
        return rows().collect()


@contextmanager
def readable(uri: str) -> Iterator[None]:
    """For a block that reads content of this file: say in one sentence that it cannot be read."""
    try:
        yield
    except UNREADABLE as error:
        reason = HINT.split(" ".join(str(error).split()), maxsplit=1)[0][:200]
        stamps = "correct source.stamp_format, or " if "to `datetime" in reason else ""
        raise DataContractError(
            f"{uri} is not readable as {format_of(uri)} ({reason}): {stamps}get it again from the vendor."
        ) from None


def format_of(uri: str) -> str:
    """`CSV`, `DBN` or `parquet`."""
    name = uri.lower()
    return "CSV" if CSV.search(name) else "DBN" if DBN.search(name) else "parquet"


def first_lines(uri: str, content: bytes, lines: int) -> list[str]:
    """The lines of `head_of`, with a damaged file explained in one sentence."""
    with readable(uri):
        return head_of(content, lines)


def head_of(content: bytes, lines: int) -> list[str]:
    """The first lines of a text file, of which little is decompressed; a cut-off line only if it is the only one."""
    packed = io.BytesIO(content)
    if content[:2] == b"\x1f\x8b":
        text = gzip.GzipFile(fileobj=packed).read(HEAD_BYTES)
    elif content[:4] == ZSTD:
        text = zstandard.ZstdDecompressor().stream_reader(packed).read(HEAD_BYTES)
    else:
        text = content[:HEAD_BYTES]
    found = text.decode("utf-8-sig", errors="replace").splitlines()
    return found[: min(lines, max(len(found) - (len(text) == HEAD_BYTES), 1))]


def lines_within(content: bytes, lines: int) -> list[str]:
    """At most `lines` lines of a text file, spread evenly after its head; none if it cannot be decompressed."""
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        elif content[:4] == ZSTD:
            content = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    except NOT_UNPACKED:
        return []
    text, step = io.BytesIO(content), max(1, len(content) // lines)
    found: dict[int, str] = {}
    for at in range(step, len(content) - step, step):
        text.seek(at)
        text.readline()  # the rest of a line
        found[text.tell()] = text.readline().decode(errors="replace")
    return list(found.values())


def columns_in(content: bytes, csv: CsvParams) -> list[str]:
    """The names of the columns: stated in params, or from the header lines."""
    lines = head_of(content, csv.header_lines)
    return (
        list(csv.columns) if csv.columns is not None else header_names([cells_of(one, csv.separator) for one in lines])
    )


def _scan_parquet(every: pl.LazyFrame, source: SourceParams) -> pl.LazyFrame:
    rows = every.select(_needed(every.collect_schema().names(), source))
    stamps = {
        name: dtype for name, dtype in rows.collect_schema().items() if source.ours(name) in ("ts", "date", "time")
    }
    parts = (pl.String, pl.Date, pl.Time)
    texts = [name for name, dtype in stamps.items() if dtype in (parts if source.ours(name) != "ts" else (pl.String,))]
    if not texts or any(source.ours(name) == "ts" for name in {*stamps} - {*texts}):
        return rows
    first = rows.select(texts).head(1).collect()
    names = {source.ours(name): (name, str(first[name][0])) for name in texts if first.height}
    return _stamped(rows, names, source)


def _scan_csv(content: bytes, source: SourceParams) -> pl.LazyFrame:
    csv = source.csv or ONE_HEADER
    names = columns_in(content, csv) or ["(none)"]  # without a column nothing is unpacked, and a cut goes unnoticed
    ours = {name: source.ours(name) for name in names}
    stamp = pl.String if source.unit is None else pl.Int64
    types = {
        name: pl.Float64 if ours[name] in NUMBERS else stamp if ours[name] == "ts" else pl.String for name in names
    }
    head = [cells_of(line, csv.separator) for line in head_of(content, HEAD_LINES)]
    filled = [at for at in range(csv.header_lines, len(head)) if any(head[at])]  # none on a day without a trade
    begin = filled[0] if filled else csv.header_lines
    rows = pl.scan_csv(io.BytesIO(content), has_header=False, skip_rows=begin, schema=types, separator=csv.separator)
    rows = rows.select(_needed(names, source)).filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines
    first = {ours[name]: (name, cell) for at in filled[:1] for name, cell in zip(names, head[at], strict=False)}
    return _stamped(rows, first, source)


def _needed(names: Sequence[str], source: SourceParams) -> list[str]:
    """The columns that a bar needs; all columns if `source` does not name each of them, so that an error lists them."""
    known = {name: ours for name in names if (ours := source.ours(name)) is not None}
    found = {*known.values()}
    stamped = "ts" in found or {"date", "time"} <= found
    whose = "symbol" in found or not source.many_in_a_file or any(SYMBOL in alias for alias in source.aliases)
    return list(known) if {*NUMBERS} <= found and stamped and whose else list(names)


def _stamped(rows: pl.LazyFrame, first: dict[str | None, tuple[str, str]], source: SourceParams) -> pl.LazyFrame:
    """Text stamps as instants, in UTC if they name their zone. `first` is each column's name and first value."""
    if {"date", "time"} <= {*first}:
        (date, day), (clock, minute) = first["date"], first["time"]
        text = pl.concat_str(pl.col(date).cast(pl.String), pl.lit(" "), pl.col(clock).cast(pl.String))
        return rows.with_columns(_instant(text, f"{day} {minute}", source).alias("ts")).drop(date, clock)
    if "ts" in first and source.unit is None:
        name, text_of_first = first["ts"]
        return rows.with_columns(_instant(pl.col(name), text_of_first, source))
    return rows


def _instant(text: pl.Expr, first: str, source: SourceParams) -> pl.Expr:
    stamp_format = source.stamp_format or iso_format(first)
    if stamp_format is None and first.isdecimal():
        raise DataContractError(
            f"the first stamp is {first}, a whole number: set source.unit, for example to {unit_of(first)[1]}."
        )
    if stamp_format is None:
        raise DataContractError(
            f"the first stamp is {first!r}, which is not ISO 8601 (2024-01-31 09:30): set source.stamp_format, for "
            "example to %m/%d/%Y %H:%M."
        )
    return text.str.to_datetime(stamp_format, time_zone="UTC" if re.search("%[:#]?z", stamp_format) else None)


def iso_format(stamp: str) -> str | None:
    """The strftime format of an ISO 8601 stamp; None for others. 04/05/2024 gives None: it may be April or May."""
    match = ISO.fullmatch(stamp)
    if match is None:
        return None
    seconds = "" if match[2] is None else ":%S" if match[3] is None else ":%S%.f"
    return f"%Y-%m-%d{match[1]}%H:%M{seconds}{match[4] or ''}{'%#z' if match['zone'] else ''}"


def _scan_dbn(content: bytes) -> pl.LazyFrame:
    try:
        import databento
    except ImportError:
        raise ConfigurationError(
            "DBN files need Databento's library, which is not installed: run `uv pip install -c requirements.txt "
            "databento==0.87.0`."
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "DBN file is truncated")
        try:
            rows = databento.DBNStore.from_bytes(_unpacked(content)).to_df()
        except Exception as error:  # of Databento, its decoder or zstd, which share no class
            raise ValueError(error) from None
    return pl.from_pandas(rows.reset_index()).lazy()


def _unpacked(content: bytes) -> bytes:
    """A file decompressed from zstd frames, each of which must be whole; a stream reader would accept a cut-off one."""
    if content[:4] != ZSTD:
        return content
    parts, frame = [], zstandard.ZstdDecompressor().decompressobj()
    for at in range(0, len(content), HEAD_BYTES):
        piece = content[at : at + HEAD_BYTES]  # small, since `unused_data` copies the rest after each frame
        while piece:
            frame = zstandard.ZstdDecompressor().decompressobj() if frame.eof else frame
            parts.append(frame.decompress(piece))
            piece = frame.unused_data
    if not frame.eof:
        raise ValueError("incomplete frame")
    return b"".join(parts)
