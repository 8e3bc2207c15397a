"""The clock, waiting, and signals while answers are bought.

The clock is an argument wherever it is needed, so that tests can control the time. The first Ctrl-C (SIGINT), SIGTERM
or SIGHUP (a terminal that closes) during a purchase is noted: the request in flight arrives, its answer is kept, and
the run ends before the next request. During a wait the run ends at once. A second signal kills the process, except
SIGHUP, which a closed terminal sends twice. A process has one `Interrupts`, because it has one handler per signal.
Outside `held_back`, and in other threads than the main one, signals act as usual.

*Errors*: `Interrupted` (exit 129, 130 or 143).
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

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_SIGNAL = b"\nThe request in flight is waited for, and its answer kept; a second signal ends this run at once.\n"


class Interrupts:
    """Which signal arrived, and whether the process is in a wait that a signal may end."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._waits = False

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """In this block a signal ends the run only within `waiting`, at `require_none` and at the end of the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            signum: signal.getsignal(signum) for signum in SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN
        }
        self._came = None
        for signum in before:
            signal.signal(signum, self._note)
        try:
            yield
            self.require_none()
        finally:
            for signum, handler in before.items():
                if self._came is None:  # otherwise the process is ending, and one more signal may kill it
                    signal.signal(signum, handler)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In this block a signal ends the run at once, since nothing is locked or in flight."""
        self._waits = True  # set first, so that a signal between the two lines is not missed
        try:
            self.require_none()
            yield
        finally:
            self._waits = False

    def require_none(self) -> None:
        """Raise `Interrupted` if a signal arrived."""
        if self._came is not None:
            raise Interrupted(f"{signal.Signals(self._came).name} ended this run", self._came)

    def _note(self, signum: int, _: FrameType | None) -> None:
        for one in SIGNALS:
            if signal.getsignal(one) == self._note:
                signal.signal(one, signal.SIG_IGN if one == signal.SIGHUP else signal.SIG_DFL)
        self._came = signum
        if self._waits:
            self.require_none()
        elif sys.stderr.isatty():
            os.write(sys.stderr.fileno(), FIRST_SIGNAL)  # a handler may not print


INTERRUPTS = Interrupts()


class Clock(Protocol):
    """A source of the current time. *Time*: UTC."""

    def now(self) -> datetime:
        """The current time."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current time."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass, or less if a signal ends the wait."""
        with INTERRUPTS.waiting():
            time.sleep(seconds)


def stamp(instant: datetime) -> str:
    """ISO 8601 with microseconds; sorts as text."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
