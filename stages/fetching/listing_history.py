"""The history of a source's listing in git, and the earlier content of revised files.

Git records the revisions. The earlier content of a revised file is available in two cases: a remote file is kept under
its old md5, and for a local file the bars of the last run remain, if that run listed exactly this file.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from stages.fetching.bars import parts_in
from stages.fetching.files import kept
from stages.fetching.listing import LISTINGS
from stages.io.files import read_frame, read_json
from stages.io.workspace import git
from stages.params.source import SourceParams
from stages.sources.revisions import Changes, Vendor, changes, of_period

NOT_COMMITTED = "not committed"


@dataclass(frozen=True)
class Relisted:
    """One change of a listing: the commit and its day, or "not committed"."""

    commit: str
    day: str
    changes: Changes


def relisted(source: str) -> list[Relisted]:
    """Every later listing of a source on this branch that changed a file; oldest first, the workspace last."""
    steps, before = [], None
    for commit, day, text in _versions(LISTINGS / f"{source}.json"):
        try:
            after: list[dict[str, Any]] = json.loads(text)["files"]
        except (ValueError, TypeError, KeyError):  # for instance with the marks of a merge conflict
            continue
        if before is not None:
            steps.append(Relisted(commit, day, changes(before, after)))
        before = after
    return [one for one in steps if one.changes.new or one.changes.revised or one.changes.gone]


def _versions(path: Path) -> Iterator[tuple[str, str, str]]:
    """Commit, day and content, oldest first; the workspace is the last."""
    for line in git(
        "log", "--reverse", "--date=short", "--format=%h %cd", "--diff-filter=AM", "--", str(path)
    ).splitlines():
        commit, day = line.split()
        yield commit, day, git("show", f"{commit}:./{path}")
    if path.exists():
        yield NOT_COMMITTED, "", path.read_text(encoding="utf-8")


MANIFEST = Path("artifacts/list_source/manifest.json")
FETCHED = Path("artifacts/fetch_bars/bars")
Place = tuple[str | None, str | None, str | None]
FilesByPlace = dict[Place, list[dict[str, Any]]]


def last_run() -> FilesByPlace:
    """The files that the last run read, by symbol and period."""
    found: FilesByPlace = {}
    for file in read_json(MANIFEST)["files"] if FETCHED.exists() and MANIFEST.exists() else []:
        found.setdefault(_place(file), []).append(file)
    return found


def earlier(
    file: dict[str, Any], symbols: Sequence[str], source: SourceParams, read: FilesByPlace
) -> dict[str, pl.DataFrame]:
    """The rows of each symbol in an earlier version of a file, as a frame without columns if it had none.

    `read` are the files of the last run. A symbol is left out if its old rows are gone, or mixed with other files'.
    """
    if (content := kept(file)) is not None:
        parts = parts_in(file, content, source, symbols)
        return {symbol: parts.get(symbol, pl.DataFrame()) for symbol in symbols}
    if read.get(_place(file)) != [file]:
        return {}
    fetched = {symbol: FETCHED / f"{symbol}.parquet" for symbol in symbols}
    return {
        symbol: _of_file(file, read_frame(path), Vendor.of(source, symbol))
        for symbol, path in fetched.items()
        if path.exists()
    }


def _of_file(file: dict[str, Any], bars: pl.DataFrame, vendor: Vendor) -> pl.DataFrame:
    return of_period(bars, file.get("day") or file["month"], vendor) if vendor.has_stamps(bars) else bars


def _place(file: dict[str, Any]) -> Place:
    return file.get("symbol"), file.get("month"), file.get("day")
