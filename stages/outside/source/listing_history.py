"""How a source's listing changed from commit to commit, and since the last one: git is the record of revisions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.outside.git import git
from stages.outside.source.listing import listing_path
from stages.sources.params import SourceParams
from stages.sources.revisions import Changes, changes

NOT_COMMITTED = "not committed"


@dataclass(frozen=True)
class Relisted:
    """One change of a listing: the commit and its day, or that it is none yet."""

    commit: str
    day: str
    changes: Changes


def relisted(source: SourceParams) -> list[Relisted]:
    """Every change after the first listing of this branch that touched a file, oldest first, the workspace last."""
    path = listing_path(source)
    steps, before = [], None
    for commit, day, text in _versions(path):
        after: list[dict[str, Any]] = json.loads(text)["files"]
        if before is not None:
            steps.append(Relisted(commit, day, changes(before, after)))
        before = after
    return [one for one in steps if one.changes.new or one.changes.revised or one.changes.gone]


def _versions(path: Path) -> Iterator[tuple[str, str, str]]:
    """Commit, day and content, oldest first; what lies in the workspace is the last."""
    for line in git(
        "log", "--reverse", "--date=short", "--format=%h %cd", "--diff-filter=AM", "--", str(path)
    ).splitlines():
        commit, day = line.split()
        yield commit, day, git("show", f"{commit}:./{path}")
    if path.exists():
        yield NOT_COMMITTED, "", path.read_text(encoding="utf-8")
