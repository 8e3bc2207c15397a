"""Unused partitions in a bucket: those that no recorded run needs. Other objects in the bucket are never touched.

A run needs the objects that its manifests name. Runs are those that a commit, branch, tag or experiment of this clone
records, and this workspace; fetch what others pushed first.
*Time*: an object younger than `OLDEST_RUN` is kept, since a run in progress has not written its manifest.
*Errors*: `ConfigurationError` (exit 5) while a recorded manifest is not available, since nothing is then known to be
unused.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError
from stages.io.bucket_access import explain_errors, open_uri
from stages.io.content import file_hash
from stages.io.partitions import MANIFEST, OBJECT, PARAM
from stages.io.settings import PARAMS
from stages.io.workspace import cached
from stages.runs.evidence import Run
from stages.runs.past_runs import all_runs, present_run

OLDEST_RUN = timedelta(days=7)
ARTIFACTS = Path("artifacts")
FOLDERS = ("bars", "features", "search", "holdout")


def garbage(root: str, before: datetime) -> tuple[list[str], int]:
    """Uris of partitions below `root` that no manifest names, written before this instant; and how many are named."""
    needed = set(_named_by_runs()) | set(_named_here())
    filesystem, path = open_uri(root, Path(), PARAM)
    with explain_errors(root, PARAM):
        listed = filesystem.find(path, detail=True)
    found = {f"gs://{name}": facts["mtime"] for name, facts in listed.items() if _is_partition(name, path)}
    unnamed = {uri: written for uri, written in found.items() if uri not in needed}
    return sorted(uri for uri, written in unnamed.items() if written < before), len(found) - len(unnamed)


def _is_partition(name: str, root: str) -> bool:
    """Whether the name is a partition's: a DVC remote, with its answers, may share the root."""
    return OBJECT.fullmatch(name.removeprefix(f"{root}/")) is not None


def delete(uris: list[str]) -> None:
    """Remove these objects."""
    filesystem, _ = open_uri(uris[0], Path(), PARAM)
    with explain_errors(uris[0], PARAM):
        filesystem.rm([uri.removeprefix("gs://") for uri in uris])


def _named_here() -> Iterator[str]:
    for path in sorted(ARTIFACTS.rglob(MANIFEST)):
        yield from _uris(json.loads(path.read_text(encoding="utf-8")))


def _named_by_runs() -> Iterator[str]:
    gone = 0
    for run in (*present_run(), *all_runs()):
        for digest in _folders(run):
            try:
                for one in json.loads(_cached(digest)):
                    if Path(one["relpath"]).name == MANIFEST:
                        yield from _uris(json.loads(_cached(one["md5"])))
            except FileNotFoundError:
                gone += 1
    if gone:
        raise ConfigurationError(
            f"{gone} manifests of recorded runs are not in DVC's cache, so the objects they need are unknown: run `dvc "
            "fetch --all-commits` and `dvc exp pull -A origin`, then this command again."
        )


def _folders(run: Run) -> Iterator[str]:
    """Digests of the folders in which a run with a bucket recorded its manifests.

    Its stages recorded the bucket; the params.yaml committed with them may state another, or none.
    """
    for name, stage in run.stages.items():
        storage = stage.get("params", {}).get(str(PARAMS), {}).get("storage")
        for out in run.listed(name, "outs") if isinstance(storage, dict) and storage.get("root") else ():
            if str(out["md5"]).endswith(".dir") and out["path"].endswith(FOLDERS):
                yield str(out["md5"])


def _cached(digest: str) -> bytes:
    """A file of DVC's cache. *Errors*: `FileNotFoundError` if it is absent or altered."""
    if file_hash(cached(digest)) != digest.removesuffix(".dir"):
        raise FileNotFoundError
    return cached(digest).read_bytes()


def _uris(document: dict[str, Any]) -> Iterator[str]:
    yield from (one["uri"] for one in document.get("partitions", []))
