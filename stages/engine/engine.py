"""The engine: where per-symbol work runs, in a loop, in processes of this machine or on a Dask cluster.

`ENGINE` in the environment, or else the untracked file `.engine` of the main repository, chooses it: `loop`, `local:4`,
`dask://host:port`, `dask+tls://host:port`. Without either, many partitions are worked on by a few processes, and few by
a loop. Results are small and returned sorted by key; nothing hashed depends on the engine. An engine may run a
partition more than once, so only the driver process may spend money.
`OnTables` and `SymbolTask` make a pure function a task on partitions.

*Errors*: those of the work, with its key; `ConfigurationError` (exit 5) when the engine is not available or is lost,
and when work on a partition opens the paid backend.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import polars as pl

from stages.errors import ConfigurationError, at_work_on
from stages.io.partitions import Partition, Rows, Writer
from stages.io.terminal import progress
from stages.io.workspace import main_root

_partition: ContextVar[str | None] = ContextVar("partition", default=None)


@contextmanager
def in_partition(key: str) -> Iterator[None]:
    """Mark the code in the block as work on partition `key`, in this process or on another machine."""
    token = _partition.set(key)
    try:
        yield
    finally:
        _partition.reset(token)


def require_driver(what: str) -> None:
    """Refuse, within work on a partition, what must happen at most once."""
    key = _partition.get()
    if key is not None:
        raise ConfigurationError(
            f"work on partition {key} tried to open {what}: only the driver may buy, since an engine may run a "
            "partition twice. Ask in the stage's main(), outside of engine.run."
        )


P = TypeVar("P")
R = TypeVar("R")
Work = Callable[[str, P], R]
Named = Callable[[str, P], tuple[str, R]]
Engine = Callable[[Named[P, R], Mapping[str, P]], Iterator[tuple[str, R]]]

CHOICE_FILE = ".engine"
CLUSTERS = {"dask": "tcp", "dask+tls": "tls"}  # our scheme -> that of Dask
LOOK_SEC = 5.0
FEW_PARTITIONS = 16  # for so few, starting processes takes longer than it saves
MOST_PROCESSES = 4  # unless ENGINE says so: each holds a symbol's span


def run(work: Work[P, R], partitions: Mapping[str, P], label: str) -> dict[str, R]:
    """`work(key, partition)` of every partition, by key, sorted. `work` is importable and may run more than once.

    The first failure ends the run: partitions that have not started never start.
    """
    return dict(each(work, partitions, label))


def each(work: Work[P, R], partitions: Mapping[str, P], label: str) -> Iterator[tuple[str, R]]:
    """Like `run`, but yields each result as soon as it and all before it are done, so none need stay in memory."""
    keys, waiting = iter(sorted(partitions)), dict[str, R]()
    done = chosen_engine(len(partitions))(partial(_named, work), dict(sorted(partitions.items())))
    next_key = next(keys, None)
    for key, result in progress(done, label, len(partitions)):
        waiting[key] = result
        while next_key in waiting:
            yield next_key, waiting.pop(next_key)
            next_key = next(keys, None)


def chosen_engine(partitions: int) -> Engine[Any, Any]:
    """The engine that the environment or the file `.engine` names, or else one that suits the number of partitions."""
    file = main_root() / CHOICE_FILE
    choice = os.environ.get("ENGINE") or (file.read_text(encoding="utf-8").strip() if file.exists() else "")
    if not choice:
        processes = min(pl.thread_pool_size(), MOST_PROCESSES) if partitions > FEW_PARTITIONS else 1
        choice = f"local:{processes}" if processes > 1 else "loop"
    kind, _, rest = choice.partition(":")
    if choice == "loop":
        return _loop
    if kind == "local" and rest.isdecimal() and int(rest) > 0:
        return partial(_pool, processes=int(rest))
    if kind in CLUSTERS and rest.removeprefix("//").rpartition(":")[2].isdecimal():
        from stages.engine.cluster import on_cluster  # only a cluster needs Dask

        return partial(on_cluster, address=f"{CLUSTERS[kind]}:{rest}")
    raise ConfigurationError(
        f"ENGINE (or {CHOICE_FILE}) is {choice!r}: set it to loop, local:2, dask://host:8786 or dask+tls://host:8786."
    )


def _named(work: Work[P, R], key: str, partition: P) -> tuple[str, R]:
    """The key and the result; errors name the key."""
    with at_work_on(key), in_partition(key):
        return key, work(key, partition)


def _loop(named: Named[P, R], partitions: Mapping[str, P]) -> Iterator[tuple[str, R]]:
    for key, partition in partitions.items():
        yield named(key, partition)


def _pool(named: Named[P, R], partitions: Mapping[str, P], processes: int) -> Iterator[tuple[str, R]]:
    from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait

    threads = max(1, pl.thread_pool_size() // processes)  # of the cores that this process, or container, may use
    for name in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"):  # for the child processes; here both have started
        os.environ.setdefault(name, str(threads))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_driver)
    try:
        pending = {pool.submit(named, key, partition) for key, partition in partitions.items()}
        started = len(multiprocessing.active_children())
        while pending:
            done, pending = wait(pending, LOOK_SEC, FIRST_COMPLETED)
            yield from (future.result() for future in done)
            if not done and len(multiprocessing.active_children()) < started:
                raise BrokenExecutor  # a child killed during its start can leave the pool waiting for ever
    except BrokenExecutor:
        for child in multiprocessing.active_children():
            child.terminate()
        raise ConfigurationError(
            f"a process of ENGINE local:{processes} ended before its partition did (killed, or out of memory); nothing "
            "was written. Run again, with fewer processes (ENGINE=loop) if memory was short."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_driver() -> None:
    """A child process ends when its driver ends, for whatever reason."""

    def wait_and_end() -> None:
        driver = multiprocessing.parent_process()
        if driver is not None:
            driver.join()
            os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


@dataclass(frozen=True)
class OnTables(Generic[R]):
    """A task on partitions, or on rows of a file, whose result is small and returned directly."""

    pure: Callable[..., R]

    def __call__(self, key: str, given: tuple[object, ...]) -> R:
        """`pure(key, *given)`, with each partition and each symbol's rows among `given` replaced by their table."""
        return self.pure(key, *(one.read() if isinstance(one, Partition | Rows) else one for one in given))


@dataclass(frozen=True)
class SymbolTask(Generic[R]):
    """A task that computes a table from a partition and writes it where the stage keeps its tables."""

    pure: Callable[..., tuple[pl.DataFrame, R]]
    writer: Writer

    def __call__(self, key: str, given: tuple[object, ...]) -> tuple[Partition, R]:
        """The partition that holds the table, and the record of the work."""
        frame, record = OnTables(self.pure)(key, given)
        return self.writer.write(key, frame), record
