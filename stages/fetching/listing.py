"""The committed listing of a source: which files a run may read.

*Errors*: `DataContractError` if the source has no listing yet.
"""

from pathlib import Path
from typing import Any

from stages.errors import DataContractError
from stages.io.files import read_json, write_json
from stages.params.source import SourceParams
from stages.sources.manifest import is_listing

LISTINGS = Path("conf/manifests")


def read_listing(source: SourceParams) -> Any:
    """The listing `conf/manifests/<source.name>.json`."""
    path = listing_path(source)
    if not path.exists():
        raise DataContractError(
            f"{path} is missing: run `make refresh`, which lists the source that source.name names."
        )
    try:
        listing = read_json(path)
    except DataContractError:  # for instance with the marks of a merge conflict
        listing = None
    if not is_listing(listing):
        raise DataContractError(f"{path} is not a listing of a source: `make refresh` writes it again.")
    return listing


def write_listing(listing: dict[str, Any], source: SourceParams) -> None:
    """Replace the listing. It becomes valid for all clones when it is committed."""
    write_json(listing, listing_path(source))


def listing_path(source: SourceParams) -> Path:
    """Path of the listing of this source."""
    return LISTINGS / f"{source.name}.json"
