"""The files of another run: an experiment, a branch or a commit, fetched from DVC's cache or remote.

*Errors*: `ConfigurationError` (exit 5) when there is no such run, when its files lie nowhere within reach, or when they
are not what its own dvc.lock lists.
"""

from collections.abc import Iterable
from pathlib import Path

from stages.outside.dvc_internals import copy_from_run
from stages.outside.runs.evidence import LOCK, require_fetched
from stages.outside.settings import PARAMS


def fetch_run(name: str, files: Iterable[Path], folder: Path) -> None:
    """Copy files of the run `name`, its params and its lock into `folder`, under their own paths.

    The workspace stays as it is; params and files are those that the lock records.
    """
    wanted = list(files)
    copy_from_run(name, (PARAMS, LOCK, *wanted), folder)
    require_fetched(name, wanted, folder)
