"""Many buyers at once, each a process of its own, for tests that race, stop or kill them.

Children come from a fork server that has imported the SDK already, so that starting one takes milliseconds.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from stages.errors import PipelineError
from stages.io.object_store import LocalStore
from stages.io.terminal import run
from stages.paid.backend import PaidBackend
from stages.paid.reservations import ReservationLog, held
from stages.runs.trial_log import TrialLog
from stages.trading.trials import Entry
from tests.support.cluster import until as until
from tests.support.contexts import ContextFactory, questions
from tests.support.timegpt_server import KEY, TimeGPTServer

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.crowd", "stages.paid.timegpt", "gcsfs"])
PHASES = ("claimed", "reserved", "sent", "storing", "stored")
"""Where a buyer can be: at the snapshot's lock, a reservation, a request, an answer in memory, an answer on disk."""


def at_length(kills: int) -> int:
    """So many kills or races under `make torture`; a tenth of them elsewhere."""
    return kills if os.environ.get("AT_LENGTH") else kills // 10


def buy(
    contexts: ContextFactory, symbols: Sequence[str], snapshots: range, api: dict[str, Any], stop_at: str | None = None
) -> None:
    """One run of a buyer; ends with the exit code a stage would give."""
    os.environ["NIXTLA_API_KEY"] = KEY
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # until this process ends
    try:
        backend = contexts.backend(**api)
        if stop_at:
            _stop_itself(backend, stop_at)
        backend.answer(questions(symbols, snapshots))
    except PipelineError as error:
        os._exit(error.exit_code)
    os._exit(0)


def start(
    contexts: ContextFactory, symbols: Sequence[str], snapshots: range, stop_at: str | None = None, **api: Any
) -> BaseProcess:
    """A buyer on its way; `stop_at` has it stop itself (SIGSTOP) where a phase begins, once."""
    process = CONTEXT.Process(target=buy, args=(contexts, symbols, snapshots, api, stop_at))
    process.start()
    return process


def buy_as_stage(
    contexts: ContextFactory, symbols: Sequence[str], snapshots: range, api: dict[str, Any], told: Path
) -> None:
    """The same as a stage does it: what it says lies in `told`, also a traceback."""
    os.environ["NIXTLA_API_KEY"] = KEY
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a test run under nohup ignores it
    sys.stderr = told.open("w")
    run(lambda: contexts.backend(**api).answer(questions(symbols, snapshots)) and None)


def start_stage(
    contexts: ContextFactory, symbols: Sequence[str], snapshots: range, told: Path, **api: Any
) -> BaseProcess:
    """A stage on its way, for signals."""
    process = CONTEXT.Process(target=buy_as_stage, args=(contexts, symbols, snapshots, api, told))
    process.start()
    return process


def append(folder: Path, entries: int, tells: Connection) -> None:
    """Add so many entries of fifty variants to a trial log, one after the other, and tell of each."""
    log = TrialLog(LocalStore(folder), None)
    for number in range(entries):
        log.add(Entry("market", "study", variants=tuple(f"v{number}-{i}" for i in range(50))))
        tells.send(number)


def _stop_itself(backend: PaidBackend, phase: str) -> None:
    context, client = backend.context, backend.buyer._client
    owner, name = {
        "claimed": (context.ledger, "reserve"),
        "reserved": (client, "forecast"),
        "sent": (client._client, "_arriving"),
        "storing": (context.store, "keep"),
        "stored": (context.ledger, "settle"),
    }[phase]
    method, stopped = getattr(owner, name), []

    def stop_first(*arguments: Any, **options: Any) -> Any:
        if not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        return method(*arguments, **options)

    setattr(owner, name, stop_first)


def is_stopped(buyer: BaseProcess) -> bool:
    """Whether the kernel says so."""
    return Path(f"/proc/{buyer.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def is_waiting(buyer: BaseProcess) -> bool:
    """Whether the kernel has it waiting for a lock."""
    locks = Path("/proc/locks").read_text().splitlines()
    return any(" -> " in line and f" {buyer.pid} " in line for line in locks)


def tell(name: str, **numbers: Any) -> None:
    """Print what a torture counted."""
    print(f"\n{name}: " + " ".join(f"{key}={value}" for key, value in numbers.items()))


def exit_codes(buyers: Sequence[BaseProcess]) -> list[int | None]:
    """Wait for all."""
    for buyer in buyers:
        buyer.join(120)
    return [buyer.exitcode for buyer in buyers]


def counted(contexts: ContextFactory) -> int:
    """What the ledger says was sent."""
    objects = contexts.context().ledger.objects
    return sum(held(ReservationLog(objects, f"budget/days/{day}").taken()) for day in objects.names("budget/days"))


@contextmanager
def ledger_watched(contexts: ContextFactory, server: TimeGPTServer) -> Iterator[list[tuple[int, int]]]:
    """Whenever a request arrives, compare the server's count with the ledger's; yields what went wrong."""
    wrong: list[tuple[int, int]] = []

    def compare() -> None:
        ours = counted(contexts)
        if ours < server.sent:
            wrong.append((server.sent, ours))

    server.on_arrival = compare
    yield wrong
    server.on_arrival = lambda: None
