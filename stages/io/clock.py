"""What time it is, how long to wait, and Ctrl-C while answers are bought.

Ctrl-C (SIGINT) and SIGTERM while answers are bought: what was paid for is kept, and nothing stays held.

The first signal is noted, so that the request in flight arrives and its answer is kept; the run ends before the next
request. During a wait it ends at once. The second signal finds the system's own handling again and kills.

One object a process, because a process has one handler a signal. Outside of `held_back`, and in any thread but the
main one, nothing is changed.
*Errors*: `Interrupted` (exit 130 or 143).

What time it is, and how long to wait; handed in, so that tests can let midnight come.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Protocol

from stages.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOLD = b"\nThe request in flight is waited for, and its answer kept; a second signal ends this run at once.\n"


class Interrupts:
    """Which signal came, and whether the process waits for something it may as well leave."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._waits = False

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """In this block a signal ends the run only in `waiting` and `require_none`, and at the block's end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.getsignal(one) for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}
        self._came = None
        for one in before:
            signal.signal(one, self._note)
        try:
            yield
            self.require_none()
        finally:
            for one, handler in before.items():
                if self._came is None:  # else the process ends, and one more signal may kill it
                    signal.signal(one, handler)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In this block nothing is held and nothing in flight: a signal that `held_back` noted ends it at once."""
        self._waits = True  # first: a signal between this line and the next is seen by one of both
        try:
            self.require_none()
            yield
        finally:
            self._waits = False

    def require_none(self) -> None:
        """Nothing, or the end of the run if a signal came."""
        if self._came is not None:
            raise Interrupted(f"{signal.Signals(self._came).name} ended this run", self._came)

    def _note(self, signum: int, _: FrameType | None) -> None:
        for one in SIGNALS:
            if signal.getsignal(one) == self._note:
                signal.signal(one, signal.SIG_DFL)
        self._came = signum
        if self._waits:
            self.require_none()
        elif sys.stderr.isatty():
            os.write(sys.stderr.fileno(), TOLD)  # a handler may not print


INTERRUPTS = Interrupts()


class Clock(Protocol):
    """A source of instants. *Time*: UTC."""

    def now(self) -> datetime:
        """The present instant."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass, or a signal end them."""
        with INTERRUPTS.waiting():
            time.sleep(seconds)


def stamp(instant: datetime) -> str:
    """ISO 8601 with microseconds; sorts as text."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
