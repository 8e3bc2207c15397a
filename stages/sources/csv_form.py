"""The layout of a CSV file and the format of its stamps, read from its first lines.

*Errors*: `DataContractError` for lines that hold no table of bars, and for stamps of unknown format.
"""

import re
from collections.abc import Collection, Sequence
from itertools import product

import polars as pl

from stages.errors import DataContractError
from stages.params.source import CsvParams

SEPARATORS = (",", ";", "\t", "|")
FEWEST_CELLS = 6  # a stamp, four prices and a volume
MOST_HEADER_LINES = 3
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
DAY_ALONE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](\d\d){1,2}|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
)
TIME_ALONE = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AP]M)?")
DIGITS_OF_TIME = re.compile(r"[0-2]\d[0-5]\d([0-5]\d)?")  # beside a day: 0930, 093000
DAYS = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y",
        "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%m-%d-%y", "%d-%m-%y")  # fmt: skip
FIRST_YEAR = 1900  # %Y also reads 24 as the year 24
TIMES = ("%H:%M:%S", "%H:%M", "%H%M%S", "%H%M", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S%.f")
BETWEEN = (" ", "T", "  ")
ZONES = {"US/Eastern": "America/New_York", "America/New_York": "America/New_York", "UTC": "UTC"}


def csv_of(lines: Sequence[str], symbols: Collection[str] = ()) -> tuple[CsvParams, pl.DataFrame]:
    """The layout, and the rows as text; columns are named by the header or, without one, by the form of the cells.

    Where `symbols` are known, a column that holds one other text in all rows, like an exchange's code, is no symbol.
    """
    for separator in SEPARATORS:
        cells = [cells_of(line, separator) for line in lines]
        first = next((at for at, line in enumerate(cells) if is_row(line)), None)
        if first is None:
            continue
        header = max((at + 1 for at, line in enumerate(cells[:first]) if any(line)), default=0)  # without blank lines
        if header > MOST_HEADER_LINES:
            continue
        width = len(cells[first])
        rows = [line for line in cells[first:] if len(line) == width]
        above = [*cells[:header], [""] * width] if header else []
        seen = [_default_name(*one, at) for at, one in enumerate(zip(rows[0], ["", *rows[0]], strict=False), 1)]
        names = header_names(above or [seen])
        if symbols and not header and "symbol" in names:
            at = names.index("symbol")
            of_rows = {row[at] for row in rows}
            names[at] = "symbol" if len(of_rows) > 1 or of_rows & {*symbols} else f"column_{at + 1}"
        table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        return CsvParams(header_lines=header, columns=None if header else tuple(names), separator=separator), table
    raise DataContractError(
        f"the file begins with {lines[:2]}, which is not a table of bars: each line needs a stamp, four prices and a "
        "volume."
    )


def is_row(cells: Sequence[str]) -> bool:
    """Whether the cells are a stamp and the numbers of a bar."""
    return sum(bool(NUMBER.fullmatch(cell)) for cell in cells) >= FEWEST_CELLS - 1


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line without surrounding blanks and quotes."""
    return [cell.strip().strip('"') for cell in line.split(separator)]


def header_names(lines: Sequence[Sequence[str]]) -> list[str]:
    """One name a column: non-empty cells of the header lines joined by `_`; empty or repeated names get a number.

    A line of a single cell above names is a comment.
    """
    width = max(map(len, lines), default=0)
    lines = [line for line in lines if len(line) > 1 or width == 1]
    padded = [[*line, *[""] * (width - len(line))] for line in lines]
    names: list[str] = []
    for at, parts in enumerate(zip(*padded, strict=True), 1):
        name = "_".join(filter(None, parts))
        names.append(name if name and name not in names else f"column_{at}")
    return names


def stamp_format_of(stamps: pl.Series) -> tuple[str, str | None]:
    """The strftime format of stamps that are not ISO 8601, and the zone that they name.

    Where day and month could be exchanged, the order with fewer weekend days is chosen, then the one with the shorter
    span.
    """
    texts = stamps.drop_nulls().unique(maintain_order=True)
    suffix = re.search(r" ([A-Za-z_/]+)$", texts[0])
    ending = suffix[0] if suffix and suffix[1] in ZONES else ""
    fitting, odd = [], texts
    for place, (day, between, clock) in enumerate(product(DAYS, BETWEEN, TIMES)):
        parsed = texts.str.to_datetime(f"{day}{between}{clock}{ending}", strict=False)
        misfits = texts.filter((parsed.dt.year() < FIRST_YEAR).fill_null(value=True))
        odd = min(odd, misfits, key=len)
        if misfits.is_empty():
            weekends = int((parsed.dt.weekday() > 5).sum())
            span = parsed.max() - parsed.min()  # type: ignore[operator]
            fitting.append((weekends, span, place, f"{day}{between}{clock}{ending}"))
    if not fitting and NUMBER.fullmatch(odd[0]):
        raise DataContractError(
            f"the stamp {odd[0]!r} is neither a whole number since 1970 nor a day and a time: convert the stamps at "
            "the source."
        )
    if not fitting:
        others = texts.filter(~texts.is_in(odd.implode()))
        if len(others):  # no single source.stamp_format fits them
            raise DataContractError(
                f"the stamps {odd[0]!r} and {others[0]!r} have different, unknown formats: write them in one form at "
                "the source."
            )
        raise DataContractError(
            f"the stamp {odd[0]!r} has an unknown format: set source.stamp_format, for example to %m/%d/%Y %H:%M."
        )
    return min(fitting)[-1], ZONES[ending.strip()] if ending else None


def _default_name(cell: str, before: str, at: int) -> str:
    """A name for column number `at` of a file without a header, from one cell and the cell before it."""
    if DAY_ALONE.fullmatch(cell):
        return "date"
    if TIME_ALONE.fullmatch(cell) or (DAY_ALONE.fullmatch(before) and DIGITS_OF_TIME.fullmatch(cell)):
        return "time"
    if NUMBER.fullmatch(cell):
        return "ts" if float(cell) > 5e8 and at == 1 else f"column_{at}"
    return "ts" if re.match(r"\d", cell) else "symbol"
