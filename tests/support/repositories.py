"""Git in the folder of a test, by an author who is nobody."""

import subprocess
from pathlib import Path

IDENTITY = ("-c", "user.email=test@example.org", "-c", "user.name=test")


def git(folder: Path, *arguments: str) -> str:
    """What the command prints."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit_folder(folder: Path, message: str) -> None:
    """The first commit of a new repository: all that lies in the folder."""
    git(folder, "init", "-q", "-b", "main", "--template=")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
