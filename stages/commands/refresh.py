"""`make refresh`: list the source as it is now and write the listing that pins the next runs.

*Errors*: `DataContractError` if a symbol of the universe has no file at all; the old listing then stays as it was.
"""

from stages.errors import DataContractError
from stages.outside.entry import run, say
from stages.outside.listing import listing_path, write_listing
from stages.outside.progress import progress
from stages.outside.reaching import try_the_way
from stages.outside.settings import read_params
from stages.outside.source_files import find_files
from stages.sources.manifest import listing_of
from stages.sources.params import SourceParams
from stages.universe.params import UniverseParams


def main() -> None:
    """Params -> `conf/manifests/<source.name>.json`."""
    source = read_params(SourceParams)
    universe = read_params(UniverseParams)

    if source.kind == "gcs":
        try_the_way(source.uri_template or "")
    files = []
    for symbol in progress([] if source.kind == "synthetic" else universe.all_symbols, "listing"):
        found = find_files(source.uri_template or "", symbol)
        if not found:
            raise DataContractError(
                f"source {source.name} holds no file for symbol {symbol!r} under source.uri_template "
                f"{source.uri_template!r}: correct the template, or take the symbol out of universe."
            )
        files += found

    write_listing(listing_of(source, files), source)
    say("refresh", listing=listing_path(source), files=len(files))


if __name__ == "__main__":
    run(main)
