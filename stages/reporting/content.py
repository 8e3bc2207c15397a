"""What a section of a report consists of, whatever it is rendered to: sentences, tables, figures."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stages.reporting.charts import Figure
from stages.reporting.words import MISSING, number

LONGEST_CELL = 60
NUMERAL = re.compile(rf"(< )?\u2212?[\d,]+(\.\d+)?( ± [\d,.]+)?|{MISSING}")


@dataclass(frozen=True)
class Column:
    """A table column; numbers are set right, sentences may wrap."""

    title: str
    is_number: bool
    is_wordy: bool


@dataclass(frozen=True)
class Row:
    """The cells of one row, as text; a chosen row is set off."""

    cells: tuple[str, ...]
    chosen: bool = False


@dataclass(frozen=True)
class Grid:
    """A table whose cells are words already."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def is_wordy(self) -> bool:
        """Whether it holds sentences; such a table turns into cards on a phone."""
        return any(column.is_wordy for column in self.columns)


@dataclass(frozen=True)
class Section:
    """One question about the run and its answer; `dump` is YAML to be shown as it stands."""

    id: str
    title: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    dump: str = ""


def grid(caption: str, titles: Sequence[str], lines: Iterable[Sequence[Any]], chosen: Iterable[int] = ()) -> Grid:
    """A table from values: a column in which every value is a number, or a numeral (or missing), is set right."""
    lines, marked = [tuple(line) for line in lines], set(chosen)
    columns = [[line[place] for line in lines] for place in range(len(titles))]
    digits = [_digits(title, values) for title, values in zip(titles, columns, strict=True)]
    return Grid(
        caption,
        tuple(_column(title, values) for title, values in zip(titles, columns, strict=True)),
        tuple(Row(tuple(map(number, line, digits)), place in marked) for place, line in enumerate(lines)),
    )


def _column(title: str, values: Sequence[Any]) -> Column:
    known = [value for value in values if value is not None]
    is_number = all(map(_is_number, known))
    is_wordy = any(isinstance(value, str) and len(value) > LONGEST_CELL for value in known)
    return Column(title, is_number, is_wordy)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMERAL.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _digits(title: str, values: Sequence[Any]) -> int:
    """Basis points to one decimal; other columns to what their values need, at most three."""
    if title.endswith("bp"):
        return 1
    needed = [f"{value:.3f}".rstrip("0").partition(".")[2] for value in values if isinstance(value, float)]
    return max(map(len, needed), default=0)
