"""The budget report: the ledger in readable form, for `artifacts/api_budget.json`, `make budget` and `make spend`.

Requests are counted by the file names of their reservations, so a damaged reservation counts too. Only the latest days
are shown; nothing is removed from the ledger.
"""

from collections import Counter
from dataclasses import fields
from decimal import Decimal
from typing import Any

from stages.io.object_store import ObjectStore
from stages.paid.ledger import RUNS, Ledger
from stages.paid.limits import Limits, standing_limit
from stages.paid.reservations import DAYS, FILE_NAME, ReservationLog, days_begun, held, note_in
from stages.paid.units import units_of

SHOWN_DAYS = 31
SHOWN_RUNS = 50
UNREADABLE = {"damaged": True}
TOLD = {"kind", "snapshots", "series", "rows", "run"}


def budget_report(ledger: Ledger) -> dict[str, Any]:
    """Limits, the latest days and the latest runs."""
    days = days_of(ledger.objects)
    return {
        "limits": {**_stated(ledger.limits), "standing_per_day": standing_limit(ledger.objects)},
        "days": days,
        "runs": runs_of(ledger.objects),
    }


def _stated(limits: Limits) -> dict[str, Any]:
    """The limits in params, with money as text."""
    stated = {field.name: getattr(limits, field.name) for field in fields(limits) if field.name != "tariff"}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in stated.items()}


def days_of(objects: ObjectStore) -> dict[str, dict[str, int]]:
    """For each of the latest days: how many requests are in each state, and how many count."""
    days = {}
    for day in days_begun(objects)[-SHOWN_DAYS:]:
        taken = ReservationLog(objects, f"{DAYS}/{day}").taken()
        states = Counter(one.state for one in taken.values())
        days[day] = {**dict(sorted(states.items())), "counted": held(taken)}
    return days


def runs_of(objects: ObjectStore) -> list[dict[str, Any]]:
    """The latest runs, oldest first."""
    names = objects.names(RUNS)[-SHOWN_RUNS:]
    contents = objects.read_many(f"{RUNS}/{name}" for name in names)
    return [note_in(contents.get(f"{RUNS}/{name}", b"")) or UNREADABLE for name in names]


def calls_of(objects: ObjectStore) -> list[dict[str, Any]]:
    """The requests of the latest days, each with its reservation and state, oldest first."""
    calls = []
    for day in days_begun(objects)[-SHOWN_DAYS:]:
        names = list(filter(FILE_NAME.match, objects.names(f"{DAYS}/{day}")))
        contents = objects.read_many(f"{DAYS}/{day}/{name}" for name in names)
        endings = {name.split(".")[0]: name for name in names if not name.endswith(".json")}
        for reservation in (name.removesuffix(".json") for name in names if name.endswith(".json")):
            ending = endings.get(reservation)
            facts = note_in(contents.get(f"{DAYS}/{day}/{reservation}.json", b""))
            settled = note_in(contents.get(f"{DAYS}/{day}/{ending}", b"")) if ending else {}
            state = (ending or ".reserved").split(".")[1]
            calls.append({**_call(facts, settled), "reservation": f"{day}/{reservation}", "state": state})
    return calls


def _call(facts: dict[str, Any], settled: dict[str, Any]) -> dict[str, Any]:
    """A request as reserved, with the service's count if larger; `UNREADABLE` if its units cannot be read."""
    counted = {"units": settled["units"], "reserved": facts.get("units")} if "units" in settled else {}
    call = {**settled, **facts, **counted}
    try:
        units_of(call, None)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return UNREADABLE
    return call if call.keys() >= TOLD else UNREADABLE
