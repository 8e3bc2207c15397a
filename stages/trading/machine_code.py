"""Compiled functions whose machine code is kept on the disk, for every copy of their file and for later runs.

*Source*: numba 0.68, whose cache keeps a folder per path of a file, so that each clone and each queued experiment would
compile anew. Numba's files are pickles: they are read only from folders of the user who wrote them.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import numba
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba import config, njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.runtime.nrt import rtsys

Settings: Any = config  # numba's calls have no types
UsersFolder: Any = UserWideCacheLocator
Files: Any = CompileResultCacheImpl
NumbasCache: Any = FunctionCache

OPTIONS: Any = {"nogil": True}  # of the compiler


class OfContent(UsersFolder):  # type: ignore[misc]
    """A cache folder in the user's home for each content of the source file and each kind of processor."""

    @classmethod
    def get_suitable_cache_subpath(cls, _: str) -> str:
        """A name by processor: machines may share a home, and the code of one may crash another."""
        machine = get_host_cpu_name(), get_host_cpu_features().flatten(), Settings.CPU_NAME, Settings.CPU_FEATURES
        return hashlib.sha256(repr((numba.__version__, machine)).encode()).hexdigest()[:16]

    def get_cache_path(self) -> str:
        """The folder's path, with the hash of the source file's content."""
        return f"{super().get_cache_path()}-{self.get_source_stamp().hex()}"

    def ensure_cache_path(self) -> None:
        """Make the folder; a user without a home has none, and numba would make one in the current folder."""
        if not self.get_cache_path().startswith("/"):
            raise OSError
        super().ensure_cache_path()


class SharedFiles(Files):  # type: ignore[misc]
    """Files where NUMBA_CACHE_DIR says, else in the user's folder, else beside the source."""

    _locator_classes = (UserProvidedCacheLocator, OfContent, InTreeCacheLocator)


class MachineCode(NumbasCache):  # type: ignore[misc]
    """Numba's cache of a compiled function, whose errors stop no run: a file torn by a crash is compiled again.

    Cached code is loaded without numba's compiler, which takes half a second to import. Processes that save at the same
    time may mix up their files, so cached code is used only if its argument types match.
    *Source*: numba 0.68, where a torn file would stop every later run (numba/numba#10434). Numba's own `load_overload`
    refreshes the whole compilation target; cached code needs only its runtime.
    """

    _impl_class = SharedFiles

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Numba's key and the options, which are in this file, whose edits numba does not notice."""
        return *super()._index_key(sig, codegen), repr(OPTIONS)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The cached code, or None if none can be read."""
        try:
            rtsys.initialize(target_context)
            found = self._load_overload(sig, target_context)
            return found if found is None or tuple(found.signature.args) == tuple(sig) else None
        except Exception:  # a torn pickle may raise anything
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save compiled code; without room on the disk nothing is saved."""
        with suppress(Exception):  # a full disk may hold a torn index, and a torn pickle may raise anything
            super().save_overload(sig, data)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled by numba; its machine code is cached if a cache folder is writable."""
    kernel: Any = njit(**OPTIONS)(function)
    with suppress(RuntimeError):  # no writable folder: each process compiles it
        kernel._cache = MachineCode(function)
    return cast(Callable[..., Any], kernel)
