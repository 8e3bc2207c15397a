"""Files of remote sources, kept by their content, so that nothing is downloaded twice.

They lie beside the answers in DVC's cache, `sources/<aa>/<rest>`, under the md5 that the listing names; an object
without md5 under its name and generation. A file is whole or absent, and checked whenever it is read.
"""

import hashlib
from pathlib import Path
from typing import Any

from stages.outside.files import write_bytes
from stages.outside.workspace import store_root


def kept(file: dict[str, Any]) -> bytes | None:
    """The content of a listed file if it was downloaded before."""
    path = _path(file)
    content = path.read_bytes() if path.exists() else None
    return content if content is not None and is_listed(file, content) else None


def keep(file: dict[str, Any], content: bytes) -> None:
    """Keep a downloaded file for later runs, experiments and workers."""
    write_bytes(content, _path(file))


def md5_of(content: bytes) -> str:
    """The digest by which listings name files."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def is_listed(file: dict[str, Any], content: bytes) -> bool:
    """Whether these are the bytes that the listing names."""
    return len(content) == file["size"] and file["md5"] in (None, md5_of(content))


def _path(file: dict[str, Any]) -> Path:
    name = file["md5"] or md5_of(f"{file['uri']}#{file['generation']}".encode())
    return store_root().parent / "sources" / name[:2] / name[2:]
