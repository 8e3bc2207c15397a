"""A colleague's clone: the working tree as a repository of its own, with a cache of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPILED = Path("stages/trading/__pycache__")


@dataclass(frozen=True)
class Clone:
    """A repository in a temporary folder; `sh` runs a command in it as a user would."""

    path: Path

    def sh(self, command: str, *, code: int | None = 0, **environment: str) -> str:
        """Output of a shell command; its exit code must be `code` (None: any)."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        env = inherited | {"PATH": f"{BIN}:{inherited['PATH']}", "NO_COLOR": "1", "COLUMNS": "160"} | environment
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.path,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert code is None or done.returncode == code, (
            f"$ {command}\nexit {done.returncode}, not {code}\n{done.stdout[-6000:]}"
        )
        return done.stdout

    def text(self, path: str) -> str:
        """A file of the clone."""
        return (self.path / path).read_text()

    def copy_to(self, target: Path) -> "Clone":
        """Another clone with the same history, cache and artifacts."""
        shutil.copytree(self.path, target, symlinks=True, ignore=shutil.ignore_patterns("index.lock"))
        local = target / ".dvc/config.local"
        local.write_text(local.read_text().replace(str(self.path), str(target)))  # DVC's state is the copy's own
        return Clone(target)


def clone_working_tree(target: Path) -> Clone:
    """What a fresh clone would hold if everything here were committed now; `.venv` points at this environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    if (ROOT / COMPILED).is_dir():  # numba takes what it compiled for a file of the same time
        shutil.copytree(ROOT / COMPILED, target / COMPILED)
    clone = Clone(target)
    clone.sh("git init -q -b main && git config user.email test@example.org && git config user.name test")
    clone.sh("git add -A && git commit -q -m 'the working tree'")
    (target / ".venv").symlink_to(BIN.parent)
    (target / ".dvc/tmp/site").mkdir(mode=0o700, parents=True)  # what make gives DVC when it makes an environment
    (target / ".dvc/config.local").write_text(f"[core]\n    site_cache_dir = {target / '.dvc/tmp/site'}\n")
    for name in ("requirements.txt", "requirements-dev.txt"):
        os.utime(target / name, (0, 0))  # older than the environment's stamps, so that make installs nothing
    return clone


def take_results(clone: Clone) -> None:
    """Into a clone's cache: what this repository's cache holds of the outputs of dvc.lock, and which run made them."""
    recorded = clone.text("dvc.lock")
    ours, theirs = ROOT / ".dvc/cache", clone.path / ".dvc/cache"
    for path in ours.glob("runs/*/*/*"):
        made = re.findall(r"md5: (\S+)", path.read_text().partition("\nouts:")[2])
        if all(digest in recorded for digest in made):
            _copy(path, theirs / path.relative_to(ours))
    for digest in set(re.findall(r"md5: (\S+)", recorded)):
        for one in (digest, *_files_of(ours / _place(digest))):
            _copy(ours / _place(one), theirs / _place(one))


def _place(digest: str) -> Path:
    return Path("files/md5", digest[:2], digest[2:])


def _files_of(folder: Path) -> list[str]:
    if folder.suffix != ".dir" or not folder.exists():
        return []
    return [file["md5"] for file in json.loads(folder.read_text())]


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
