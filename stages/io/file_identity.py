"""The identity of a program of the user's: one digest over the contents of its files, code and weights alike.

It is the sha256 of the output of `sha256sum` over all files, sorted by path:
`sha256sum FILES | LC_ALL=C sort -k2 | sha256sum`. A folder stands for all files below it except `__pycache__`. Dates
and permissions do not count.

*Errors*: `ConfigurationError` (exit 5) for a file that is missing or not listed, and for a digest other than that in
params.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.errors import ConfigurationError, shorten
from stages.params.forecaster import ProgramParams

COMPILED = "__pycache__"


def digest_of_files(command: Sequence[str], files: Sequence[str]) -> str:
    """The digest of the program that `command` starts and that consists of `files`."""
    if missing := [name for name in files if not Path(name).exists()]:
        raise ConfigurationError(
            f"forecaster.files names {shorten(missing)}, which is not in {Path.cwd()}: restore it, or correct the name "
            "(a temporary experiment holds only what git tracks)."
        )
    listed = {Path(name) for name in files}
    started = [Path(word) for word in command if not Path(word).is_absolute() and Path(word).exists()]
    if left_out := [str(path) for path in started if not listed & {path, *path.parents}]:
        raise ConfigurationError(
            f"forecaster.command names {shorten(left_out)}, which is not in forecaster.files {list(files)}: list "
            "it, so that a change of it is noticed."
        )
    contents = {path.as_posix(): path for name in files for path in _files_of(Path(name))}
    lines = (f"{_sha256(contents[name])}  {name}\n" for name in sorted(contents))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def require_identity(program: ProgramParams) -> None:
    """*Errors*: `ConfigurationError` if the files do not have the digest `forecaster.files_sha256`."""
    found = digest_of_files(program.command, program.files)
    if found != program.files_sha256:
        noted = f"{program.files_sha256}"[:12]
        raise ConfigurationError(
            f"the files of the program {program.program_name} have the digest {found[:12]}…, not the {noted}… of "
            "forecaster.files_sha256: they changed, and DVC cannot see them. `make identify` accepts them as "
            "another forecaster, whose questions are new; otherwise restore the files."
        )


def require_unchanged(program: ProgramParams) -> None:
    """`require_identity` if all files are here; a run that finds all answers in the store needs none of them."""
    if program.files and all(Path(name).exists() for name in program.files):
        require_identity(program)


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for inner in path.rglob("*"):
        if inner.is_dir() and inner.is_symlink():
            raise ConfigurationError(
                f"{inner} in forecaster.files is a link to a folder, which is not followed: list it by its own name."
            )
        if inner.is_file() and COMPILED not in inner.parts:
            yield inner


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
