"""Stage `list_source`: the validated study, and its files, selected from the committed listing of its source.

Every run begins here, so the whole study, with the features and lists that it names, is validated here, however params
were changed. Stages that need all of it read what is written here. Stage `forecast` validates section `api` before it
buys.
"""

from pathlib import Path

from stages.features.catalogue import require_buildable
from stages.features.context import Context
from stages.fetching.listing import read_listing
from stages.io.dated_files import require_lists
from stages.io.files import write_json, write_text
from stages.io.settings import read_document, read_params
from stages.io.terminal import run, say
from stages.params.storage import StorageParams
from stages.params.study import StageStudy
from stages.questions.schedule import require_exogenous
from stages.sources.manifest import select

STUDY = Path("artifacts/list_source/study.json")
MANIFEST = Path("artifacts/list_source/manifest.json")


def main() -> None:
    """Params and listing -> the study, and the manifest that pins every byte this run may read."""
    study = StageStudy.parse(read_document())
    source, near = study.source, study.universe
    require_buildable(study.features, Context(near.context_symbol, others=near.context_symbols))
    require_exogenous(study.requests)
    require_lists(study.features, study.quality)
    read_params(StorageParams)

    manifest = select(read_listing(source), source, near)

    write_text(study.written(), STUDY)
    write_json(manifest, MANIFEST)
    say("list_source", source=source.name, files=len(manifest["files"]))


if __name__ == "__main__":
    run(main)
