"""Earlier openings of the holdout.

Openings are commits of params.yaml, so git records them: an id that was ever committed in `split.open_holdout` with the
same source counts, even if it was removed later, on any branch or experiment, merged ones included. An opening of one
month is named `<strategy id> for <month>`.
"""

from collections.abc import Iterator
from typing import Any

from stages.io.settings import PARAMS, sections_in
from stages.io.workspace import git
from stages.runs.trial_log import logged_openings

OPENED = r"open_holdout:|^ +'?[0-9]{4}-[0-9]{2}'?:"  # the key, and one line a month below it


def openings_of(source: str) -> dict[str, str]:
    """Opening -> where it is recorded: a commit, or the trial log if it was never committed.

    A month that was opened as part of the whole holdout is not a separate opening.
    """
    committed = {name: f"commit {commit}" for name, commit in earlier_openings(source).items()}
    logged = (_named(name, month) for name, month in logged_openings(source) if name not in committed)
    return committed | {name: "trial log" for name in logged if name not in committed}


def earlier_openings(source: str) -> dict[str, str]:
    """Opening -> the commit that first opened the holdout of `source` with it, oldest first."""
    # What a merge discards was seen all the same.
    every = ("--all", "--full-history", "-m", "--reverse", "--topo-order")
    changed = git("log", *every, "--format=%H", f"-G{OPENED}", "--", str(PARAMS))
    openings: dict[str, str] = {}
    for commit in dict.fromkeys(changed.split()):
        document = _params_at(commit)
        if document.get("source", {}).get("name") == source:
            for name in _opened_by(document.get("split", {}).get("open_holdout")):
                openings.setdefault(name, commit[:10])
    return openings


def _opened_by(open_for: Any) -> Iterator[str]:
    """What a value of `split.open_holdout` opens: everything for one id, or single months for one id each."""
    months = open_for if isinstance(open_for, dict) else {None: open_for}
    yield from (_named(name, month) for month, name in months.items() if name)


def _named(name: str, month: str | None) -> str:
    return f"{name} for {month}" if month else name


def _params_at(commit: str) -> dict[str, Any]:
    if not git("ls-tree", commit, "--", str(PARAMS)):
        return {}
    return sections_in(git("show", f"{commit}:./{PARAMS}"))
