"""Inspection of a vendor's files: the form of their names and columns, and a sample of one symbol's rows.

A sample is at most 40 files, fewer where they are large, spread evenly over the span with both ends included.
*Errors*: `DataContractError` where nothing is found, or where the form is ambiguous; it says what to state.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.errors import DataContractError, at_work_on, shorten
from stages.fetching.bars import joined, parts_in
from stages.fetching.formats import collect, declared, first_lines, format_of, iso_format, lines_within, scan
from stages.io.bucket_access import explain_errors, open_uri, preflight
from stages.io.workspace import main_root
from stages.params.path_template import SYMBOLS, fields_in, fields_of, literal, root_of
from stages.params.section import parse
from stages.params.source import ONE_HEADER, SYMBOL, SourceParams
from stages.sources.columns import columns_of, price_scale_of, unit_of
from stages.sources.csv_form import SEPARATORS, cells_of, csv_of, is_row, stamp_format_of
from stages.sources.layout import NO_BARS, TICKER, Layout, holds_symbol, layout_of, spread
from stages.sources.symbol_parts import symbol_column
from stages.tables.market import PRICES

if TYPE_CHECKING:
    import fsspec

HEAD, LINES = 1000, 200  # lines at the beginning, and spread over a file
MANY, MOST_TRADED = 12, 5
Facts = dict[str, Any]
UNSTATED: Facts = {
    "name": "inspected", "aliases": {}, "zone": None, "bar_label": "start", "bar_label_trusted": False, "unit": None,
    "price_scale": 1.0, "stamp_format": None, "csv": None, "renames": {}, "synthetic": None,
}  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """What was found: keys of section `source`, the symbols, a sample of the first symbol, and the evidence by key."""

    source: SourceParams
    symbols: tuple[str, ...]
    sample: pl.DataFrame
    evidence: dict[str, str]


@dataclass(frozen=True)
class _Folder:
    """A folder and the files below it, by name, with their sizes in bytes."""

    uri: str
    filesystem: "fsspec.AbstractFileSystem"
    path: str
    names: Mapping[str, int]

    def read(self, name: str) -> bytes:
        with explain_errors(f"{self.uri}/{name}"):
            return bytes(self.filesystem.cat_file(f"{self.path}/{name}"))

    def template(self, form: str) -> str:
        """The template of a name form within this folder."""
        return f"{literal(self.uri)}/{form}" if self.uri else form


def inspect(uri: str, symbols: Sequence[str] = (), aliases: Mapping[str, str] | None = None) -> Inspection:
    """Inspect a folder, a file or a template. Symbols and aliases that are stated are not inferred."""
    folder, form = _opened(uri.rstrip("/"))
    layout = _layout(folder.names, form, symbols)
    names = [name for name in folder.names if _follows(layout, name)]
    first, content = _with_rows(folder, names)
    last = folder.read(names[-1]) if names[-1] != first and format_of(first) == "CSV" else b""
    with at_work_on(first):
        of_paths = layout.symbols if symbols or len(layout.symbols) > 1 else ()
        dialect, rows, evidence, wide = _dialect(first, content, last, aliases or {}, of_paths)
    kind = "gcs" if uri.startswith("gs://") else "parquet"

    def source_of(template: str) -> SourceParams:
        stated = UNSTATED | dialect | {"kind": kind, "uri_template": folder.template(template)}
        return parse(SourceParams, {"source": stated})

    source = source_of(layout.template)
    column = symbol_column(rows.columns, source)
    if column and layout.symbols:
        layout, is_read = _held_against(layout, first, {*rows[column].cast(pl.String).drop_nulls()}, source)
        if not is_read:
            dialect["aliases"].pop(column, None)
            evidence["aliases"] = evidence["aliases"].replace(f"{column} is symbol", f"{column} is not read")
        source = source_of(layout.template)
    if symbols and form is None and source.many_in_a_file and not (column or wide):
        _require_one_symbol(folder.names, symbols)
    chosen = tuple(symbols) or _largest(folder, layout) or wide or _most_traded(first, content, source)
    whose = None if source.many_in_a_file else chosen[0]
    files = [name for name in folder.names if fields_of(layout.template, name, whose) is not None]
    parts = [
        parts_in({"uri": name, "symbol": whose}, folder.read(name), source, chosen[:1]).get(chosen[0])
        for name in spread(files, folder.names)
    ]
    sample = [part for part in parts if part is not None]
    if not sample:
        raise DataContractError(f"{folder.uri} holds no row of {chosen[0]}: set SYMBOLS= to symbols that it holds.")
    evidence_of = {"uri_template": layout.description} | evidence | {"symbols": shorten(chosen)}
    return Inspection(source, chosen, joined(chosen[0], *sample)[0], evidence_of)


def _held_against(layout: Layout, first: str, named: Set[str], source: SourceParams) -> tuple[Layout, bool]:
    """The layout, and whether the column that names these symbols is to be read: a path may name another, or none."""
    of_path = _symbol_in(fields_of(layout.template, first) or {})
    if named == {of_path} or (named & {*layout.symbols} and len(layout.symbols) > 1):
        return layout, True
    if all(holds_symbol(one, of_path) for one in named):
        return layout, False
    if len(layout.symbols) > 1:
        raise DataContractError(
            f"paths name {shorten(layout.symbols)}, but rows of {first} name {shorten(sorted(named))}: correct the "
            "rows, or write * in URI= for those in paths if they are not symbols."
        )
    if source.csv and source.csv.columns and len(named) == 1:
        raise DataContractError(
            f"the path names {of_path}, but an unnamed column {min(named)}: set SYMBOLS= to the symbol of the rows."
        )
    return layout.without_symbol(), True  # with one path, the part that looked like a symbol is a plain word


def _with_rows(folder: _Folder, names: Sequence[str]) -> tuple[str, bytes]:
    """The first file and its content; the largest where that holds no row, as on days before a symbol was listed."""
    content = folder.read(names[0])
    if format_of(names[0]) == "CSV":
        lines = first_lines(names[0], content, HEAD)
        empty = not any(is_row(cells_of(line, separator)) for line in lines for separator in SEPARATORS)
    else:
        empty = _rows_of(names[0], content).is_empty()
    if not empty:
        return names[0], content
    largest = max(names, key=lambda name: folder.names[name])
    return largest, folder.read(largest)


def _rows_of(name: str, content: bytes) -> pl.DataFrame:
    """All rows of a file that declares its columns, as they are."""
    return collect(name, partial(declared, name, content))


def _opened(place: str) -> tuple[_Folder, str | None]:
    """The folder that holds the files, and the template within it if one was given."""
    root = root_of(place)[0] if fields_in(place) or "*" in place else place
    form = place.removeprefix(f"{root}/") if root != place else None
    preflight(f"{root}/{{symbol}}")
    filesystem, path = open_uri(root, main_root())
    with explain_errors(root):
        files = {name: int(facts["size"]) for name, facts in sorted(filesystem.find(path, detail=True).items())}
    if [*files] == [path]:  # a file
        root, _, name = root.rpartition("/")
        return _Folder(root, filesystem, path.rpartition("/")[0], {name: files[path]}), _form_of(name)
    inside = {name.removeprefix(path.rstrip("/") + "/"): size for name, size in files.items()}
    inside = {name: size for name, size in inside.items() if not NO_BARS.search(name)}
    if not inside:
        raise DataContractError(f"there is no file under {place}: set URI= to the folder of your bars.")
    return _Folder(root, filesystem, path, inside), form


def _form_of(name: str) -> str:
    """The template of a single file: its symbol may vary, its date does not."""
    form = layout_of([name]).template
    for field, value in (fields_of(form, name) or {}).items():
        form = form if field in SYMBOLS else form.replace(f"{{{field}}}", value)
    return form


def _layout(names: Mapping[str, int], form: str | None, symbols: Sequence[str]) -> Layout:
    """The layout by the stated template, or of most names; a tie goes to the largest file, as manuals are small."""
    if form is None:
        return layout_of(sorted(names, key=lambda name: -names[name]), symbols)
    fitting = [found for name in names if (found := fields_of(form, name)) is not None]
    if not fitting:
        raise DataContractError(f"none of {shorten([*names])} fits {form}: correct the template in URI=.")
    named = {_symbol_in(found) for found in fitting} - {""}
    return Layout(form, tuple(sorted(named)), len(fitting), len(names))


def _symbol_in(named: Mapping[str, str]) -> str:
    return (named.get("symbol") or named.get("symbol_lower") or "").upper()


def _follows(layout: Layout, name: str) -> bool:
    """Whether a file is one of the layout's, and of one of its symbols."""
    named = fields_of(layout.template, name)
    return named is not None and (not layout.symbols or _symbol_in(named) in layout.symbols)


def _dialect(
    name: str, content: bytes, last: bytes, stated: Mapping[str, str], of_paths: Collection[str]
) -> tuple[Facts, pl.DataFrame, dict[str, str], tuple[str, ...]]:
    """Columns, units and form of a file; some of its rows; the evidence; symbols that its columns are named after.

    The form of stamps is read from lines of the whole file and of the `last` one: many a day is a month too.
    """
    facts: Facts = {}
    csv = None
    if format_of(name) == "CSV":
        csv, rows = csv_of(first_lines(name, content, HEAD), of_paths)
        facts["csv"] = None if csv == ONE_HEADER else csv.model_dump()
    else:
        rows = _rows_of(name, content)
    _require_columns(name, rows.columns, stated)
    columns = columns_of(rows.rename({theirs: ours for theirs, ours in stated.items() if theirs in rows}))
    aliases = columns.aliases
    if facts.get("csv") and facts["csv"]["columns"]:  # without a header we name the columns
        facts["csv"]["columns"] = [aliases.get(name, name) for name in rows.columns]
        rows, aliases = rows.rename(aliases), {}
    theirs = {ours: vendors for vendors, ours in stated.items()}
    facts["aliases"] = {theirs.get(column, column): ours for column, ours in aliases.items()} | dict(stated)
    evidence = {"aliases": columns.evidence}
    vendors = {ours: column for column, ours in facts["aliases"].items()}
    known = {*vendors} | ({*rows.columns} - {*facts["aliases"]})
    if missing := {*PRICES, "volume", *(() if {"date", "time"} <= known else ("ts",))} - known:
        raise DataContractError(f"with ALIASES {name} has no column for {shorten(sorted(missing))}: correct them.")
    of_first = {ours: column.replace("{symbol}", (columns.symbols or ("",))[0]) for ours, column in vendors.items()}
    prices = rows[of_first.get("close", "close")].cast(pl.Float64, strict=False)
    facts["price_scale"], evidence["price_scale"] = price_scale_of(prices)
    stamped = rows
    if csv:
        cells = [cells_of(line, csv.separator) for file in (content, last) for line in lines_within(file, LINES)]
        more = [row for row in cells if len(row) == rows.width and is_row(row)]
        stamped = pl.concat([rows, pl.DataFrame(more, schema=rows.schema, orient="row")])
    facts |= _stamps(stamped, of_first, evidence)
    return facts, rows, {key: why for key, why in evidence.items() if why}, columns.symbols


def _require_one_symbol(names: Collection[str], symbols: Sequence[str]) -> None:
    """Raise where none of the stated symbols stands in the files' names, but several others do."""
    others = layout_of([*names]).symbols
    if len(others) > 1:
        raise DataContractError(
            f"no file is named after {shorten(symbols)}; files are named after {shorten(others)}: correct SYMBOLS=, "
            "or write * in URI= for these names if they are not symbols."
        )


def _require_columns(name: str, columns: Sequence[str], stated: Mapping[str, str]) -> None:
    """Raise where a stated alias fits no column, or a column that has our name already."""
    for theirs, ours in stated.items():
        if SYMBOL not in theirs and theirs not in columns:
            raise DataContractError(f"ALIASES names {theirs!r}, but {name} has only {list(columns)}: correct it.")
        if ours in columns and theirs != ours:
            raise DataContractError(
                f"ALIASES names {theirs!r} for {ours!r}, but {name} has both: remove it, or rename one at the source."
            )


def _stamps(rows: pl.DataFrame, names: Mapping[str, str], evidence: dict[str, str]) -> Facts:
    """Unit, format and zone of the stamps, where they show it."""
    if "date" in names or ("date" in rows and "time" in rows and "ts" not in names):
        parts = (names.get("date", "date"), names.get("time", "time"))
        stamps = rows.select(pl.concat_str(*parts, separator=" ")).to_series()
    else:
        stamps = rows[names.get("ts", "ts")]
    if stamps.dtype.is_integer() or (stamps.dtype == pl.String and stamps.drop_nulls().str.contains(r"^\d{9,}$").all()):
        unit, evidence["unit"] = unit_of(stamps.drop_nulls()[0])
        return {"unit": unit}
    if stamps.dtype == pl.String and iso_format(str(stamps.drop_nulls()[0])) is None:
        form, zone = stamp_format_of(stamps)
        evidence["stamp_format"] = f"{form}: the first stamp is {stamps.drop_nulls()[0]}"
        return {"stamp_format": form, "zone": zone}
    return {}


def _largest(folder: _Folder, layout: Layout) -> tuple[str, ...]:
    """Symbols named in paths: all, or of very many those with the most bytes."""
    if len(layout.symbols) <= MANY:
        return layout.symbols
    sizes: Counter[str] = Counter()
    for name in filter(partial(_follows, layout), folder.names):
        sizes[_symbol_in(fields_of(layout.template, name) or {})] += folder.names[name]
    return tuple(sorted(symbol for symbol, _ in sizes.most_common(MOST_TRADED)))


def _most_traded(name: str, content: bytes, source: SourceParams) -> tuple[str, ...]:
    """Symbols in a file of many: all, or of very many those with the highest dollar turnover in it."""
    rows = collect(name, partial(scan, name, content, source))
    column = symbol_column(rows.columns, source)
    if column is None:
        raise DataContractError(
            f"neither the path nor a column of {rows.columns} names a symbol: if one holds symbols, name it, "
            'ALIASES="COLUMN=symbol"; if all rows are of one symbol, set SYMBOLS= to it.'
        )
    theirs = {ours: vendors for vendors, ours in source.aliases.items()}
    close, volume = (pl.col(theirs.get(ours, ours)).cast(pl.Float64, strict=False) for ours in ("close", "volume"))
    order = rows.group_by(symbol=pl.col(column).cast(pl.String)).agg(turnover=(close * volume).sum())
    shares = order.filter(pl.col("symbol").str.contains(f"^{TICKER.pattern}$"))
    shares = shares.sort("turnover", "symbol", descending=True)
    if shares.is_empty():
        raise DataContractError(
            f"column {column!r} names {shorten(sorted(map(str, order['symbol'])))}, and none is a symbol like AAPL "
            "or BRK.B: write symbols like these at the source."
        )
    return tuple(sorted(shares["symbol"].head(shares.height if shares.height <= MANY else MOST_TRADED)))
