"""DVC's default remote as an object store that machines share.

Under the precondition that an object must not exist yet, a bucket creates it at most once. If the reply is lost, it is
unknown who created it: the object is read back, and it is ours if it holds our bytes. So the content of whatever must
be exclusive includes a nonce.

*Errors*: `StoreUnreachable` within seconds when the remote does not answer; `StoreRefused` where it refuses the login
or has no such bucket; `ConfigurationError` for a remote of another kind.
*Source*: Cloud Storage, request preconditions (`ifGenerationMatch=0`); gcsfs 2026.10 `mode="create"`.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stages.errors import BudgetStop, ConfigurationError, PipelineError
from stages.io.bucket_access import (
    FIRST_ANSWER_SEC,
    GOOGLE,
    any_object_of,
    connect,
    logged_in,
    refusal,
    require_welcome,
)
from stages.io.dvc_internals import gcs_arguments
from stages.io.object_store import LocalStore, ObjectStore, StoreRefused, StoreUnreachable
from stages.io.terminal import print_to_stderr
from stages.io.workspace import Remote, default_remote
from stages.params.api import ApiParams

if TYPE_CHECKING:
    import httpx

OPERATION_SEC = 10.0
READ_BACKS = 3
AT_ONCE = 64


class BucketStore:
    """A folder of a bucket, through an asynchronous fsspec file system. Each operation first connects to `endpoint`."""

    def __init__(self, fs: Any, root: str, endpoint: str) -> None:
        self.fs = fs
        self.root = root.strip("/")
        self.endpoint = endpoint
        self.patience_sec = FIRST_ANSWER_SEC  # until it has answered once

    @property
    def address(self) -> str:
        """Endpoint, bucket and folder."""
        return f"{self.endpoint}/{self.root}"

    def names(self, folder: str) -> list[str]:
        """The names directly in `folder`, sorted."""
        path = f"{self.root}/{folder}".rstrip("/")
        try:
            entries = self._do(self.fs._ls, path, detail=False)  # fsspec's awaitable form
        except FileNotFoundError:
            return []
        return sorted(entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry.strip("/") != path)

    def read(self, name: str) -> bytes | None:
        """The content, or None if there is no such object."""
        try:
            return bytes(self._do(self.fs._cat_file, f"{self.root}/{name}"))
        except FileNotFoundError:
            return None

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of those that exist, read in parallel."""
        found: dict[str, bytes] = {}
        wanted = list(names)
        for start in range(0, len(wanted), AT_ONCE):
            found |= self._do(self._read_together, wanted[start : start + AT_ONCE])
        return found

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """Write a new object; False if the name holds other bytes. Never returns True twice for one name and nonce."""
        path = f"{self.root}/{name}"
        try:
            self._do(self.fs._pipe_file, path, content, mode="create")
        except (StoreUnreachable, StoreRefused, FileExistsError) as error:  # who may only add is refused a taken name
            return self._is_ours(name, content, error)
        except FileNotFoundError:
            raise _no_bucket(f"gs://{self.root}") from None
        return True

    def swap(self, name: str, old: bytes, new: bytes) -> bool:
        """Replace an object that still holds `old`, under the precondition of its generation."""
        path = f"{self.root}/{name}"
        try:
            generation = self._do(self.fs._get_object, path)["generation"]
            if self.read(name) != old:
                return False
            self._do(self._overwrite, path, generation, new)
        except FileNotFoundError:
            return False
        except FileExistsError:  # a newer generation: another writer's, or ours if the reply was lost
            return self.read(name) == new
        return True

    def require_writable(self) -> None:
        """*Errors*: `StoreRefused` if this login may not write. An upload is begun and never ended: nothing appears."""
        from gcsfs.core import initiate_upload

        bucket, key, _ = self.fs.split_path(f"{self.root}/writable")
        self._do(initiate_upload, self.fs, bucket, key)

    async def _overwrite(self, path: str, generation: str, content: bytes) -> None:
        """One multipart upload. gcsfs itself supports only the precondition that the name is free."""
        bucket, key, _ = self.fs.split_path(path)
        boundary = uuid.uuid4().hex
        facts = json.dumps({"name": key})
        head = f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{facts}\r\n--{boundary}\r\n\r\n"
        await self.fs._call(
            "POST",
            f"{self.fs._location}/upload/storage/v1/b/{bucket}/o",
            uploadType="multipart",
            ifGenerationMatch=generation,
            headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
            data=head.encode() + content + f"\r\n--{boundary}--".encode(),
        )

    def _is_ours(self, name: str, content: bytes, reason: Exception) -> bool:
        for _ in range(READ_BACKS):
            try:
                there = self.read(name)
            except StoreUnreachable:
                continue
            if there is not None:
                return there == content
        if isinstance(reason, StoreRefused):
            raise reason
        raise StoreUnreachable(f"{name} may or may not have been written ({reason})") from reason

    async def _read_together(self, names: list[str]) -> dict[str, bytes]:
        tasks = [self.fs._cat_file(f"{self.root}/{name}") for name in names]
        contents = await asyncio.gather(*tasks, return_exceptions=True)
        found = {}
        for name, content in zip(names, contents, strict=True):
            if isinstance(content, bytes):
                found[name] = content
            elif not isinstance(content, FileNotFoundError):
                raise content
        return found

    def _do(self, action: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> Any:
        from fsspec.asyn import sync  # imported only for remotes: it is slow

        _require_answer(self.endpoint)
        try:
            done = sync(self.fs.loop, action, *args, timeout=self.patience_sec, **kwargs)
        except (FileNotFoundError, FileExistsError):
            self.patience_sec = OPERATION_SEC
            raise
        except TimeoutError as error:
            with suppress(StoreUnreachable):  # it may be refused meanwhile, which the client repeats
                _let_in(f"gs://{self.root}", lambda: self.fs)
            raise StoreUnreachable(f"{self.endpoint} gives no answer within {self.patience_sec:g} s") from error
        except KeyError as error:  # not of the login, which `open_remote` has checked
            raise StoreUnreachable(f"gs://{self.root} fails (its reply has no {error})") from error
        except Exception as error:
            raise _failure(f"gs://{self.root}", error) from error
        self.patience_sec = OPERATION_SEC
        return done


def _no_bucket(uri: str) -> StoreRefused:
    bucket = uri.split("/")[2]
    return StoreRefused(f"there is no bucket {bucket!r}: correct the url of DVC's default remote.")


def _failure(uri: str, error: Exception) -> PipelineError:
    """The error of a failing operation on a bucket."""
    if refused := refusal(uri, error):
        return StoreRefused(str(refused))
    return StoreUnreachable(f"{uri} fails ({type(error).__name__}: {' '.join(str(error).split())})")


def open_remote(remote: Remote) -> ObjectStore:
    """The `forecasts/` folder of DVC's default remote. A bucket must answer once, within seconds."""
    scheme = urlsplit(remote.url).scheme
    if not scheme:
        return _open_folder(remote)
    if scheme not in {"gs", "gcs"}:
        raise ConfigurationError(
            f"DVC's default remote {remote.name!r} is {scheme}://, which cannot share answers (a folder or gs:// can): "
            "set api.share: false, or change core.remote."
        )
    endpoint = remote.options.get("endpointurl") or GOOGLE
    _require_answer(endpoint)
    filesystem, answer = _let_in(remote.url, lambda: _file_system(remote))
    objects = BucketStore(filesystem, remote.url.split("://", 1)[1].rstrip("/") + "/forecasts", endpoint)
    if answer.is_server_error:
        objects.names("budget/limits")  # the client asks again for seconds: a hiccup is no remote that is down
    return objects


def _let_in(uri: str, open_filesystem: Callable[[], Any]) -> "tuple[Any, httpx.Response]":
    """The file system of a bucket, and what it answers to one request without the client.

    The client would repeat for half a minute what the bucket or the login service refuses.
    """
    try:
        bucket = uri.split("/")[2]
        filesystem, headers = logged_in(bucket, open_filesystem)
        answer = any_object_of(filesystem, bucket, headers)
        if not answer.is_server_error:
            require_welcome(answer, uri)
    except FileNotFoundError:
        raise _no_bucket(uri) from None
    except PipelineError as error:
        raise StoreRefused(str(error)) from None
    except Exception as error:
        raise _failure(uri, error) from error
    return filesystem, answer


def needs_network(remote: Remote) -> bool:
    """Whether the remote is anything but a local folder."""
    return bool(urlsplit(remote.url).scheme)


def _require_answer(endpoint: str) -> None:
    try:
        connect(endpoint)
    except OSError as error:
        raise StoreUnreachable(str(error)) from None


def _open_folder(remote: Remote) -> LocalStore:
    folder = Path(remote.url)
    if not folder.parent.is_dir():
        raise StoreUnreachable(f"the folder {folder.parent} does not exist (is a disk unmounted?)")
    return LocalStore(folder / "forecasts")


def _file_system(remote: Remote) -> Any:
    """A gcsfs file system that reads the remote's options as DVC does."""
    from gcsfs import GCSFileSystem

    arguments = gcs_arguments(remote.url, remote.options)
    return GCSFileSystem(**{**arguments, "use_listings_cache": False, "skip_instance_cache": True})


def shared_store(api: ApiParams) -> ObjectStore | None:
    """The shared store, if `api.share` is set; in offline mode only if it is a local folder."""
    remote = default_remote() if api.share else None
    if remote is None or (api.mode == "offline" and needs_network(remote)):
        return None
    try:
        return open_remote(remote)
    except (StoreUnreachable, StoreRefused) as error:
        needed = api.remote_down == "stop" or (api.scope == "remote" and api.mode == "online")
        if needed and isinstance(error, StoreRefused):
            raise
        down = f"DVC's default remote {remote.name!r} is down: {error}".rstrip(".")
        if needed:
            raise BudgetStop(
                f"{down}. Run again when it answers; api.remote_down stop or api.scope remote requires it."
            ) from None
        print_to_stderr(f"{down}; this run continues with the local answers.")
        return None
