"""How often a holdout was opened before: every value `split.open_holdout` ever had, on any branch or in any experiment.

Openings are commits of params.yaml, so git is their record: an id that was ever committed beside the same source
counts, also when it was taken back later.
"""

from typing import Any

import yaml

from stages.outside.git import git
from stages.outside.runs.trials import logged_openings
from stages.outside.settings import PARAMS


def openings_of(source: str) -> dict[str, str]:
    """Strategy id -> where its opening is on record: a commit, or the trial log for those that nobody committed."""
    committed = {name: f"commit {commit}" for name, commit in earlier_openings(source).items()}
    return committed | {name: "trial log" for name in logged_openings(source) if name not in committed}


def earlier_openings(source: str) -> dict[str, str]:
    """Strategy id -> the commit that first opened the holdout of `source` for it, oldest first."""
    changed = git("log", "--all", "--reverse", "--topo-order", "--format=%H", "-Gopen_holdout:", "--", str(PARAMS))
    openings: dict[str, str] = {}
    for commit in changed.split():
        document = _params_at(commit)
        opened = document.get("split", {}).get("open_holdout")
        if opened and document.get("source", {}).get("name") == source:
            openings.setdefault(opened, commit[:10])
    return openings


def _params_at(commit: str) -> dict[str, Any]:
    if not git("ls-tree", commit, "--", str(PARAMS)):
        return {}
    document: dict[str, Any] = yaml.safe_load(git("show", f"{commit}:./{PARAMS}"))
    return document
