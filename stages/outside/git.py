"""What git says of this repository."""

import subprocess

from stages.errors import ConfigurationError


def git(*arguments: str) -> str:
    """The output of a git command that reads. *Errors*: `ConfigurationError` when git refuses."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=True)  # noqa: S603, S607
    except FileNotFoundError:
        raise ConfigurationError("git is not installed: this repository's history cannot be read.") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip()
        raise ConfigurationError(f"git {' '.join(arguments)} failed: {reason}") from None
    return done.stdout.decode("utf-8", "replace")
