"""`make refresh`: list the source as it is now, say what the vendor added and revised, and write the new listing.

The listing pins the next runs once it is committed; `make plan` then says what must be asked again, and at what price.
*Errors*: `DataContractError` if a symbol of the universe has no file at all; the old listing then stays as it was.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.errors import DataContractError
from stages.outside.entry import run, say
from stages.outside.files import read_frame
from stages.outside.progress import progress
from stages.outside.settings import read_params
from stages.outside.source.bucket import read_frames
from stages.outside.source.listing import listing_path, read_listing, write_listing
from stages.outside.source.reaching import try_the_way
from stages.outside.source.source_files import find_files
from stages.sources.manifest import listing_of
from stages.sources.params import SourceParams
from stages.sources.revisions import change_of_form, changes, revision
from stages.universe.params import UniverseParams

FETCHED = Path("artifacts/fetch_bars/bars")


def main() -> None:
    """Params -> `conf/manifests/<source.name>.json`, and what is different in it."""
    source = read_params(SourceParams)
    universe = read_params(UniverseParams)
    before = read_listing(source)["files"] if listing_path(source).exists() else []

    files = [] if source.kind == "synthetic" else _found(source, universe)
    found = changes(before, files)
    write_listing(listing_of(source, files), source)

    for sentence in _told(found.revised, source):
        print(sentence)
    say(
        "refresh",
        listing=listing_path(source),
        files=len(files),
        new=len(found.new),
        revised=len(found.revised),
        gone=len(found.gone),
    )
    if found.revised or found.new or found.gone:
        print(f"Commit {listing_path(source)} to accept it; `make plan` prices the questions it changes.")


def _found(source: SourceParams, universe: UniverseParams) -> list[dict[str, Any]]:
    """Every file of the universe's symbols, all months that the source holds."""
    template = source.uri_template or ""
    try_the_way(template)
    files = []
    for symbol in progress(universe.all_symbols, "listing"):
        of_symbol = find_files(template, symbol)
        if not of_symbol:
            raise DataContractError(
                f"source {source.name} holds no file for symbol {symbol!r} under source.uri_template {template!r}: "
                "correct the template, or take the symbol out of universe."
            )
        files += of_symbol
    return files


def _told(revised: list[dict[str, Any]], source: SourceParams) -> Iterator[str]:
    """A sentence on each revised file; what changed in it only where the last run left bars to compare with."""
    vendor = {ours: theirs for theirs, ours in source.aliases.items()}
    for file, after in read_frames(revised):
        title = f"revised: {file['symbol']} {file['month'] or ''}".rstrip()
        fetched = FETCHED / f"{file['symbol']}.parquet"
        if not fetched.exists():
            yield f"{title}: another file of {file['size']} bytes (no earlier bars here to compare it with)"
            continue
        before, names = read_frame(fetched), (vendor.get("ts", "ts"), vendor.get("close", "close"))
        yield f"{title}: {change_of_form(before, after) or revision(before, after, *names)}"


if __name__ == "__main__":
    run(main)
