"""Files of a source, wherever they lie: found by template, described, read and checked.

Any fsspec url will do; a relative path starts at the main repository, since queued experiments run elsewhere.
*Errors*: `DataContractError` for a file that is gone, empty or not the listed one; `ConfigurationError` for a url whose
protocol or credentials do not work. One sentence each.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import fsspec

from stages.errors import ConfigurationError, DataContractError
from stages.sources.manifest import RENEW
from stages.sources.template import fields_of, month_of, wildcard


def find_files(template: str, symbol: str) -> list[dict[str, Any]]:
    """Every file of a symbol that fits the template, as the listing records it."""
    filesystem, pattern = _open(wildcard(template, symbol))
    _, path_template = _open(template)
    found = []
    for path, facts in filesystem.glob(pattern, detail=True).items():
        fields = fields_of(path_template, symbol, path)
        if fields is not None:
            named = {"uri": template.format(symbol=symbol, **fields), "symbol": symbol, "month": month_of(fields)}
            found.append(named | _describe(filesystem, path, facts))
    return found


def read_file(file: dict[str, Any]) -> bytes:
    """The bytes of a listed file; they must be the ones that the listing names."""
    filesystem, path = _open(file["uri"])
    try:
        content: bytes = filesystem.cat_file(path)
    except FileNotFoundError:
        raise DataContractError(f"{file['uri']} is listed but not there: put it back, or {RENEW}.") from None
    if not content:
        raise DataContractError(f"{file['uri']} is empty (0 bytes): get it again, then {RENEW}.")
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if file["md5"] is not None and digest != file["md5"]:
        raise DataContractError(
            f"{file['uri']} is not the listed file (md5 {digest}, listed {file['md5']}): put the listed one back, "
            f"or accept the revision: {RENEW}."
        )
    return content


def _describe(filesystem: fsspec.AbstractFileSystem, path: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Size and md5; in a bucket the generation too, and the md5 without a download."""
    if "generation" in facts:
        md5 = base64.b64decode(facts["md5Hash"]).hex() if "md5Hash" in facts else None
        return {"size": facts["size"], "md5": md5, "generation": str(facts["generation"])}
    return {"size": facts["size"], "md5": hashlib.md5(filesystem.cat_file(path), usedforsecurity=False).hexdigest()}


def _open(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a url and the path in it."""
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else every bucket costs a minute to open
    try:
        filesystem, path = fsspec.url_to_fs(uri if "://" in uri else str(_main_repository() / uri))
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"source.uri_template {uri!r} cannot be opened: {error}.") from None
    return filesystem, path


def _main_repository() -> Path:
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())
