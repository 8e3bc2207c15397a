"""Access to buckets: network, login and address are checked in seconds, and each problem is explained in one sentence.

A client tries for half a minute before it reports that nothing answers, and names a missing login by an internal field.
So a quick preflight comes before the first read.
*Errors*: `DataContractError` (exit 2) if a file does not exist; `ConfigurationError` (exit 5) if the address, the
network or the credentials are wrong.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from stages.errors import ConfigurationError, DataContractError, PipelineError

if TYPE_CHECKING:
    import fsspec
    import httpx

CONNECT_SEC = 2.0
LOGIN_SEC = 15.0  # a token may come from another program or machine
FIRST_ANSWER_SEC = 3.0
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
GOOGLE = "https://storage.googleapis.com"
SOURCE = "source.uri_template"
LOGIN = "log in by `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


def open_uri(uri: str, base: Path, param: str = SOURCE) -> "tuple[fsspec.AbstractFileSystem, str]":
    """The file system of a url and the path in it.

    A path without protocol is relative to `base`, or to home after a ~.
    """
    fsspec = _fsspec()
    with explain_errors(uri, param):
        filesystem, path = fsspec.url_to_fs(uri if "://" in uri else str(base / Path(uri).expanduser()))
        return filesystem, path


def _fsspec() -> Any:
    """The library, set up for buckets. Imported only when a run leaves the workspace."""
    import fsspec

    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else every bucket costs a minute to open
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it prints a traceback for what we explain in a sentence
    return fsspec


def is_remote(uri: str) -> bool:
    """Whether reading needs the network."""
    return "://" in uri and not uri.startswith("file://")


def connect(endpoint: str) -> None:
    """One quick connection to a service; `OSError` within `CONNECT_SEC` if nothing answers."""
    try:
        address = urlsplit(endpoint if "//" in endpoint else f"http://{endpoint}")
        port = address.port or (443 if address.scheme == "https" else 80)
        (address.hostname or "").encode("idna")
    except ValueError as error:
        raise ConnectionError(f"{endpoint} is not an address ({error})") from error
    try:
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_SEC).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers at {address.hostname}:{port} ({error})") from error


def preflight(uri: str, param: str = SOURCE) -> None:
    """Connect to a bucket, log in, and ask once for an object, or for any object if `uri` is still a template.

    Other protocols are not checked.
    """
    if not uri.startswith("gs://"):
        return
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    with explain_errors(uri, param):
        connect(os.environ.get("STORAGE_EMULATOR_HOST") or GOOGLE)
        filesystem, headers = logged_in(bucket, lambda: open_uri(f"gs://{bucket}", Path(), param)[0])
        one = f"{filesystem.base}b/{bucket}/o/{quote(name, safe='')}"
        answer = any_object_of(filesystem, bucket, headers) if "{" in name else _ask(one, headers)
        if answer.status_code == NOT_FOUND:  # a missing object is reported by its reader
            answer = any_object_of(filesystem, bucket, headers)
        require_welcome(answer, uri)


def logged_in(bucket: str, open_filesystem: Callable[[], Any]) -> tuple[Any, dict[str, str]]:
    """A bucket's file system and the headers of its login. Some logins would wait for minutes, so time is limited.

    *Errors*: `ConfigurationError` after `LOGIN_SEC`, else what the login raises.
    """
    found: Future[tuple[Any, dict[str, str]]] = Future()
    _fsspec().get_filesystem_class("gs")  # imported before the time limit starts

    def log_in() -> None:
        try:
            filesystem, headers = open_filesystem(), dict[str, str]()
            filesystem.credentials.apply(headers)
            found.set_result((filesystem, headers))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=log_in, daemon=True).start()
    try:
        return found.result(LOGIN_SEC)
    except TimeoutError:
        raise ConfigurationError(
            f"the login to bucket {bucket!r} did not succeed within {LOGIN_SEC:g} s: {LOGIN}; for a public bucket set "
            "FSSPEC_GS_TOKEN=anon."
        ) from None


def any_object_of(filesystem: Any, bucket: str, headers: dict[str, str]) -> "httpx.Response":
    """A list of one object, asked once: who may use objects may list them, but not look at their bucket."""
    return _ask(f"{filesystem.base}b/{bucket}/o?maxResults=1", headers)


def _ask(url: str, headers: dict[str, str]) -> "httpx.Response":
    import httpx  # imported only when a run leaves the workspace

    return httpx.get(url, headers=headers, timeout=FIRST_ANSWER_SEC)


def require_welcome(answer: "httpx.Response", uri: str) -> None:
    """*Errors*: `FileNotFoundError`, `PermissionError`, `ConfigurationError` for a login that fails, else `OSError`."""
    status, words = answer.status_code, f"HTTP {answer.status_code}"
    if status == NOT_FOUND:
        raise FileNotFoundError(uri)
    if status == UNAUTHORIZED:
        raise ConfigurationError(f"the credentials for {uri} do not work ({words}): {LOGIN}.")
    if status == FORBIDDEN:
        raise PermissionError(words)
    if answer.is_error:
        raise OSError(f"{words} {' '.join(answer.text.split())[:200]}")


@contextmanager
def explain_errors(uri: str, param: str = SOURCE) -> Iterator[None]:
    """Turn any error of the block into one sentence about `uri`, which `param` names."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raise _sentence(uri, error, param) from error


def _sentence(uri: str, error: Exception, param: str) -> PipelineError:
    words = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError):
        bucket = uri.removeprefix("gs://").split("/", 1)[0]
        where = f" (does bucket {bucket!r} exist?)" if uri.startswith("gs://") else ""
        return DataContractError(f"{uri} does not exist{where}: correct {param}, or restore the file.")
    if refused := refusal(uri, error):
        return refused
    if isinstance(error, ImportError | ValueError):
        return ConfigurationError(f"{uri} cannot be opened ({words}): correct {param}.")
    reason = words or type(error).__name__
    return ConfigurationError(f"{uri} does not answer ({reason}): check the network, then run again.")


def refusal(uri: str, error: Exception) -> ConfigurationError | None:
    """The error if the login is the cause, and not the network; else None."""
    words = " ".join(str(error).split())
    if _is_forbidden(error, words):
        return ConfigurationError(f"{uri} may not be used with the present credentials ({words}): {LOGIN}.")
    if _is_login(error):
        return ConfigurationError(f"the credentials for {uri} do not work ({words}): {LOGIN}.")
    return None


def _is_forbidden(error: Exception, words: str) -> bool:
    return isinstance(error, PermissionError) or getattr(error, "code", None) == FORBIDDEN or "Forbidden" in words


def _is_login(error: Exception) -> bool:
    """A malformed, revoked or expired key; not an unreachable login service."""
    name, module = type(error).__name__, type(error).__module__
    refused = getattr(error, "code", None) == UNAUTHORIZED or name == "NonRetryableError"
    return refused or isinstance(error, KeyError) or (module.startswith("google.auth") and name != "TransportError")
