"""The manifest: the files a run may read, selected from the committed listing of its source by universe and months.

*Tables*: listing and manifest are JSON: `schema_version, source, kind, uri_template, files`, each file `uri, symbol,
month, size, md5` and, in a bucket, `generation`; the manifest also has its `symbols`. `symbol` is null where a file
holds many; `day` is there where the template names days, `ticker` where a file has a symbol's earlier name. Sorted by
symbol, period and uri; several files may hold parts of one period.
*Errors*: `DataContractError` if the listing was made for another template or lacks a symbol or month.
"""

from collections import defaultdict
from datetime import date, datetime, time
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError

from stages.errors import DataContractError, shorten
from stages.params.path_template import months
from stages.params.source import SourceParams
from stages.params.universe import UniverseParams
from stages.tables.market import NEW_YORK, REGULAR_CLOSE, REGULAR_OPEN


class _File(BaseModel):
    uri: str
    symbol: str | None
    month: str | None
    size: int
    md5: str | None
    generation: str = ""
    day: str = ""
    ticker: str = ""


class _Listing(BaseModel):
    source: str
    kind: str
    uri_template: str | None
    files: list[_File]


SCHEMA_VERSION = 1
RENEW = "`make refresh` lists the source again"


def listing_of(source: SourceParams, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The listing that `make refresh` commits."""
    return {
        "schema_version": SCHEMA_VERSION,
        "source": source.name,
        "kind": source.kind,
        "uri_template": source.uri_template,
        "files": sorted(files, key=_order),
    }


def is_listing(document: Any) -> bool:
    """Whether a document has the form of a listing."""
    try:
        _Listing.model_validate(document)
    except ValidationError:
        return False
    return True


def select(listing: dict[str, Any], source: SourceParams, universe: UniverseParams) -> dict[str, Any]:
    """The listing's files for the symbols and months of the universe; artificial bars need no file."""
    for key, wanted in (("source", source.name), ("kind", source.kind), ("uri_template", source.uri_template)):
        if listing.get(key) != wanted:
            raise DataContractError(
                f"conf/manifests/{source.name}.json was made for {key} {listing.get(key)!r}, but params state "
                f"{wanted!r} (source.{key}): {RENEW}."
            )
    symbols = universe.all_symbols
    files = [] if source.kind == "synthetic" else _files(listing["files"], source, universe)
    return listing | {"symbols": list(symbols), "files": files}


def place_of(file: dict[str, Any]) -> str:
    """The symbol and period of a listed file: `AAPL 2024-03`; of a file of many symbols the period or the uri."""
    period = file.get("day") or file["month"]
    return " ".join(filter(None, (file["symbol"], period))) or str(file["uri"])


def _files(listed: list[dict[str, Any]], source: SourceParams, universe: UniverseParams) -> list[dict[str, Any]]:
    template = source.uri_template or ""
    first, last = (_dated(session, REGULAR_OPEN, source) for session in (universe.first_session, universe.last_session))
    wanted, end = months(template, first, last), _dated(universe.last_session, REGULAR_CLOSE, source)
    found = defaultdict(list)
    for file in listed:
        if str(first) <= file.get("day", str(end)) <= str(end):
            found[file["symbol"], file["month"]].append(file)
    symbols: tuple[str | None, ...] = (None,) if source.many_in_a_file else universe.all_symbols
    known = sorted({file["symbol"] for file in listed if file["symbol"]})
    for symbol in symbols:
        if symbol is not None and symbol not in known:
            raise DataContractError(
                f"no file for symbol {symbol!r} in conf/manifests/{source.name}.json, which lists {shorten(known)}: "
                f"remove it from universe.symbols, or correct source.uri_template {source.uri_template!r}; {RENEW}."
            )
        if missing := [str(month) for month in wanted if not found[symbol, month]]:
            of_symbol = "" if symbol is None else f" of {symbol}"
            raise DataContractError(
                f"conf/manifests/{source.name}.json holds no file{of_symbol} for {shorten(missing)}: narrow "
                f"universe.first_session ({universe.first_session}) and universe.last_session "
                f"({universe.last_session}), or get the files; {RENEW}."
            )
    read = months(template, first, end)
    return [file for symbol in symbols for month in read for file in sorted(found[symbol, month], key=_order)]


def _dated(session: date, clock: time, source: SourceParams) -> date:
    """The vendor's date, by which files are named, at a New York time: in Tokyo, 16:00 is on the next day."""
    instant = pl.Series([datetime.combine(session, clock)]).dt.replace_time_zone(NEW_YORK)
    day: date = instant.dt.convert_time_zone(source.zone or NEW_YORK).dt.date()[0]
    return day


def _order(file: dict[str, Any]) -> tuple[str, ...]:
    return file["symbol"] or "", file["month"] or "", file.get("day", ""), str(file["uri"])
