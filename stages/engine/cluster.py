"""Partitions on a Dask cluster, which the user starts with the libraries of the run and the code on every worker.

A task is sent as bytes and a function by value: the scheduler needs none of our code, and a worker without it can
report that. Results are released as they are read, so losing a worker repeats only its current task.

*Errors*: `ConfigurationError` (exit 5) without Dask, scheduler or workers; when a machine, named by its address, has
other code or versions; when it needs files of the driver that it does not see; and when the cluster is lost.
*Source*: distributed 2026.8: `Client.map`, `Client.get_versions`, `as_completed`.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from stages.errors import ConfigurationError
from stages.io.atomic import marker
from stages.io.partitions import Rows

P = TypeVar("P")
R = TypeVar("R")
ARTIFACTS = Path("artifacts")
CONNECT_SEC = 10
WORKERS_SEC = 30
TLS = "DASK_DISTRIBUTED__COMM__TLS__"
START_WORKER = "PYTHONPATH=. dask worker"
INSTALL = "uv pip install -r pyproject.toml --extra cluster"
DECIDE_BYTES = ("numpy", "polars")
READ_TASKS = ("python", "dask", "distributed", "cloudpickle")


def on_cluster(
    named: Callable[[str, P], tuple[str, R]], partitions: Mapping[str, P], address: str
) -> Iterator[tuple[str, R]]:
    """Results in the order in which workers finish."""
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.client import FutureCancelledError
        from distributed.protocol import pickle
    except ImportError:
        raise ConfigurationError(f"ENGINE names a Dask cluster, but Dask is not installed: run `{INSTALL}`.") from None
    logging.getLogger("distributed").setLevel(
        logging.CRITICAL
    )  # it prints tracebacks for what we explain in a sentence
    with _connected(Client, address) as client, marker(ARTIFACTS) as seen_here:
        dumps: Callable[[Any], bytes] = pickle.dumps
        try:
            # release each future as it is read; otherwise losing a worker repeats all its tasks
            futures = client.map(
                _task(dumps(named), code_and_versions(), seen_here),
                list(partitions),
                [dumps(_sent(partition)) for partition in partitions.values()],
                pure=False,
            )
            waiting: Iterator[Any] = as_completed(futures, loop=client.loop)  # type: ignore[no-untyped-call]
            del futures
            for future in waiting:
                worker, lack, record = future.result()
                if lack:
                    raise ConfigurationError(
                        f"the worker at {worker} runs {lack}: restart it in the repository at this commit with "
                        f"`{START_WORKER} {address}`."
                    )
                yield record
                future.release()
        except KilledWorker as error:
            raise ConfigurationError(
                f"several workers of {address} ended at the same partition (out of memory?): {error}. Give workers "
                "more memory, then run again."
            ) from None
        except (FutureCancelledError, OSError):
            raise ConfigurationError(
                f"the Dask cluster at {address} was lost; nothing was written. Start it, then run again."
            ) from None


def _sent(partition: Any) -> Any:
    """The partition as it is sent to a worker: rows of a file of the driver are sent as data."""
    if not isinstance(partition, tuple):
        return partition
    return tuple(one.sent() if isinstance(one, Rows) else one for one in partition)


def _connected(client: Any, address: str) -> Any:
    try:
        opened = client(address, timeout=CONNECT_SEC, set_as_default=False)
    except OSError:
        raise ConfigurationError(
            f"no Dask scheduler answers at {address}: start one (`dask scheduler`), or correct ENGINE."
        ) from None
    except (RuntimeError, TypeError):
        if not address.startswith("tls:"):
            raise
        raise ConfigurationError(
            f"the connection to {address} needs a certificate: export {TLS}CA_FILE, {TLS}CLIENT__CERT and "
            f"{TLS}CLIENT__KEY, as docs/SCALING.md shows."
        ) from None
    try:
        opened.wait_for_workers(1, timeout=WORKERS_SEC)
        validate_versions(opened.get_versions(), address)
    except TimeoutError:
        opened.close()
        raise ConfigurationError(
            f"the Dask scheduler at {address} has no workers: start one in this repository with `{START_WORKER} "
            f"{address}`."
        ) from None
    except ConfigurationError:
        opened.close()
        raise
    return opened


def validate_versions(versions: Mapping[str, Any], address: str) -> None:
    """Refuse a machine that could not read a task, by the result of `Client.get_versions`."""
    here = _versions(versions["client"])
    machines = {f"scheduler at {address}": versions["scheduler"]}
    machines |= {f"worker at {worker}": found for worker, found in versions["workers"].items()}
    for machine, found in machines.items():
        other = [f"{name} {there}" for name, there in _versions(found).items() if there != here[name]]
        if other:
            wanted = ", ".join(f"{name} {one}" for name, one in here.items())
            raise ConfigurationError(
                f"the {machine} runs {', '.join(other)}, but this run uses {wanted}: restart it with these versions."
            )


def _versions(found: Mapping[str, Any]) -> dict[str, str]:
    """For Python only the first two numbers: byte code is compatible within them."""
    packages = {name: str(found["packages"].get(name)) for name in READ_TASKS}
    return packages | {"python": ".".join(packages["python"].split(".")[:2])}


def _task(named: bytes, wanted: dict[str, str], seen_here: Path) -> Callable[[str, bytes], tuple[str, str, Any]]:
    """What a worker runs. It is nested, so it is sent by value and neither scheduler nor worker must import it.

    It carries what all tasks share: a large keyword argument of `Client.map` would become a key shared with other runs
    of the cluster.
    """

    def task(key: str, partition: bytes) -> tuple[str, str, Any]:
        """The worker's address, what it lacks for the work (None if nothing), and the result."""
        from distributed import get_worker
        from distributed.protocol import pickle

        worker = str(get_worker().address)
        loads: Callable[[bytes], Any] = pickle.loads
        try:
            from stages.engine.cluster import code_and_versions
        except ImportError as error:
            return worker, f"without the stages' code ({error})", None
        found = code_and_versions()
        if other := [name for name in wanted if found.get(name) != wanted[name]]:
            return worker, f"with other {' and '.join(other)} than this run", None
        from stages.io.partitions import on_worker

        with on_worker(seen_here):
            return worker, "", loads(named)(key, loads(partition))

    return task


@cache
def code_and_versions() -> dict[str, str]:
    """What determines the results here: a digest of the code when this process started, and library versions."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return {"code": digest.hexdigest()} | {name: version(name) for name in DECIDE_BYTES}
