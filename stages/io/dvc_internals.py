"""Every call of DVC as a library. All other code runs `dvc` as a command or reads its files.

DVC documents only one of these calls, `dvc.api.DVCFileSystem`. The others may change with any release, so each function
names what it uses, and tests/io/test_dvc_internals.py says what breaks when it changes.
*Source*: DVC 3.67.1, dvc-gs 3.1.0.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError


def read_config(root: Path) -> dict[str, Any]:
    """DVC's configuration of the repository at `root`: system, user, project and local files merged, paths absolute.

    Uses `dvc.config.Config` as a mapping, and `ConfigError`. `dvc config --list` would leave paths relative.
    *Errors*: `ConfigurationError` when a file cannot be read.
    """
    from dvc.config import Config, ConfigError  # 0.3 s, and only paid runs need it

    try:
        return dict(Config(str(root / ".dvc")))
    except ConfigError as error:
        raise ConfigurationError(
            f"DVC's configuration cannot be read ({error}): correct .dvc/config, or .dvc/config.local."
        ) from None


DEFAULT_SITE_CACHE = "/var/tmp/dvc"  # noqa: S108  # DVC's default, which is never written here


def write_local(root: Path, section: str, option: str, value: str) -> None:
    """Set an option in `.dvc/config.local`; the rest of the file stays.

    Uses `configobj.ConfigObj`, as DVC does. `dvc.config.Config.edit` writes ASCII only, and leaves the file empty if a
    path holds another letter.
    """
    from configobj import ConfigObj

    path = root / ".dvc/config.local"
    config = ConfigObj(path.read_text(encoding="utf-8").splitlines() if path.exists() else [])
    config.setdefault(section, {})[option] = value
    path.write_bytes("".join(f"{line}\n" for line in config.write()).encode("utf-8"))


def gcs_arguments(url: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a `gcsfs.GCSFileSystem` that logs in as DVC does with these options of a remote.

    Uses `dvc.fs.get_cloud_fs` and `fs_args` of the file system that it returns, which dvc-gs fills.
    """
    from dvc.fs import get_cloud_fs

    kind, config, _ = get_cloud_fs({}, url=url, **options)
    return dict(kind(**config).fs_args)


def commit_of(run: str) -> str:
    """The commit of a revision, a branch or an experiment; among experiments of one name, that on the present commit.

    Uses `dvc.scm.SCM` with `iter_refs` and `get_ref`, `dvc.scm.resolve_rev`, and the exception `dvc.scm.RevError`.
    *Errors*: `ConfigurationError` when there is no such run, or several and none on this commit.
    """
    from dvc.scm import SCM, RevError, resolve_rev

    git = SCM(".")
    try:
        return str(resolve_rev(git, run))
    except (RevError, ValueError):
        found = [git.get_ref(ref)[:10] for ref in git.iter_refs("refs/exps/") if ref.endswith(f"/{run}")]
    if found:
        raise ConfigurationError(
            f"{len(found)} experiments are called {run!r}, and none of them is on the present commit: name one by its "
            f"own commit, {' or '.join(found)}."
        )
    raise ConfigurationError(f"there is no run {run!r}: `make show` lists the experiments.")


def copy_from_run(run: str, paths: Iterable[Path], folder: Path) -> None:
    """Copy files of a commit, branch or experiment to `folder`, from git, DVC's cache or its remote.

    Uses `dvc.api.DVCFileSystem` and the exception `dvc.exceptions.DvcException`.
    *Errors*: `ConfigurationError` when there is no such run, or a file cannot be found.
    """
    from dvc.api import DVCFileSystem  # 1.2 s
    from dvc.exceptions import DvcException

    files = DVCFileSystem(rev=commit_of(run))
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get(path.as_posix(), str(target), recursive=files.isdir(path.as_posix()))
        except (OSError, DvcException) as error:
            raise ConfigurationError(
                f"{path} of run {run!r} cannot be fetched ({error}): run `dvc fetch`, or run it again."
            ) from None
