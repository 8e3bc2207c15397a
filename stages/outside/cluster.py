"""Partitions on a Dask cluster: started by others, of the same code, with the same libraries.

A worker's results are let go as they are read, so that losing it repeats only what it was at.
*Errors*: `ConfigurationError` (exit 5) without Dask, scheduler or workers, with workers of other code, and when the
cluster is lost.
*Source*: distributed 2026.8, `Client.map` (shared arguments stay recomputable), `as_completed`.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from stages.errors import ConfigurationError

P = TypeVar("P")
R = TypeVar("R")
CONNECT_SEC = 10
WORKERS_SEC = 30
INSTALL = "uv pip install -r pyproject.toml --extra cluster"
SAME = ("numpy", "polars")


def on_cluster(
    named: Callable[[str, P], tuple[str, R]], partitions: Mapping[str, P], address: str
) -> Iterator[tuple[str, R]]:
    """Records in the order in which workers finish."""
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.client import FutureCancelledError
    except ImportError:
        raise ConfigurationError(f"ENGINE names a Dask cluster, and Dask is not installed: `{INSTALL}`.") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it prints tracebacks of what we tell in a sentence
    with _told(Client, address) as client:
        try:
            # let go of each future as it is read, or the loss of a worker repeats all that it ever did
            futures = client.map(
                _on_worker, list(partitions), list(partitions.values()), named=named, expected=fingerprint(), pure=False
            )
            waiting: Iterator[Any] = as_completed(futures, loop=client.loop)  # type: ignore[no-untyped-call]
            del futures
            for future in waiting:
                yield future.result()
                future.release()
        except KilledWorker as error:
            raise ConfigurationError(
                f"several workers of {address} ended at the same partition (out of memory?): {error}"
            ) from None
        except (FutureCancelledError, OSError):
            raise ConfigurationError(
                f"the Dask cluster at {address} was lost; nothing was written. Start it, then run again."
            ) from None


def _told(client: Any, address: str) -> Any:
    try:
        opened = client(address, timeout=CONNECT_SEC, set_as_default=False)
    except OSError:
        raise ConfigurationError(
            f"no Dask scheduler answers at {address}: start one (`dask scheduler`), or correct ENGINE."
        ) from None
    try:
        opened.wait_for_workers(1, timeout=WORKERS_SEC)
    except TimeoutError:
        opened.close()
        raise ConfigurationError(
            f"the Dask scheduler at {address} has no workers: `dask worker {address}`, in this repository."
        ) from None
    return opened


def _on_worker(key: str, partition: P, named: Callable[[str, P], tuple[str, R]], expected: str) -> tuple[str, R]:
    if fingerprint() != expected:
        raise ConfigurationError(
            f"a worker does not run the driver's code and versions of {SAME}: start the workers anew, from this commit."
        )
    return named(key, partition)


@cache
def fingerprint() -> str:
    """What the stages here would compute: a digest of their code as this process met it, and of its libraries."""
    digest = hashlib.sha256(repr([version(name) for name in SAME]).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
