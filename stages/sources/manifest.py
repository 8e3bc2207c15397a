"""Which files a run may read: the committed listing of a source, cut to the universe and its months.

*Tables*: listing and manifest are JSON: `schema_version, source, kind, uri_template, files`, each file `uri, symbol,
month, size, md5` and, in a bucket, `generation`; the manifest also names its `symbols`. Sorted by symbol and month.
*Errors*: `DataContractError` if the listing was made for another template or lacks a symbol or month.
"""

from typing import Any

from stages.errors import DataContractError
from stages.sources.params import SourceParams
from stages.sources.template import months
from stages.universe.params import UniverseParams

SCHEMA_VERSION = 1
RENEW = "`make refresh` lists the source anew"


def listing_of(source: SourceParams, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The listing that `make refresh` commits."""
    return {
        "schema_version": SCHEMA_VERSION,
        "source": source.name,
        "kind": source.kind,
        "uri_template": source.uri_template,
        "files": sorted(files, key=lambda file: (file["symbol"], file["month"] or "")),
    }


def select(listing: dict[str, Any], source: SourceParams, universe: UniverseParams) -> dict[str, Any]:
    """The listing's files for the symbols and months of the universe; made-up bars need no file."""
    for key, wanted in (("source", source.name), ("kind", source.kind), ("uri_template", source.uri_template)):
        if listing.get(key) != wanted:
            raise DataContractError(
                f"conf/manifests/{source.name}.json was made for {key} {listing.get(key)!r}, "
                f"but source says {wanted!r}: {RENEW}."
            )
    symbols = universe.all_symbols
    files = [] if source.kind == "synthetic" else _files(listing["files"], source, universe)
    return listing | {"symbols": list(symbols), "files": files}


def _files(listed: list[dict[str, Any]], source: SourceParams, universe: UniverseParams) -> list[dict[str, Any]]:
    wanted = months(source.uri_template or "", universe.first_session, universe.last_session)
    found = {(file["symbol"], file["month"]): file for file in listed}
    known = sorted({symbol for symbol, _ in found})
    for symbol in universe.all_symbols:
        if symbol not in known:
            raise DataContractError(
                f"no file for symbol {symbol!r} in conf/manifests/{source.name}.json, which knows {known}: take it out "
                f"of universe, or correct source.uri_template {source.uri_template!r}; {RENEW}."
            )
        if missing := [str(month) for month in wanted if (symbol, month) not in found]:
            raise DataContractError(
                f"conf/manifests/{source.name}.json holds no file of {symbol} for {', '.join(missing)}: narrow "
                f"universe.first_session ({universe.first_session}) and universe.last_session "
                f"({universe.last_session}), or get the files; {RENEW}."
            )
    return [found[symbol, month] for symbol in universe.all_symbols for month in wanted]
