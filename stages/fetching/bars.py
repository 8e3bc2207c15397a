"""Minute bars as the vendor delivers them, names and values unchanged.

*Tables*: one frame per symbol, its files in order; the data gate interprets columns and faults. A file of many symbols
is read once: its rows are written by symbol and month, and each symbol's months are joined.
*Errors*: `DataContractError` naming the file that is missing, empty, revised or unreadable.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import polars as pl

from stages.engine import engine
from stages.errors import DataContractError, at_work_on, shorten
from stages.fetching.files import AT_ONCE, read_files
from stages.fetching.formats import collect, scan
from stages.io.partitions import Partition, Writer
from stages.params.source import SourceParams, SyntheticParams
from stages.sources.manifest import place_of
from stages.sources.symbol_parts import disagreement, parts_of, symbol_column, wanted_rows
from stages.sources.synthetic import synthetic_bars

Files = list[dict[str, Any]]
Fetch = Callable[..., tuple[pl.DataFrame, int]]


def bars_to_fetch(
    manifest: dict[str, Any], source: SourceParams, calendar: pl.DataFrame, writer: Writer
) -> tuple[Mapping[str, tuple[Any, ...]], Fetch]:
    """The inputs of each symbol, and the function that makes its bars from them."""
    symbols = manifest["symbols"]
    if source.many_in_a_file:
        return _read_once(manifest["files"], source, symbols, writer), joined
    files: dict[str, Files] = {symbol: [] for symbol in symbols}
    for file in manifest["files"]:
        files[file["symbol"]].append(file)
    return {symbol: (of_symbol,) for symbol, of_symbol in files.items()}, partial(
        fetch_bars, source=source, calendar=calendar
    )


def fetch_bars(symbol: str, files: Files, source: SourceParams, calendar: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The bars of one symbol, and their number."""
    if source.kind == "synthetic":
        bars = synthetic_bars(symbol, cast(SyntheticParams, source.synthetic), calendar)  # required by SourceParams
    else:
        frames = read_frames(files, source)
        first, bars = next(frames)
        for file, frame in frames:
            bars = _both(first, bars, file, frame)
    return bars, bars.height


def read_frames(
    files: Files, source: SourceParams, only: Sequence[str] = ()
) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Each listed file with its rows, in order; of a file of many symbols, only the rows of `only`."""
    for file, content in read_files(files):
        with at_work_on(place_of(file)):
            yield file, _frame(file, content, source, only)


def parts_in(
    file: dict[str, Any], content: bytes, source: SourceParams, symbols: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """The rows of each symbol in a file with this content."""
    frame = _frame(file, content, source, symbols)
    return parts_of(frame, source, symbols) if file["symbol"] is None else {file["symbol"]: frame}


def joined(symbol: str, *parts: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The parts of a symbol as one frame, and its number of rows."""
    try:
        bars = _stacked(parts)
    except pl.exceptions.PolarsError as error:
        raise DataContractError(
            f"the files differ in their columns ({' '.join(str(error).split())}): get them again from the vendor in "
            "one form."
        ) from None
    return bars, bars.height


def _read_once(
    files: Files, source: SourceParams, symbols: Sequence[str], writer: Writer
) -> dict[str, tuple[Partition, ...]]:
    """Every file read once; the rows of each symbol as one partition a month."""
    periods = defaultdict(list)
    for number, file in enumerate(files):
        periods[file["month"] or f"{number:06}"].append(file)
    put_away = partial(_put_away, source=source, symbols=symbols, writer=writer)
    by_period = engine.run(put_away, periods, "reading files")
    found = {symbol: tuple(parts[symbol] for parts in by_period.values() if symbol in parts) for symbol in symbols}
    if without := [symbol for symbol, parts in found.items() if not parts]:
        raise DataContractError(
            f"no file of source {source.name} holds a row of {shorten(without)}: remove them from universe.symbols, "
            "add an earlier name to source.renames, or correct source.aliases."
        )
    return found


def _put_away(
    period: str, files: Files, source: SourceParams, symbols: Sequence[str], writer: Writer
) -> dict[str, Partition]:
    parts = defaultdict(list)
    for start in range(0, len(files), AT_ONCE):  # the files in memory at a time
        for file, content in read_files(files[start : start + AT_ONCE]):
            with at_work_on(place_of(file)):
                for symbol, part in parts_in(file, content, source, symbols).items():
                    parts[symbol].append(part)
    return {symbol: writer.write(f"{symbol}@{period}", joined(symbol, *own)[0]) for symbol, own in parts.items()}


def _frame(file: dict[str, Any], content: bytes, source: SourceParams, only: Sequence[str]) -> pl.DataFrame:
    rows = partial(scan, file["uri"], content, source)
    if file["symbol"] is None:
        return collect(file["uri"], lambda: wanted_rows(rows(), source, only))
    frame = collect(file["uri"], rows)
    ticker = file.get("ticker") or (file["symbol"] if file["symbol"] in source.renames else None)
    names_symbols = ticker is None or symbol_column(frame.columns, source) is not None
    return frame if names_symbols else frame.with_columns(symbol=pl.lit(ticker))


def _both(first: dict[str, Any], earlier: pl.DataFrame, file: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    try:
        return _stacked([earlier, frame])
    except pl.exceptions.PolarsError:
        raise DataContractError(
            f"{file['symbol']}: {disagreement(first['uri'], earlier, file['uri'], frame)}"
        ) from None


def _stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of frames with the same columns in any order; a frame without rows may have any columns.

    If types differ, float32 becomes the float64 of its printed value, and instants become UTC.
    """
    frames = [frame for frame in frames if frame.height] or frames[:1]
    names = frames[0].columns
    in_order = [frame.select(names) if set(frame.columns) == set(names) else frame for frame in frames]
    if any(frame.schema != frames[0].schema for frame in in_order):
        single, aware = pl.selectors.by_dtype(pl.Float32), pl.selectors.datetime(time_zone="*")
        alike = single.cast(pl.String).cast(pl.Float64), aware.dt.convert_time_zone("UTC")
        in_order = [frame.with_columns(*alike) for frame in in_order]
    return pl.concat(in_order, how="vertical_relaxed")
