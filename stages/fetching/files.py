"""Files of a source, local or remote: found by template, checked against the listing, downloaded once.

Any fsspec url works; a relative path starts at the main repository, since queued experiments run elsewhere. Downloaded
files are kept in DVC's cache, at `sources/<aa>/<rest>`, under the md5 in the listing; an object without md5 under its
name and generation. They are written atomically and checked on every read.

*Errors*: `DataContractError` for a file that is missing, empty or not the listed one; access errors as in
`io/bucket_access.py`.
"""

import base64
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import DataContractError, at_work_on
from stages.io.bucket_access import explain_errors, is_remote, open_uri, preflight
from stages.io.object_store import LocalStore
from stages.io.terminal import progress
from stages.io.workspace import main_root, store_root
from stages.params.path_template import ANY, day_of, fields_of, literal, month_of, path_of, root_of
from stages.params.source import SourceParams
from stages.sources.layout import NO_BARS
from stages.sources.manifest import RENEW, place_of


def kept(file: dict[str, Any]) -> bytes | None:
    """The content of a listed file if it was downloaded before."""
    content = _cache().read(_name(file))
    return content if content is not None and is_listed(file, content) else None


def keep(file: dict[str, Any], content: bytes) -> None:
    """Keep a downloaded file for later runs, experiments and workers."""
    _cache().replace(_name(file), content)


def md5_of(content: bytes) -> str:
    """The digest by which listings name files."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def is_listed(file: dict[str, Any], content: bytes) -> bool:
    """Whether these are the bytes that the listing names."""
    return len(content) == file["size"] and file["md5"] in (None, md5_of(content))


def _cache() -> LocalStore:
    return LocalStore(store_root().parent)


def _name(file: dict[str, Any]) -> str:
    name = file["md5"] or md5_of(f"{file['uri']}#{file['generation']}".encode())
    return f"sources/{name[:2]}/{name[2:]}"


if TYPE_CHECKING:
    import fsspec

AT_ONCE = 8


def find_files(template: str, symbol: str | None = None) -> list[dict[str, Any]]:
    """Every file of a symbol that fits the template, with its facts for the listing; without a symbol, files of many.

    The search starts at the folder above the first varying part. Only fields in braces and `*` are matched; all other
    text is literal, including brackets. A `*` matches no hidden file and no README.
    """
    at_home = literal(str(Path.home())) if template.startswith("~/") else "~"
    filesystem, path_template = open_uri(template.replace("~", at_home, 1), Path(literal(str(main_root()))))
    root, levels = root_of(path_template, symbol)

    def listed(one: tuple[str, dict[str, Any]]) -> dict[str, Any] | None:
        named = fields_of(path_template, one[0], symbol)
        if named is None or (ANY in template and NO_BARS.search(one[0])):
            return None
        file = {"uri": path_of(template, named, symbol), "symbol": symbol, "month": month_of(named)}
        day = {"day": day_of(named)} if day_of(named) else {}
        return file | day | _describe(filesystem, *one)

    with explain_errors(template), ThreadPoolExecutor(AT_ONCE) as pool:
        filesystem.invalidate_cache()
        found = pool.map(listed, filesystem.find(root, maxdepth=levels, detail=True).items())
        return sorted(filter(None, found), key=lambda file: str(file["uri"]))


def files_of(source: SourceParams, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """Every file of these symbols, or of many symbols each, for all periods of the source.

    A file under an earlier name of a symbol belongs to the symbol, and its entry says so.
    """
    template = source.uri_template or ""
    preflight(template)
    files = find_files(template) if source.many_in_a_file else []
    for symbol in progress(() if source.many_in_a_file else symbols, "listing"):
        own = {ticker: find_files(template, ticker) for ticker in source.tickers(symbol)}
        if not any(own.values()):
            raise DataContractError(
                f"source {source.name} holds no file for symbol {symbol!r} under source.uri_template {template!r}: "
                "correct the template, or remove the symbol from universe.symbols."
            )
        for ticker, found in own.items():
            named = {} if ticker == symbol else {"symbol": symbol, "ticker": ticker}
            files += [file | named for file in found]
    if not files:
        raise DataContractError(
            f"no file fits source.uri_template {template!r}: correct it, or put the files where it says."
        )
    return files


def read_files(files: list[dict[str, Any]]) -> list[tuple[dict[str, Any], bytes]]:
    """Each listed file with its bytes, in order, several read in parallel, each checked against the listing.

    All are read before the first is returned, so a reader that stops early leaves no threads running.
    """
    missing = [file for file in files if is_remote(file["uri"]) and kept(file) is None]
    if missing:
        preflight(missing[0]["uri"])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(files, pool.map(_read, files), strict=True))


def _read(file: dict[str, Any]) -> bytes:
    with at_work_on(place_of(file)):
        return _checked(file)


def _checked(file: dict[str, Any]) -> bytes:
    remote = is_remote(file["uri"])
    if remote and (content := kept(file)) is not None:
        return content
    filesystem, path = _open(file["uri"])
    try:
        with explain_errors(file["uri"]):
            content = bytes(filesystem.cat_file(path))
            pinned = file["md5"] is not None or str(filesystem.info(path)["generation"]) == file["generation"]
    except DataContractError:
        raise DataContractError(f"{file['uri']} is listed but does not exist: restore the file, or {RENEW}.") from None
    if not content:
        raise DataContractError(f"{file['uri']} is empty (0 bytes): get it again, then {RENEW}.")
    if not (pinned and is_listed(file, content)):
        raise DataContractError(
            f"{file['uri']} is not the listed file (md5 {md5_of(content)}, listed "
            f"{file['md5'] or file['generation']}): restore the listed file, or accept the revision: {RENEW}."
        )
    if remote:
        keep(file, content)
    return content


def _describe(filesystem: "fsspec.AbstractFileSystem", path: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Size and md5; in a bucket also the generation, and the md5 without a download."""
    if "generation" in facts:
        md5 = base64.b64decode(facts["md5Hash"]).hex() if "md5Hash" in facts else None
        return {"size": facts["size"], "md5": md5, "generation": str(facts["generation"])}
    return {"size": facts["size"], "md5": md5_of(filesystem.cat_file(path))}


def _open(uri: str) -> "tuple[fsspec.AbstractFileSystem, str]":
    return open_uri(uri, main_root())
