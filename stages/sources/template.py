"""A path template such as `bars/{symbol}/{yyyy}/{symbol}_{yyyy}-{mm}.parquet`: names, months and listings.

*Units*: a month is `2024-03`; `2024` where the template names years only; null where one file holds everything.
"""

import re
from datetime import date
from string import Formatter

WILDCARDS = {"yyyy": "*", "mm": "*"}
DIGITS = {"yyyy": r"\d{4}", "mm": r"\d{2}"}


def months(template: str, first: date, last: date) -> list[str | None]:
    """The months (years, or null) whose files may hold sessions from `first` to `last`."""
    if "{yyyy}" not in template:
        return [None]
    if "{mm}" not in template:
        return [f"{year}" for year in range(first.year, last.year + 1)]
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [f"{first.year + i // 12}-{i % 12 + 1:02d}" for i in range(first.month - 1, first.month - 1 + count)]


def wildcard(template: str, symbol: str) -> str:
    """The glob that finds every file of a symbol."""
    return template.format(symbol=symbol, **WILDCARDS)


def fields_of(template: str, symbol: str, uri: str) -> dict[str, str] | None:
    """What a found uri names, `{"yyyy": "2024", "mm": "03"}`; null if it does not fit, as a year that differs."""
    pattern, seen = "", set()
    for text, field, _, _ in Formatter().parse(template):
        pattern += re.escape(text)
        if field == "symbol":
            pattern += re.escape(symbol)
        elif field is not None:
            pattern += f"(?P={field})" if field in seen else f"(?P<{field}>{DIGITS[field]})"
            seen.add(field)
    match = re.fullmatch(pattern, uri)
    return None if match is None else match.groupdict()


def month_of(fields: dict[str, str]) -> str | None:
    """The month that these fields of a template name."""
    return "-".join(fields[field] for field in ("yyyy", "mm") if field in fields) or None
