"""Stage `list_source`: the files of this study, selected from the committed listing of its source."""

from pathlib import Path

from stages.fetching.listing import read_listing
from stages.io.files import write_json
from stages.io.settings import read_params
from stages.io.terminal import run, say
from stages.params.source import SourceParams
from stages.params.universe import UniverseParams
from stages.sources.manifest import select

MANIFEST = Path("artifacts/list_source/manifest.json")


def main() -> None:
    """Listing, source and universe -> the manifest that pins every byte this run may read."""
    source = read_params(SourceParams)
    universe = read_params(UniverseParams)

    manifest = select(read_listing(source), source, universe)

    write_json(manifest, MANIFEST)
    say("list_source", source=source.name, files=len(manifest["files"]))


if __name__ == "__main__":
    run(main)
