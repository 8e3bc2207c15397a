"""What time it is, and how long to wait; handed in, so that tests can let midnight come."""

import time
from datetime import UTC, datetime
from typing import Protocol

from stages.outside.interrupts import INTERRUPTS


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
