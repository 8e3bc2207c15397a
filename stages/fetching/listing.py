"""The committed listing of a source: the lock that says which files a run may read.

*Errors*: `DataContractError` if no listing was made for this source yet.
"""

from pathlib import Path
from typing import Any

from stages.errors import DataContractError
from stages.io.files import read_json, write_json
from stages.params.source import SourceParams

LISTINGS = Path("conf/manifests")


def read_listing(source: SourceParams) -> Any:
    """The listing `conf/manifests/<source.name>.json`."""
    path = listing_path(source)
    if not path.exists():
        raise DataContractError(f"{path} is missing: `make refresh` lists the source named by source.name.")
    return read_json(path)


def write_listing(listing: dict[str, Any], source: SourceParams) -> None:
    """Put a new listing in the place of the old one; commit it to make it the lock."""
    write_json(listing, listing_path(source))


def listing_path(source: SourceParams) -> Path:
    """Where the listing of this source lies."""
    return LISTINGS / f"{source.name}.json"
