"""A real Dask cluster on loopback: one `dask scheduler`, and `dask worker` processes that can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.gcs_server import free_port

ROOT = Path(__file__).parents[2]
DASK = Path(sys.executable).with_name("dask")
SCHEDULER = ["--host", "127.0.0.1", "--no-dashboard", "--no-show"]
QUIET = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False", "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s"}
WORKER = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]


@dataclass
class Cluster:
    """Processes of a cluster; `engine` is what ENGINE names."""

    port: int
    code: Path
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def engine(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def start_worker(self, code: Path | None = None) -> None:
        """A further worker with the code of this cluster, or other code; it serves after a second or two."""
        command = [DASK, "worker", f"tcp://127.0.0.1:{self.port}", *WORKER, "--local-directory", self.folder]
        self.workers.append(_started(command, code or self.code, self.folder / f"worker-{len(self.workers)}.log"))

    def until_it_serves(self, workers: int) -> None:
        """Wait for this many workers."""
        from distributed import Client  # slow to load, and most workers meet no cluster

        with Client(f"tcp://127.0.0.1:{self.port}", timeout=30, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=60)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """As a machine that lost its power."""
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(folder: Path, *, workers: int = 2, code: Path = ROOT) -> Iterator[Cluster]:
    """Workers that import the code that lies at `code`, and a scheduler that knows none."""
    port = free_port()
    scheduler = _started([DASK, "scheduler", "--port", str(port), *SCHEDULER], folder, folder / "scheduler.log")
    running = Cluster(port, code, folder, scheduler)
    try:
        for _ in range(workers):
            running.start_worker()
        running.until_it_serves(workers)
        yield running
    finally:
        for process in (*running.workers, scheduler):
            process.kill()
            process.wait()


def _started(command: list[str | Path], code: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=code, env={**os.environ, **QUIET, "PYTHONPATH": str(code)}, stdout=output, stderr=output
        )


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until other processes make the condition hold; fail if they never do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)
