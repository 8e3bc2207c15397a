"""Single flight on one machine: whoever buys a snapshot holds its lock.

The lock is the kernel's (flock) on a file that is never deleted: it ends with its process, however that dies, and
survives any pause. A lease that expires would let a stopped buyer and its successor pay the same key.
"""

import fcntl
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def claim(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Hold the locks of all `names`, taken in sorted order so that two buyers cannot wait for each other."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in sorted(set(names)):
            lock = held.enter_context((folder / f"{name}.lock").open("a+b"))
            _wait_for(lock, name)
        yield


def _wait_for(lock: IO[bytes], name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run that is buying {name}", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
