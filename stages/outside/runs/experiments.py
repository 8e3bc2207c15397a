"""The files of another run: an experiment, a branch or a commit, fetched from DVC's cache or remote.

*Errors*: `ConfigurationError` (exit 5) when there is no such run, or when its files lie nowhere within reach.
"""

from collections.abc import Iterable
from pathlib import Path

from stages.errors import ConfigurationError


def fetch_run(name: str, files: Iterable[Path], folder: Path) -> None:
    """Copy files of the run `name` into `folder`, under their own paths; the workspace stays as it is."""
    from dvc.api import DVCFileSystem  # 1.2 s
    from dvc.exceptions import DvcException
    from dvc.scm import RevError

    run = DVCFileSystem(rev=name)
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            run.get(path.as_posix(), str(target), recursive=run.isdir(path.as_posix()))
        except RevError:
            raise ConfigurationError(f"there is no run {name!r}: `make show` lists the experiments.") from None
        except (OSError, DvcException) as error:
            raise ConfigurationError(
                f"{path} of run {name!r} is not within reach ({error}): `dvc fetch`, or run it again."
            ) from None
