"""The files of another run: an experiment, a branch or a commit, fetched from DVC's cache or remote.

*Errors*: `ConfigurationError` (exit 5) when there is no such run, when its files lie nowhere within reach, or when they
are not what its own dvc.lock lists.
"""

from collections.abc import Iterable
from pathlib import Path

from stages.errors import ConfigurationError
from stages.outside.runs.evidence import LOCK, require_fetched
from stages.outside.settings import PARAMS


def fetch_run(name: str, files: Iterable[Path], folder: Path) -> None:
    """Copy files of the run `name`, its params and its lock into `folder`, under their own paths.

    The workspace stays as it is; params and files are those that the lock records.
    """
    from dvc.api import DVCFileSystem  # 1.2 s
    from dvc.exceptions import DvcException
    from dvc.scm import RevError

    wanted, run = list(files), DVCFileSystem(rev=name)
    for path in (PARAMS, LOCK, *wanted):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            run.get(path.as_posix(), str(target), recursive=run.isdir(path.as_posix()))
        except (RevError, ValueError):
            raise ConfigurationError(f"there is no run {name!r}: `make show` lists the experiments.") from None
        except (OSError, DvcException) as error:
            raise ConfigurationError(
                f"{path} of run {name!r} is not within reach ({error}): `dvc fetch`, or run it again."
            ) from None
    require_fetched(name, wanted, folder)
