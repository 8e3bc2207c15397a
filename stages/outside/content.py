"""Content hashes of files and folders, in the notation of dvc.lock, so that a reader can find them there."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def content_hashes(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """By path below artifacts/: the md5 of a file, or of a folder's sorted list of files (`….dir`)."""
    return {path.relative_to("artifacts").as_posix(): content_hash(root / path) for path in paths}


def content_hash(path: Path) -> str:
    """The hash of a file or a folder, without the compiled code that .dvcignore leaves out."""
    return _folder(path) if path.is_dir() else file_hash(path)


def file_hash(path: Path) -> str:
    """The md5 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _folder(folder: Path) -> str:
    found = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    files = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    listed = json.dumps([{"md5": file_hash(path), "relpath": name} for name, path in files], sort_keys=True)
    return hashlib.md5(listed.encode("utf-8"), usedforsecurity=False).hexdigest() + ".dir"
