"""What a section of a report consists of, whatever it is rendered to: sentences, tables, figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stages.reporting.charts import Figure
from stages.reporting.words import number


@dataclass(frozen=True)
class Column:
    """A table column; numbers are set right."""

    title: str
    is_number: bool = False


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
    """A table from values: a column in which every value is a number (or missing) is set right."""
    lines, marked = [tuple(line) for line in lines], set(chosen)
    numeric = [
        any(isinstance(line[place], int | float) for line in lines)
        and all(line[place] is None or isinstance(line[place], int | float) for line in lines)
        for place in range(len(titles))
    ]
    return Grid(
        caption,
        tuple(Column(title, is_number) for title, is_number in zip(titles, numeric, strict=True)),
        tuple(Row(tuple(map(number, line)), place in marked) for place, line in enumerate(lines)),
    )
