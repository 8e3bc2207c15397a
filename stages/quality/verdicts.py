"""The gate's verdicts as later stages use them: usable sessions, and hard failures.

*Time*: a verdict on a session is known when the session is over; it judges history and outcomes, never a snapshot of
the same day.
"""

from datetime import date
from functools import cache
from typing import Any

from stages.errors import DataContractError


class HardFailure(DataContractError):
    """One hard check of one symbol; `detail` is the sentence with value, param and remedy. The run stops."""

    def __init__(self, check: str, detail: str, session: date | None = None) -> None:
        super().__init__(detail)
        self.check = check
        self.detail = detail
        self.session = session

    def __reduce__(self) -> tuple[type["HardFailure"], tuple[str, str, date | None]]:
        """For pickle: the arguments of `__init__`, since `args` holds only the sentence."""
        return HardFailure, (self.check, self.detail, self.session)


def verdict_alone(found: dict[str, Any]) -> dict[str, Any]:
    """The session of a day in the report, and whether it was dropped; any other object unchanged.

    Equal days share one object, since a report of many symbols has a million days.
    """
    return _day(found["session"], found["dropped"]) if {"session", "dropped"} <= found.keys() else found


@cache
def _day(session: str, dropped: bool) -> dict[str, Any]:
    return {"session": session, "dropped": dropped}


def usable_sessions(report: dict[str, Any]) -> dict[str, tuple[date, ...]]:
    """Sessions per symbol that the gate did not drop, in order."""
    return {
        symbol: tuple(sorted(_date(day["session"]) for day in one["days"] if not day["dropped"]))
        for symbol, one in report["symbols"].items()
    }


@cache
def _date(session: str) -> date:
    return date.fromisoformat(session)
