"""Elements of a report, independent of how it is rendered: sentences, numbers as text, tables, figures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stages.reporting.charts import Figure

SIGNS = {"PASS": "✔", "FAIL": "✘", "INCONCLUSIVE": "?", "SEALED": "▣"}
MISSING = "\N{EN DASH}"
MOST_DIGITS = 6  # gates compare no finer


def number(value: Any, digits: int = 3) -> str:
    """A cell: counts with separators, measurements to `digits` decimals, None as a dash, text unchanged."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "\N{MINUS SIGN}")  # + 0.0: no zero has a sign
    return str(value)


def measure(value: float | None, unlike: float | None = None) -> str:
    """A measurement with only the decimals it needs: 4, 0.95, 23.449, 264.6; more if it would look like `unlike`."""
    if value is None:
        return MISSING
    digits = 1 if abs(value) >= 100 else 3
    while unlike is not None and digits < MOST_DIGITS and round(value, digits) == round(unlike, digits):
        digits += 1
    whole, _, decimals = number(float(value), digits).partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".")


def span(low: float | None, high: float | None, digits: int = 3) -> str:
    """Two bounds: `0.95 to 1.05`; a dash if there are none."""
    return MISSING if low is None and high is None else f"{number(low, digits)} to {number(high, digits)}"


def probability(value: float | None) -> str:
    """A p-value or an estimated probability: never exactly 0 or 1."""
    if value is None or 0.001 <= value <= 0.999:
        return number(value)
    return "< 0.001" if value < 0.001 else "> 0.999"


def sharpe(value: float | None, se: float | None) -> str:
    """A Sharpe ratio with its standard error, without which it is never shown."""
    return MISSING if value is None or se is None else f"{number(value, 2)} ± {number(se, 2)}"


def in_order(judged: Iterable[str], words: Mapping[str, Any]) -> list[str]:
    """The names in `judged` in the order of `words`; `KeyError` for a name without words, since it may have decided."""
    places = {name: place for place, name in enumerate(words)}
    return sorted(judged, key=places.__getitem__)


T = TypeVar("T")


def evenly(ranked: Sequence[T], most: int) -> list[T]:
    """`most` items of a ranked sequence, evenly spaced from first to last; all of a shorter one."""
    last = len(ranked) - 1
    places = sorted({round(step * last / max(most - 1, 1)) for step in range(most)}) if ranked else []
    return [ranked[place] for place in places]


LONGEST_CELL = 60
NUMERAL = re.compile(rf"(< )?\u2212?[\d,]+(\.\d+)?( ± [\d,.]+)?|{MISSING}")


@dataclass(frozen=True)
class Column:
    """A table column; numbers are right-aligned, sentences may wrap."""

    title: str
    is_number: bool
    is_wordy: bool


@dataclass(frozen=True)
class Row:
    """The cells of one row, as text; a chosen row is highlighted."""

    cells: tuple[str, ...]
    chosen: bool = False


@dataclass(frozen=True)
class Grid:
    """A table whose cells are text."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def is_wordy(self) -> bool:
        """Whether it holds sentences; such a table becomes cards on a phone."""
        return any(column.is_wordy for column in self.columns)


@dataclass(frozen=True)
class Section:
    """One question about the run and its answer; `dump` is YAML to be shown unchanged."""

    id: str
    title: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    dump: str = ""


def grid(caption: str, titles: Sequence[str], lines: Iterable[Sequence[Any]], chosen: Iterable[int] = ()) -> Grid:
    """A table from values: a column that holds only numbers or numerals (or missing values) is right-aligned."""
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
    """Basis points with one decimal; other columns with the decimals their values need, at most three."""
    if title.endswith("bp"):
        return 1
    needed = [f"{value:.3f}".rstrip("0").partition(".")[2] for value in values if isinstance(value, float)]
    return max(map(len, needed), default=0)
