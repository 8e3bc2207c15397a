"""A path template such as `bars/{symbol}/{yyyy}/{symbol}_{yyyy}-{mm}.parquet`: its periods, and the fields of a path.

Everything outside braces is literal text, except `*`, which matches any text without a slash. `{{` and `}}` are braces.
A template without `{symbol}` names files that hold many symbols each.

*Units*: a month is `2024-03`, or `2024` where the template has years only; a day is `2024-03-05`.
"""

import re
from collections.abc import Iterator
from datetime import date
from string import Formatter

FORMS = {
    "symbol": r"[^/]+",
    "symbol_lower": r"[^/]+",
    "yyyy": r"\d{4}",
    "mm": r"0[1-9]|1[0-2]",
    "m": r"1[0-2]|[1-9]",
    "dd": r"0[1-9]|[12]\d|3[01]",
    "d": r"[12]\d|3[01]|[1-9]",
}
SYMBOLS = ("symbol", "symbol_lower")
ANY = "*"
Named = dict[str, str]


def fields_in(template: str) -> set[str]:
    """The fields in braces. *Errors*: `ValueError` for braces that do not close."""
    return {field for _, field in _pieces(template) if field is not None}


def literal(path: str) -> str:
    """A path as a template that matches only it."""
    return path.replace("{", "{{").replace("}", "}}")


def months(template: str, first: date, last: date) -> list[str | None]:
    """The months (years, or null) whose files may hold sessions from `first` to `last`."""
    fields = fields_in(template)
    if "yyyy" not in fields:
        return [None]
    if not fields & {"mm", "m"}:
        return [f"{year}" for year in range(first.year, last.year + 1)]
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [f"{first.year + i // 12}-{i % 12 + 1:02d}" for i in range(first.month - 1, first.month - 1 + count)]


def root_of(template: str, symbol: str | None = None) -> tuple[str, int]:
    """The folder that contains every file of a template, and the number of path levels below it."""
    segments = "".join(_filled(*piece, symbol) for piece in _pieces(template)).split("/")
    open_ones = [number for number, segment in enumerate(segments) if "\0" in segment]
    root = segments[: min(open_ones)] if open_ones else segments[:-1]
    return "/".join(root) or ("/" if template.startswith("/") else ""), len(segments) - len(root)


def fields_of(template: str, path: str, symbol: str | None = None) -> Named | None:
    """The fields of a found path, `{"yyyy": "2024", "mm": "03"}`; null if it does not fit, for example with two years.

    With a symbol only its own paths fit. What matches a `*` is named `*0`, `*1`, ...
    """
    pattern, seen, stars = "", set(), 0
    for text, field in _pieces(template):
        for number, part in enumerate(text.split(ANY)):
            pattern += f"(?P<any{stars}>[^/]*)" if number else ""
            stars += 1 if number else 0
            pattern += re.escape(part)
        if field in SYMBOLS and symbol is not None:
            pattern += re.escape(_written(field, symbol))
        elif field is not None:
            pattern += f"(?P={field})" if field in seen else f"(?P<{field}>{FORMS[field]})"
            seen.add(field)
    match = re.fullmatch(pattern, path)
    return None if match is None else {name.replace("any", ANY): found for name, found in match.groupdict().items()}


def path_of(template: str, named: Named, symbol: str | None = None) -> str:
    """The path for a template and the fields of a found path: the inverse of `fields_of`."""
    path, stars = "", 0
    for text, field in _pieces(template):
        for number, part in enumerate(text.split(ANY)):
            path += named[f"{ANY}{stars}"] + part if number else part
            stars += 1 if number else 0
        if field is not None:
            path += _written(field, symbol) if field in SYMBOLS and symbol is not None else named[field]
    return path


def month_of(named: Named) -> str | None:
    """The month (or year) in these fields."""
    month = named.get("mm") or named.get("m")
    return "-".join(filter(None, (named.get("yyyy"), month and month.zfill(2)))) or None


def day_of(named: Named) -> str | None:
    """The day in these fields, if they have one."""
    day = named.get("dd") or named.get("d")
    return f"{month_of(named)}-{day.zfill(2)}" if day else None


def _pieces(template: str) -> Iterator[tuple[str, str | None]]:
    """Literal text, and the field after it."""
    for text, field, _, _ in Formatter().parse(template):
        yield text, field


def _filled(text: str, field: str | None, symbol: str | None) -> str:
    """Literal text and the symbol unchanged, with a null byte for everything that may vary."""
    written = "" if field is None else "\0"
    if field in SYMBOLS and symbol is not None:
        written = _written(field, symbol)
    return text.replace(ANY, "\0") + written


def _written(field: str | None, symbol: str) -> str:
    return symbol.lower() if field == "symbol_lower" else symbol
