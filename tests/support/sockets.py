"""Sockets that raise, however they are opened: the interpreter's own audit events, below any library.

As a program it runs a module with its arguments: `python -m tests.support.sockets stages.forecast`.
"""

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_refused = False
_hooked = False


@contextmanager
def no_sockets() -> Iterator[None]:
    """Within the block nothing of this thread's process may open, bind or connect a socket, or ask for an address."""
    global _refused, _hooked
    if not _hooked:
        sys.addaudithook(_refuse)  # a hook can never be taken away again
        _hooked = True
    _refused = True
    try:
        yield
    finally:
        _refused = False


def _refuse(event: str, _: object) -> None:
    if _refused and event.startswith("socket."):
        raise AssertionError(f"a socket was wanted: {event}")


if __name__ == "__main__":
    del sys.argv[0]
    with no_sockets():
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
