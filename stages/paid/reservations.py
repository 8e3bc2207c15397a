"""Reservations: numbered rights to send one request each, kept by day and month of the ledger.

A reservation is the file `NNNN-0.json`. It is created only if its name is free and every lower number is taken, so a
log puts all requests in one order: what the lower reservations hold is known before one is made, and can only shrink.
How a request ended is a second file, `NNNN-0.answered | refused | unknown | refunded`; only `refunded` (the request
never left) stops counting, so that of a killed run counts. Nothing is ever deleted. A gap therefore means that a file
was deleted by hand, and no reservation is made. Earlier versions reused a refunded number, as `NNNN-1.json` and so on;
then the latest attempt counts.

*Time*: a request counts on the UTC day on which it is reserved, or on the newest day in the ledger while the clocks of
two machines disagree around midnight. `right_clock` moves the requests that a fast clock put on future days: they count
on the day that it runs, and again if the future day comes.
*Errors*: `BudgetStop` (exit 4) on a gap, on a reservation whose content is needed and cannot be read, and while the
ledger holds requests of future days.
*Source*: exclusive create as the atomic step (POSIX link(2); `ifGenerationMatch=0` in a bucket).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stages.errors import BudgetStop
from stages.io.clock import Clock
from stages.io.object_store import ObjectStore

FILE_NAME = re.compile(r"^(\d{4,})-(\d+)\.(json|answered|refused|unknown|refunded)$")
RESERVED, FREED = "reserved", "refunded"
SETTLED = ("answered", "refused", "unknown", FREED)


@dataclass(frozen=True)
class Taken:
    """The latest attempt on one number: its state, `reserved` until it is settled."""

    attempt: int
    state: str


class Reservation:
    """The right to send one HTTP request, once."""

    def __init__(self, day: str, name: str, of_month: str | None = None) -> None:
        self.day = day
        self.name = name
        self.of_month = of_month
        self.used = False

    @property
    def call(self) -> str:
        """Its name in the ledger, which is also the name of its request."""
        return f"{self.day}/{self.name}"

    def use(self) -> None:
        """Mark it as used when the request leaves; a second request under the same reservation is refused."""
        if self.used:
            raise BudgetStop(f"a second request tried to leave on reservation {self.day}/{self.name}; it was not sent.")
        self.used = True


class ReservationLog:
    """The numbered reservations of one folder of an object store."""

    def __init__(self, objects: ObjectStore, folder: str) -> None:
        self.objects = objects
        self.folder = folder
        self._notes: dict[str, dict[str, Any]] = {}

    def taken(self) -> dict[int, Taken]:
        """Every number that was ever taken, from one listing; a gap is checked again before it is reported."""
        log = _read(self.objects.names(self.folder))
        for number in sorted(set(range(max(log, default=-1) + 1)) - set(log)):
            if self.objects.read(f"{self.folder}/{number:04d}-0.json") is None:
                raise BudgetStop(
                    f"reservation {number:04d} of {self.folder} is missing while later ones exist: a part of the "
                    "ledger was deleted, so what was spent is unknown. Restore the file, or wait until "
                    f"{self.folder.rpartition('/')[2]} (UTC) is over."
                )
            log[number] = Taken(0, RESERVED)
        return log

    def take(self, taken: Mapping[int, Taken], content: bytes) -> str | None:
        """Make the next reservation; its name, or None when another process was faster."""
        name = f"{len(taken):04d}-0"
        return name if self.objects.create(f"{self.folder}/{name}.json", content) else None

    def settle(self, name: str, state: str, content: bytes) -> None:
        """Record how its request ended; the first record counts. A reservation without a record counts as sent."""
        if state not in SETTLED:
            raise ValueError(state)
        self.objects.create(f"{self.folder}/{name}.{state}", content, durable=False)

    def notes(self, taken: Mapping[int, Taken]) -> list[dict[str, Any]]:
        """The contents of the reservations that count, with how their requests ended; each file is read once.

        `reserved` are the units reserved; the service may have counted more.
        """
        counted = [
            (f"{self.folder}/{n:04d}-{one.attempt}", one.state) for n, one in taken.items() if one.state != FREED
        ]
        files = [f"{reservation}.json" for reservation, _ in counted] + [
            f"{reservation}.{state}" for reservation, state in counted if state != RESERVED
        ]
        contents = self.objects.read_many(name for name in files if name not in self._notes)
        self._notes |= {name: note_in(content) for name, content in contents.items()}
        notes = []
        for reservation, state in counted:
            if not (note := self._notes.get(f"{reservation}.json")):
                raise BudgetStop(
                    f"{reservation}.json of the ledger is not readable, so its tokens, money and minute are unknown. "
                    "Restore it, wait until its day or month is over, or set to null the limits of api that need "
                    "them."
                )
            notes.append(note | self._notes.get(f"{reservation}.{state}", {}) | {"reserved": note.get("units")})
        return notes


def held(taken: Mapping[int, Taken]) -> int:
    """How many requests the log counts: all except refunded ones."""
    return sum(one.state != FREED for one in taken.values())


def _read(names: list[str]) -> dict[int, Taken]:
    log: dict[int, Taken] = {}
    for match in filter(None, map(FILE_NAME.match, names)):
        number, attempt, ending = int(match[1]), int(match[2]), match[3]
        state = RESERVED if ending == "json" else ending
        known = log.get(number)
        if known is None or attempt > known.attempt or (attempt == known.attempt and known.state == RESERVED):
            log[number] = Taken(attempt, state)
    return log


def note_in(content: bytes) -> dict[str, Any]:
    """The facts in a file of the ledger; empty when it is damaged."""
    try:
        note = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


DAYS = "budget/days"
MONTHS = "budget/months"
MOVED = "budget/moved"  # `<day that counts>--<day of a clock that ran ahead>`
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
CLOCK_SKEW = timedelta(hours=1)


def days_begun(objects: ObjectStore) -> list[str]:
    """Every day that has a reservation, oldest first."""
    return list(filter(DAY.match, objects.names(DAYS)))


class Days:
    """The reservation logs of one ledger. Each reservation is read once."""

    def __init__(self, objects: ObjectStore, clock: Clock) -> None:
        self.objects = objects
        self.clock = clock
        self._logs: dict[str, ReservationLog] = {}

    def log(self, folder: str) -> ReservationLog:
        """The reservations of a day or month."""
        return self._logs.setdefault(folder, ReservationLog(self.objects, folder))

    def of(self, day: str) -> ReservationLog:
        """The reservations of a day."""
        return self.log(f"{DAYS}/{day}")

    def of_month(self, day: str) -> ReservationLog:
        """The reservations of the month that a day is in."""
        return self.log(f"{MONTHS}/{day[:7]}")

    def today(self) -> str:
        """The day on which a request made now counts."""
        today, days = self.clock.now().date().isoformat(), self.begun()
        if ahead := self._ahead(days):
            raise BudgetStop(
                f"the clock says {today}, but the ledger already holds requests of {ahead[-1]}: api.per_day counts UTC "
                "days, so a clock set back could spend a day twice. Correct the clock; if it is right and an earlier "
                f"one ran ahead, `make budget CLOCK=right` counts those requests on {today}."
            )
        return max([today, *(day for day in days if day <= self._latest())])

    def begun(self) -> list[str]:
        """Every day that has a reservation."""
        return days_begun(self.objects)

    def moved(self) -> list[tuple[str, str]]:
        """Pairs of a day and the later day whose requests count on it too."""
        return [(to, of) for to, _, of in (name.partition("--") for name in self.objects.names(MOVED))]

    def in_month(self, month: str) -> list[str]:
        """Every day whose requests count in a month: its own, and later days that were moved into it."""
        moved = [of for to, of in self.moved() if to.startswith(month) and not of.startswith(month)]
        return [*(day for day in self.begun() if day.startswith(month)), *moved]

    def right_clock(self, run: str) -> dict[str, int]:
        """Count the requests of days ahead of the clock on today; their number by day."""
        today = self.clock.now().date().isoformat()
        ahead = {day: held(self.of(day).taken()) for day in self._ahead(self.begun())}
        for day, count in ahead.items():
            content = json.dumps({"requests": count, "run": run}, sort_keys=True).encode() + b"\n"
            self.objects.create(f"{MOVED}/{today}--{day}", content)
        return ahead

    def _latest(self) -> str:
        """The latest day that a clock within the tolerance may show."""
        return (self.clock.now() + CLOCK_SKEW).date().isoformat()

    def _ahead(self, days: list[str]) -> list[str]:
        """The days that are ahead of this machine's clock, hold counted requests and were not moved."""
        ahead = [day for day in days if day > self._latest()]
        moved = {of for _, of in self.moved()} if ahead else set()
        return [day for day in ahead if day not in moved and held(self.of(day).taken())]
