"""What a listed file held before the vendor revised it, as far as anything here still knows.

A file of a remote source lies in the store under its old md5; of a local one there are the bars that the last run
fetched, if that run listed this very file.
"""

import io
from pathlib import Path
from typing import Any

import polars as pl

from stages.outside.files import read_frame, read_json
from stages.outside.source.source_store import kept
from stages.sources.revisions import Vendor, of_month

MANIFEST = Path("artifacts/list_source/manifest.json")
FETCHED = Path("artifacts/fetch_bars/bars")


def earlier(file: dict[str, Any], vendor: Vendor) -> pl.DataFrame | None:
    """The rows of a file as it was listed; None where they are gone."""
    if (content := kept(file)) is not None:
        return pl.read_parquet(io.BytesIO(content))
    fetched = FETCHED / f"{file['symbol']}.parquet"
    if not (fetched.exists() and MANIFEST.exists() and file in read_json(MANIFEST)["files"]):
        return None
    bars = read_frame(fetched)
    return of_month(bars, file["month"], vendor) if isinstance(bars.schema.get(vendor.ts), pl.Datetime) else bars
