"""The md5 of a file or folder as dvc.lock writes it, and which inputs changed after the run that it records."""

import hashlib
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import yaml

from stages.io.settings import parse_yaml

LOCK = Path("dvc.lock")


def content_hashes(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """By path below artifacts/: the md5 of a file, or of a folder's sorted list of files (`….dir`)."""
    return {path.relative_to("artifacts").as_posix(): content_hash(root / path) for path in paths}


def content_hash(path: Path) -> str:
    """The hash of a file or a folder, without compiled code, which .dvcignore excludes."""
    return _folder(path) if path.is_dir() else file_hash(path)


def file_hash(path: Path) -> str:
    """The md5 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def changed_inputs(running: str) -> list[str]:
    """The inputs of stage `running` that differ from dvc.lock; for a command, the outputs of any stage that differ.

    Empty if the lock cannot be read, or if the stage's code has changed, which may itself be at fault.
    """
    try:
        stages = parse_yaml(LOCK.read_text(encoding="utf-8"))["stages"]
        all_outs = chain.from_iterable(one.get("outs", []) for one in stages.values())
        read = stages[running]["deps"] if running in stages else all_outs
        recorded = {one["path"]: one["md5"] for one in read}
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return []
    changed = [path for path, md5 in recorded.items() if Path(path).exists() and content_hash(Path(path)) != md5]
    return [] if any(path.startswith("stages/") for path in changed) else sorted(changed)


def _folder(folder: Path) -> str:
    found = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    files = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    listed = json.dumps([{"md5": file_hash(path), "relpath": name} for name, path in files], sort_keys=True)
    return hashlib.md5(listed.encode("utf-8"), usedforsecurity=False).hexdigest() + ".dir"
