"""Files of a source, wherever they lie: found by template, described, read and checked.

Any fsspec url will do; a relative path starts at the main repository, since queued experiments run elsewhere.
*Errors*: `DataContractError` for a file that is gone, empty or not the listed one; what the way to it can raise stands
in `reaching`.
"""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from stages.errors import DataContractError, at_work_on
from stages.outside.source.reaching import is_remote, open_uri, told, try_the_way
from stages.outside.source.source_store import is_listed, keep, kept, md5_of
from stages.outside.workspace import main_root
from stages.sources.manifest import RENEW
from stages.sources.template import fields_of, month_of, wildcard

if TYPE_CHECKING:
    import fsspec

AT_ONCE = 8


def find_files(template: str, symbol: str) -> list[dict[str, Any]]:
    """Every file of a symbol that fits the template, as the listing records it."""
    filesystem, pattern = _open(wildcard(template, symbol))
    _, path_template = _open(template)
    found = []
    with told(template):
        filesystem.invalidate_cache()
        for path, facts in filesystem.glob(pattern, detail=True).items():
            fields = fields_of(path_template, symbol, path)
            if fields is not None:
                named = {"uri": template.format(symbol=symbol, **fields), "symbol": symbol, "month": month_of(fields)}
                found.append(named | _describe(filesystem, path, facts))
    return found


def read_files(files: list[dict[str, Any]]) -> list[tuple[dict[str, Any], bytes]]:
    """Each listed file with its bytes, in order, several at a time; they must be the ones that the listing names.

    All are read before the first is handed out: a reader that gives up half-way leaves no threads to wait for.
    """
    missing = [file for file in files if is_remote(file["uri"]) and kept(file) is None]
    if missing:
        try_the_way(missing[0]["uri"])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(files, pool.map(_read, files), strict=True))


def _read(file: dict[str, Any]) -> bytes:
    with at_work_on(place_of(file)):
        return _checked(file)


def place_of(file: dict[str, Any]) -> str:
    """The symbol and month of a listed file: `AAPL 2024-03`."""
    return " ".join(filter(None, (file["symbol"], file["month"])))


def _checked(file: dict[str, Any]) -> bytes:
    remote = is_remote(file["uri"])
    if remote and (content := kept(file)) is not None:
        return content
    filesystem, path = _open(file["uri"])
    try:
        with told(file["uri"]):
            content = bytes(filesystem.cat_file(path))
            pinned = file["md5"] is not None or str(filesystem.info(path)["generation"]) == file["generation"]
    except DataContractError:
        raise DataContractError(f"{file['uri']} is listed but not there: put it back, or {RENEW}.") from None
    if not content:
        raise DataContractError(f"{file['uri']} is empty (0 bytes): get it again, then {RENEW}.")
    if not (pinned and is_listed(file, content)):
        raise DataContractError(
            f"{file['uri']} is not the listed file (md5 {md5_of(content)}, listed {file['md5'] or file['generation']}):"
            f" put the listed one back, or accept the revision: {RENEW}."
        )
    if remote:
        keep(file, content)
    return content


def _describe(filesystem: "fsspec.AbstractFileSystem", path: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Size and md5; in a bucket the generation too, and the md5 without a download."""
    if "generation" in facts:
        md5 = base64.b64decode(facts["md5Hash"]).hex() if "md5Hash" in facts else None
        return {"size": facts["size"], "md5": md5, "generation": str(facts["generation"])}
    return {"size": facts["size"], "md5": md5_of(filesystem.cat_file(path))}


def _open(uri: str) -> "tuple[fsspec.AbstractFileSystem, str]":
    return open_uri(uri, main_root())
