"""The template of a vendor's file names, read from the names: which part is a date, which a symbol.

*Errors*: `DataContractError` where the names follow no single form.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from stages.errors import DataContractError, count, shorten
from stages.params.path_template import ANY, fields_of, literal

ENDINGS = re.compile(r"\.(parquet|pq|csv|txt|tsv|dbn)(\.gz|\.zst)?$", re.IGNORECASE)
NO_BARS = re.compile(r"(?i)(^|/)(\.|readme)[^/]*$")  # hidden files, and what a vendor says of the others
TICKER = re.compile(r"[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?")
SMALL = re.compile(r"[a-z]{1,5}([.\-][a-z])?")
SHORT = re.compile(r"[A-Z]{1,5}([.\-][A-Z])?")  # taken for a symbol where there is nothing to compare with
YEAR, MONTH, DAY = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>0[1-9]|1[0-2])", r"(?P<d>0[1-9]|[12]\d|3[01])"
DATES = (
    (re.compile(rf"(?<!\d){YEAR}(?P<s>[-_/.]?){MONTH}(?P=s){DAY}(?!\d)"), r"<yyyy>\g<s><mm>\g<s><dd>"),
    (re.compile(rf"(?<!\d){YEAR}(?P<s>[-_/.]?){MONTH}(?!\d)"), r"<yyyy>\g<s><mm>"),
    (re.compile(rf"(?<!\d){YEAR}(?!\d)"), "<yyyy>"),
)
PARTS = {"month=": "m", "day=": "d"}  # of Hive folders; with a leading zero where any path has one
SPLIT = re.compile(r"([/_=, ]|-(?=[a-z0-9]*[a-z])|\.(?=[A-Z]{2,5}$))")
# A symbol may end at a dot or a dash, which can also be part of it: a single letter is the class of a share (BRK.B), or
# else names an exchange (AAPL.O).
FINER = re.compile(r"([/_=, ]|[.\-](?![A-Z](?![A-Za-z0-9])))")
FINEST = re.compile(r"([/_=, .\-])")
SAMPLE_FILES, SAMPLE_BYTES = 40, 300_000_000
FEWEST, ENDS = 12, 3


@dataclass(frozen=True)
class Layout:
    """A template, the symbols named in its paths (none where a file holds many), and how many files follow it."""

    template: str
    symbols: tuple[str, ...]
    files: int

    @property
    def description(self) -> str:
        """The layout as text."""
        periods = {"{d": "day", "{m": "month", "{yyyy": "year"}
        period = next((f", one a {word}" for form, word in periods.items() if form in self.template), "")
        whose = f"one a symbol ({shorten(self.symbols)})" if self.symbols else "all symbols in each"
        return f"{count(self.files, 'file')}, {whose}{period}"

    def without_symbol(self) -> "Layout":
        """The same files with the only symbol as plain text: each file holds many symbols."""
        (symbol,) = self.symbols
        plain = self.template.replace("{symbol}", symbol).replace("{symbol_lower}", symbol.lower())
        return Layout(plain, (), self.files)


def layout_of(paths: Sequence[str], symbols: Sequence[str] = ()) -> Layout:
    """The form that most of the paths follow. If `symbols` are given, only these are looked for."""
    bars = [path for path in paths if ENDINGS.search(path)]
    if not bars:
        raise DataContractError(
            f"none of {len(paths)} files ends in .parquet, .csv, .csv.gz, .txt or .dbn: set URI= to a folder of such "
            "files."
        )
    padded = {part for part in PARTS if any(f"{part}0" in path for path in bars)}
    dated = {path: ENDINGS.sub("", _dated(path, padded)) for path in bars}
    ways = [_columns(dated, split, symbols) for split in (SPLIT, FINER, FINEST)]
    columns, ending, of_symbol = next((one for one in ways if one[2]), ways[0])
    found = sorted({symbol for at in of_symbol for symbol in columns[at]})
    form = ""
    for at, values in enumerate(columns):
        if at in of_symbol:
            form += "{symbol_lower}" if values[0].islower() else "{symbol}"
        else:
            form += ANY if len(set(values)) > 1 else literal(values[0])
    return Layout(_with_fields(form) + ending, tuple(symbol.upper() for symbol in found), len(columns[0]))


def _columns(
    dated: Mapping[str, str], split: re.Pattern[str], symbols: Sequence[str]
) -> tuple[list[tuple[str, ...]], str, list[int]]:
    """The parts of the paths with the most common form, part by part; their ending; and which parts are the symbol."""
    tokens = {path: split.split(name) for path, name in dated.items()}
    shapes = Counter((len(parts), _ending(path)) for path, parts in tokens.items())
    shape = shapes.most_common(1)[0][0]
    columns = list(zip(*(parts for path, parts in tokens.items() if (len(parts), _ending(path)) == shape), strict=True))
    return columns, shape[1], _symbol_columns(columns, symbols)


def _dated(path: str, padded: Set[str]) -> str:
    """A path with its date as fields in angle brackets; unchanged where it names two, as those of a span."""
    dated = path
    for pattern, form in DATES:
        dated = pattern.sub(form, dated)
    for part, letter in PARTS.items():
        dated = re.sub(rf"(?<={part})\d\d?(?!\d)", f"<{letter * 2 if part in padded else letter}>", dated)
    return path if fields_of(_with_fields(literal(dated)), path) is None else dated


def _with_fields(form: str) -> str:
    return re.sub("<(yyyy|mm|m|dd|d)>", r"{\1}", form)


def _ending(path: str) -> str:
    match = ENDINGS.search(path)
    return match[0] if match else ""


def _symbol_columns(columns: Sequence[Sequence[str]], symbols: Sequence[str]) -> list[int]:
    """The parts of the paths that hold a symbol: those that vary together and look like tickers."""
    if symbols:
        known = set(symbols) | {symbol.lower() for symbol in symbols}
        return [at for at, values in enumerate(columns) if known & set(values)]
    varying = [at for at, values in enumerate(columns) if len(set(values)) > 1 and _are_tickers(values)]
    if varying:
        return [at for at in varying if columns[at] == columns[varying[0]]]
    alone = [at for at, values in enumerate(columns) if len(set(values)) == 1 and SHORT.fullmatch(values[0])]
    return [at for at in alone if columns[at] == columns[alone[-1]]] if alone else []


def _are_tickers(values: Sequence[str]) -> bool:
    return all(map(TICKER.fullmatch, values)) or all(map(SMALL.fullmatch, values))


def holds_symbol(name: str, symbol: str) -> bool:
    """Whether a vendor's name is the symbol written otherwise: `aapl`, `AAPL.US` or `NASDAQ:AAPL`."""
    return bool(re.search(rf"(?<![A-Z0-9]){re.escape(symbol)}(?![A-Z0-9])", name.upper()))


def spread(names: Sequence[str], sizes: Mapping[str, int]) -> list[str]:
    """Some of the names: both ends of the span, and others evenly between them."""
    mean = sum(sizes[name] for name in names) / max(1, len(names))
    most = max(FEWEST, min(SAMPLE_FILES, int(SAMPLE_BYTES / max(1.0, mean))))
    if len(names) <= most:
        return list(names)
    inner, steps = names[ENDS:-ENDS], most - 2 * ENDS
    evenly = [inner[round(number * (len(inner) - 1) / (steps - 1))] for number in range(steps)]
    return [*names[:ENDS], *evenly, *names[-ENDS:]]
