"""The gate's verdicts as later stages use them.

*Time*: a verdict on a session is known when the session is over; it judges history and outcomes, never a snapshot of
the same day.
"""

from datetime import date
from typing import Any


def usable_sessions(report: dict[str, Any]) -> dict[str, tuple[date, ...]]:
    """Sessions per symbol that the gate did not drop, in order."""
    return {
        symbol: tuple(sorted(date.fromisoformat(day["session"]) for day in one["days"] if not day["dropped"]))
        for symbol, one in report["symbols"].items()
    }
