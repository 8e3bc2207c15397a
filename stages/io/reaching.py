"""What goes wrong between us and a bucket, in one sentence each and within seconds.

A client tries for half a minute before it says that nobody answers, and names a missing login by the field it misses;
so the way is tried once, quickly, before the first file is asked for.
*Errors*: `DataContractError` (exit 2) where something is not there; `ConfigurationError` (exit 5) where the address,
the network or the credentials are wrong.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
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
LOGIN_SEC = 3.0
FIRST_ANSWER_SEC = 3.0
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
GOOGLE = "https://storage.googleapis.com"
SOURCE = "source.uri_template"
LOGIN = "log in by `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


def open_uri(uri: str, base: Path, param: str = SOURCE) -> "tuple[fsspec.AbstractFileSystem, str]":
    """The file system of a url and the path in it; a path without protocol starts at `base`, or at home after a ~."""
    fsspec = _fsspec()
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it prints the traceback of what we tell in a sentence
    with told(uri, param):
        filesystem, path = fsspec.url_to_fs(uri if "://" in uri else str(base / Path(uri).expanduser()))
        return filesystem, path


def _fsspec() -> Any:
    """The library, set up for buckets; only who leaves the workspace pays for its import."""
    import fsspec

    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else every bucket costs a minute to open
    return fsspec


def is_remote(uri: str) -> bool:
    """Whether reading means a journey over the network."""
    return "://" in uri and not uri.startswith("file://")


def connect(endpoint: str) -> None:
    """One quick connection to a service: `OSError` within `CONNECT_SEC`, where a client tries for half a minute."""
    address = urlsplit(endpoint if "//" in endpoint else f"http://{endpoint}")
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_SEC).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers at {address.hostname}:{port} ({error})") from error


def preflight(uri: str, param: str = SOURCE) -> None:
    """Connect to a bucket, log in, and ask once for an object, or for any if `uri` is still a template.

    Other protocols are not tried before they are used.
    """
    if not uri.startswith("gs://"):
        return
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    with told(uri, param):
        connect(os.environ.get("STORAGE_EMULATOR_HOST") or GOOGLE)
        base, headers = _logged_in(bucket, param)
        objects = f"{base}b/{bucket}/o"
        answer = _ask(f"{objects}?maxResults=1" if "{" in name else f"{objects}/{quote(name, safe='')}", headers)
        if answer.status_code == NOT_FOUND and "{" not in name:
            answer = _ask(f"{base}b/{bucket}", headers)  # an object that is gone is told by whoever reads it
        _require_welcome(answer, uri)


def _logged_in(bucket: str, param: str) -> tuple[str, dict[str, str]]:
    """The address of the service and the headers of a login; some ways to log in wait for minutes."""
    found: Future[tuple[str, dict[str, str]]] = Future()
    _fsspec().get_filesystem_class("gs")  # imported before the clock runs

    def log_in() -> None:
        try:
            filesystem, _ = open_uri(f"gs://{bucket}", Path(), param)
            headers: dict[str, str] = {}
            filesystem.credentials.apply(headers)
            found.set_result((filesystem.base, headers))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=log_in, daemon=True).start()
    try:
        return found.result(LOGIN_SEC)
    except TimeoutError:
        raise ConfigurationError(
            f"no login to bucket {bucket!r} within {LOGIN_SEC:g} s: {LOGIN}; without a login set FSSPEC_GS_TOKEN=anon."
        ) from None


def _ask(url: str, headers: dict[str, str]) -> "httpx.Response":
    import httpx  # only who leaves the workspace pays for its import

    return httpx.get(url, headers=headers, timeout=FIRST_ANSWER_SEC)


def _require_welcome(answer: "httpx.Response", uri: str) -> None:
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
def told(uri: str, param: str = SOURCE) -> Iterator[None]:
    """Whatever the block raises, as one sentence about `uri`, which `param` led to."""
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
        where = f" (is bucket {bucket!r} there?)" if uri.startswith("gs://") else ""
        return DataContractError(f"{uri} is not there{where}: correct {param}, or put it back.")
    if _is_forbidden(error, words):
        return ConfigurationError(f"{uri} may not be read with the present credentials ({words}): {LOGIN}.")
    if _is_login(error):
        return ConfigurationError(f"the credentials for {uri} do not work ({words}): {LOGIN}.")
    if isinstance(error, ImportError | ValueError):
        return ConfigurationError(f"{uri} cannot be opened ({words}): correct {param}.")
    reason = words or type(error).__name__
    return ConfigurationError(f"{uri} does not answer ({reason}): check the network, then run again.")


def _is_forbidden(error: Exception, words: str) -> bool:
    return isinstance(error, PermissionError) or getattr(error, "code", None) == FORBIDDEN or "Forbidden" in words


def _is_login(error: Exception) -> bool:
    """A key that is malformed, revoked or expired; but not a login service that is out of reach."""
    name, module = type(error).__name__, type(error).__module__
    refused = getattr(error, "code", None) == UNAUTHORIZED or name == "NonRetryableError"
    return refused or isinstance(error, KeyError) or (module.startswith("google.auth") and name != "TransportError")
