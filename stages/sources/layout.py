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
NO_BARS = re.compile(r"(?i)(^|/)(\.|readme)[^/]*$")  # hidden files and readmes
TICKER = re.compile(r"[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?")
SMALL = re.compile(r"[a-z]{1,5}([.\-][a-z])?")
SHORT = re.compile(r"[A-Z]{1,5}([.\-][A-Z])?")  # taken for a symbol where there is nothing to compare with
YEAR, MONTH, DAY = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>0[1-9]|1[0-2])", r"(?P<d>0[1-9]|[12]\d|3[01])"
DATES = (
    (re.compile(rf"(?<!\d){YEAR}(?P<s>[-_/.]?){MONTH}(?P=s){DAY}(?!\d)"), r"<yyyy>\g<s><mm>\g<s><dd>"),
    (re.compile(rf"(?<!\d){YEAR}(?P<s>[-_/.]?){MONTH}(?!\d)"), r"<yyyy>\g<s><mm>"),
    (re.compile(rf"(?<!\d){YEAR}(?!\d)"), "<yyyy>"),
)
SYMBOL_KEY = re.compile(r"(?i)symbol|ticker|sym")  # of a Hive folder
PARTS = {"month=": "m", "day=": "d"}  # of Hive folders; with a leading zero where any path has one
CLASS = r"[A-Za-z](?![A-Za-z0-9])"
SPLIT = re.compile(rf"([/_=, ]|-(?!{CLASS})(?=[a-z0-9]*[a-z])|\.(?=[A-Za-z]{{2,5}}$))")
# A symbol may end at a dot or a dash, which can also be part of it: a single letter is the class of a share (BRK.B), or
# else names an exchange (AAPL.O).
FINER = re.compile(rf"([/_=, ]|[.\-](?!{CLASS}))")
FINEST = re.compile(r"([/_=, .\-])")
SAMPLE_FILES, SAMPLE_BYTES = 40, 300_000_000
FEWEST, ENDS = 12, 3


@dataclass(frozen=True)
class Layout:
    """A template, the symbols in its paths (none where a file holds many), and how many of all files follow it."""

    template: str
    symbols: tuple[str, ...]
    files: int
    of_files: int

    @property
    def description(self) -> str:
        """The layout as text."""
        periods = {"{d": "day", "{m": "month", "{yyyy": "year"}
        period = next((f", one a {word}" for form, word in periods.items() if form in self.template), "")
        whose = f"one a symbol ({shorten(self.symbols)})" if self.symbols else "all symbols in each"
        some = "" if self.files == self.of_files else f"{self.files} of "
        return f"{some}{count(self.of_files, 'file')}, {whose}{period}"

    def without_symbol(self) -> "Layout":
        """The layout for files of many symbols each: what looked like the only symbol becomes plain text."""
        (symbol,) = self.symbols
        plain = self.template.replace("{symbol}", symbol).replace("{symbol_lower}", symbol.lower())
        return Layout(plain, (), self.files, self.of_files)


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
    found = sorted({symbol.upper() for at in of_symbol for symbol in columns[at]})
    form = ""
    for at, values in enumerate(columns):
        if at in of_symbol:
            form += "{symbol_lower}" if values[0].islower() else "{symbol}"
        else:
            form += ANY if len(set(values)) > 1 else literal(values[0])
    return Layout(_with_fields(form) + ending, tuple(found), len(columns[0]), len(bars))


def _columns(
    dated: Mapping[str, str], split: re.Pattern[str], symbols: Sequence[str]
) -> tuple[list[tuple[str, ...]], str, list[int]]:
    """The parts of the paths with the most common form, part by part; their ending; and which parts are the symbol."""
    tokens = {path: split.split(name) for path, name in dated.items()}
    shapes = {path: (*parts[1::2], _ending(path)) for path, parts in tokens.items()}  # what stands between the parts
    shape = Counter(shapes.values()).most_common(1)[0][0]
    columns = list(zip(*(parts for path, parts in tokens.items() if shapes[path] == shape), strict=True))
    return columns, shape[-1], _symbol_columns(columns, symbols)


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
    varying = {
        at: tuple(map(str.upper, values))
        for at, values in enumerate(columns)
        if len(set(values)) > 1 and _are_tickers(values)
    }
    if varying:
        named = [varying[at] for at in varying if at > 1 and SYMBOL_KEY.fullmatch(columns[at - 2][0])]
        symbol = named[0] if named else _symbol_part(list(dict.fromkeys(varying.values())))
        return [at for at, values in varying.items() if values == symbol]
    alone = [at for at, values in enumerate(columns) if len(set(values)) == 1 and SHORT.fullmatch(values[0])]
    return [at for at in alone if columns[at] == columns[alone[-1]]] if alone else []


def _symbol_part(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The part that is the symbol: the first, unless it only groups another part, like an exchange or first letter."""
    symbol = parts[0]
    for other in parts[1:]:
        symbol = other if _groups(symbol, other) else symbol
    for other in parts:
        if other != symbol and _groups(symbol, other):
            raise DataContractError(
                f"paths name {shorten(sorted({*other}))} and, always paired with the same, "
                f"{shorten(sorted({*symbol}))}: name the symbols in SYMBOLS=, or write * for the others in URI=."
            )
    return symbol


def _groups(part: Sequence[str], other: Sequence[str]) -> bool:
    """Whether each value of `other` occurs with a single value of `part`."""
    return len(set(zip(part, other, strict=True))) == len(set(other))


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
