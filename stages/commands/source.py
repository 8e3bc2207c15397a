"""The source and its bucket.

`refresh` lists the source as it is now, says what the vendor added and revised and what that would cost, and writes the
new listing, which the next runs use once it is committed. `collect-partitions` names the partitions in the bucket of
`storage.root` that no recorded run needs, and deletes them on request.

*Errors*: `DataContractError` (exit 2) if a symbol of the universe has no file, or a revised file cannot be read; the
old listing then stays.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from stages.commands.spending import tell_price
from stages.configuration.compose import present
from stages.errors import ConfigurationError, DataContractError, PipelineError
from stages.fetching.bars import parts_in
from stages.fetching.files import files_of, read_files
from stages.fetching.listing import listing_path, read_listing, write_listing
from stages.fetching.listing_history import earlier, last_run
from stages.io.clock import SystemClock
from stages.io.settings import read_params
from stages.io.terminal import say
from stages.params.source import SourceParams
from stages.params.storage import StorageParams
from stages.params.universe import UniverseParams
from stages.runs.garbage import OLDEST_RUN, delete, garbage
from stages.sources.manifest import listing_of
from stages.sources.revisions import Changes, Vendor, change_of_form, changes, months_of, revision


def refresh() -> None:
    """Params -> `conf/manifests/<source.name>.json`, its changes, and what they would cost."""
    source = read_params(SourceParams)
    universe = read_params(UniverseParams)
    before = _listed(source) if listing_path(source).exists() else []

    files = [] if source.kind == "synthetic" else files_of(source, universe.all_symbols)
    changed = changes(before, files)
    for sentence in _sentences(changed, before, source, universe.all_symbols):
        print(sentence)
    write_listing(listing_of(source, files), source)
    say(
        "refresh",
        listing=listing_path(source),
        files=len(files),
        new=len(changed.new),
        revised=len(changed.revised),
        gone=len(changed.gone),
    )
    if changed.new or changed.revised or changed.gone:
        print(f"Commit {listing_path(source)} to accept it.")
        if before:
            _tell_price()


def _listed(source: SourceParams) -> list[dict[str, Any]]:
    """The files of the present listing; none, with a note, if it is damaged."""
    try:
        files: list[dict[str, Any]] = read_listing(source)["files"]
    except DataContractError:
        print(f"{listing_path(source)} was not a listing of a source, so every file counts as new.")
        return []
    return files


def _tell_price() -> None:
    """Print what a run with the new listing would buy; if no price can be computed, print why."""
    try:
        tell_price(present() or {})
    except PipelineError as error:
        print(f"no price: {error}")


def _sentences(
    found: Changes, before: list[dict[str, Any]], source: SourceParams, symbols: Sequence[str]
) -> Iterator[str]:
    """New and gone files by period, and what changed in each revised one if its old rows are still here."""
    for title, files in (("new", found.new), ("gone", found.gone)):
        if files:
            yield f"{title}: {', '.join(months_of(files))}"
    listed = {file["uri"]: file for file in before}
    read = last_run() if found.revised else {}
    for file in found.revised:  # one file is in memory at a time
        [(_, content)] = read_files([file])
        named, of = months_of([file])[0], [file["symbol"]] if file["symbol"] else symbols
        had, has = earlier(listed[file["uri"]], of, source, read), parts_in(file, content, source, of)
        told = {one: _change(file, had.get(one), has.get(one), Vendor.of(source, one)) for one in of}
        for symbol, change in told.items():
            if change:
                yield f"revised: {named}{'' if file['symbol'] else f' {symbol}'}: {change}"
        if not any(told.values()):
            yield f"revised: {named}: another file of {file['size']} bytes, which holds no row of universe.symbols"


def _change(
    file: dict[str, Any], before: pl.DataFrame | None, after: pl.DataFrame | None, vendor: Vendor
) -> str | None:
    """What changed for a symbol in a revised file; None if it has no row before and after."""
    if before is None:
        here = f"another file of {file['size']} bytes (its old rows are not here to compare it with)"
        return None if after is None else here
    after = before.head(0) if after is None else after
    before = after.head(0) if before.is_empty() else before
    if before.is_empty() and after.is_empty():
        return None
    return change_of_form(before, after, vendor) or str(revision(before, after, vendor))


def collect_partitions(*, deleting: bool) -> None:
    """Bucket and manifests -> the names of partitions that no run needs; deleted if `deleting`."""
    root = read_params(StorageParams).root
    if root is None:
        raise ConfigurationError("storage.root is null: partitions lie in artifacts/, where `dvc gc` collects them.")
    uris, needed = garbage(root, SystemClock().now() - OLDEST_RUN)
    for uri in uris:
        print(f"  {uri}")
    if deleting and uris:
        delete(uris)
    say("collect_partitions", needed=needed, garbage=len(uris), deleted=len(uris) if deleting else 0)
