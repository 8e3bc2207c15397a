"""Locations of this workspace: the repository and its git history, DVC's cache and DVC's default remote.

A temporary or queued experiment runs in its own folder, without the git-ignored files; DVC names the main repository in
`DVC_ROOT`. So everything that outlives a run is located through this module only.
*Errors*: `ConfigurationError` (exit 5) outside a DVC repository or with an unreadable DVC configuration.
"""

import os
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from stages.errors import ConfigurationError
from stages.io.dvc_internals import read_config

GIT = ("git", "-c", "log.showSignature=false")  # else git adds lines about signatures


def git(*arguments: str) -> str:
    """The output of a read-only git command, the same in every language and under every user's configuration.

    *Errors*: `ConfigurationError` when git fails.
    """
    english = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run([*GIT, *arguments], capture_output=True, check=True, env=english)  # noqa: S603
    except FileNotFoundError:
        raise ConfigurationError(
            "git is not installed, so this repository's history cannot be read: install git."
        ) from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip()
        if "not a git repository" in reason:
            raise ConfigurationError(
                "this folder is not a git clone, and git keeps every run: clone it, or type: git init && git add -A "
                "&& git commit -m Start"
            ) from None
        head = subprocess.run([*GIT, "rev-parse", "-q", "--verify", "HEAD"], capture_output=True, check=False)  # noqa: S603
        if head.returncode == 1:
            raise ConfigurationError(
                "this repository holds no commit yet, and git keeps every run: git add -A && git commit -m Start"
            ) from None
        raise ConfigurationError(f"git {' '.join(arguments)} failed: {reason}") from None
    return done.stdout.decode("utf-8", "replace")


def is_shallow() -> bool:
    """Whether this clone holds only the newest commits."""
    return git("rev-parse", "--is-shallow-repository").strip() == "true"


def require_whole_history() -> None:
    """*Errors*: `ConfigurationError` in a shallow clone, which lacks the records of earlier commits."""
    if is_shallow():
        raise ConfigurationError(
            "this clone holds only the newest commits (a shallow clone), and earlier ones record runs and openings "
            "of the holdout: run `git fetch --unshallow`, then this command again."
        )


@dataclass(frozen=True)
class Remote:
    """DVC's default remote: its name, address and the options that `dvc remote modify` set."""

    name: str
    url: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)


def main_root() -> Path:
    """The main repository: `DVC_ROOT` within `dvc`, else the nearest parent that holds `.dvc`."""
    if named := os.environ.get("DVC_ROOT"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise ConfigurationError("there is no .dvc folder here or in a parent folder: run this inside the repository.")


def experiment_name() -> str:
    """The experiment this process belongs to, or `workspace`."""
    return os.environ.get("DVC_EXP_NAME") or "workspace"


def store_root() -> Path:
    """The folder of answers and budget: `forecasts/` in DVC's cache, which `dvc gc` does not touch."""
    configured = _dvc_config(main_root()).get("cache", {}).get("dir")
    return (Path(configured) if configured else main_root() / ".dvc" / "cache") / "forecasts"


def cached(digest: str) -> Path:
    """Path in DVC's cache of the content with this md5, if it is there; a folder's md5 ends in `.dir`."""
    return store_root().parent / "files/md5" / digest[:2] / digest[2:]


def default_remote() -> Remote | None:
    """DVC's default remote, if one is set."""
    config = _dvc_config(main_root())
    name = config.get("core", {}).get("remote")
    if not name:
        return None
    options = dict(config.get("remote", {}).get(name, {}))
    if "url" not in options:
        raise ConfigurationError(
            f"core.remote names {name!r}, which .dvc/config does not describe: run `dvc remote add`, or correct "
            "core.remote."
        )
    return Remote(name=name, url=str(options.pop("url")), options=options)


@cache
def _dvc_config(root: Path) -> dict[str, Any]:
    return read_config(root)
