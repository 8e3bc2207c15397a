"""What a listed file held before the vendor revised it, as far as anything here still knows.

A file of a remote source lies in the store under its old md5; of a local one there are the bars that the last run
fetched, if that run listed this very file.
"""

from pathlib import Path
from typing import Any

import polars as pl

from stages.outside.files import read_frame, read_json
from stages.outside.source.bucket import parts_in
from stages.outside.source.source_store import kept
from stages.sources.params import SourceParams
from stages.sources.revisions import Vendor, of_period

MANIFEST = Path("artifacts/list_source/manifest.json")
FETCHED = Path("artifacts/fetch_bars/bars")


def earlier(file: dict[str, Any], symbol: str, source: SourceParams) -> pl.DataFrame | None:
    """The rows of a symbol in a file as it was listed; None where they are gone."""
    if (content := kept(file)) is not None:
        return parts_in(file, content, source, [symbol]).get(symbol)
    fetched = FETCHED / f"{symbol}.parquet"
    if not (fetched.exists() and MANIFEST.exists() and file in read_json(MANIFEST)["files"]):
        return None
    bars, vendor = read_frame(fetched), Vendor.of(source, symbol)
    return of_period(bars, file.get("day") or file["month"], vendor) if vendor.has_stamps(bars) else bars
