"""A colleague's clone: the working tree as a repository of its own, with a cache of its own."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


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
        shutil.copytree(self.path, target, symlinks=True)
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
            shutil.copy(ROOT / name, target / name)
    clone = Clone(target)
    clone.sh("git init -q -b main && git config user.email test@example.org && git config user.name test")
    clone.sh("git add -A && git commit -q -m 'the working tree'")
    (target / ".venv").symlink_to(BIN.parent)
    for name in ("requirements.txt", "requirements-dev.txt"):
        os.utime(target / name, (0, 0))  # older than the environment's stamps, so that make installs nothing
    return clone
