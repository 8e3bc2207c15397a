"""The budget: which requests may leave, and the record of those that did.

Every HTTP request holds a seat of its UTC day before it is sent; `forecasts/budget/` keeps seats, standing limits and
one line per run, and nothing is ever deleted from it. A process that dies leaves its seat counted: the ledger may
count too much, never too little.

*Time*: a seat belongs to the UTC day of its reservation, or to the newest day in the ledger while the clocks of two
machines stand on two sides of midnight. Days that a clock ran ahead into are moved by `right_clock`: their seats count
on the day it says, and again should that day ever come.
*Errors*: `BudgetStop` (exit 4) before the request that a limit forbids, naming the limit.
"""

import fcntl
import json
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stages.errors import BudgetStop, PipelineError
from stages.outside.clock import Clock, stamp
from stages.outside.interrupts import INTERRUPTS
from stages.outside.paid.seats import Row, held
from stages.outside.places import Place, open_shared

DAYS = "budget/days"
LIMITS = "budget/limits"
RUNS = "budget/runs"
MOVED = "budget/moved"  # `<day that counts>--<day of a clock that ran ahead>`
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Limits:
    """What params allow. *Units*: HTTP requests, seconds."""

    per_run: int
    per_day: int
    cooldown_sec: float


class Seat:
    """The right to send one HTTP request, once."""

    def __init__(self, day: str, name: str) -> None:
        self.day = day
        self.name = name
        self.used = False

    @property
    def call(self) -> str:
        """Its name in the ledger, and that of the request it is for."""
        return f"{self.day}/{self.name}"

    def use(self) -> None:
        """Called in the instant the request leaves; a second request on the same seat is refused."""
        if self.used:
            raise BudgetStop(f"a second request tried to leave on seat {self.day}/{self.name}; it was not sent.")
        self.used = True


class Ledger:
    """The budget of one run. `place` holds the seats, `stamps` (always local) the time of the last request."""

    def __init__(self, place: Place, stamps: Path, limits: Limits, clock: Clock, experiment: str) -> None:
        self.place = place
        self.stamps = stamps
        self.limits = limits
        self.clock = clock
        self.experiment = experiment
        self.run = uuid.uuid4().hex[:12]
        self.counted = 0
        self.in_force = limits.per_day

    def per_day(self) -> int:
        """The daily limit in force: params may lower the standing one, never raise it."""
        standing = standing_limit(self.place)
        self.in_force = self.limits.per_day if standing is None else min(standing, self.limits.per_day)
        return self.in_force

    def left_today(self) -> int:
        """How many requests the day still allows."""
        day = self._day()
        return max(0, self.per_day() - self._moved_to(day) - held(self._row(day).taken()))

    def await_turn(self) -> None:
        """Wait until this machine may send again, while the run's limit allows it; nothing is held meanwhile."""
        self._demand_left()
        self._await_cooldown()

    def reserve(self, note: Mapping[str, Any]) -> Seat:
        """A seat for one request, durable before this returns; `note` says what the request will ask."""
        self._demand_left()
        try:
            return self._taken(note)
        except OSError as error:
            raise BudgetStop(f"the ledger does not answer ({error}), so nothing may be sent") from error

    def _demand_left(self) -> None:
        if self.counted >= self.limits.per_run:
            raise BudgetStop(f"this run has sent {self.counted} of api.per_run {self.limits.per_run} requests")

    def _taken(self, note: Mapping[str, Any]) -> Seat:
        while True:
            day, per_day = self._day(), self.per_day()
            limit = max(0, per_day - self._moved_to(day))
            about = {"run": self.run, "experiment": self.experiment, "reserved_utc": stamp(self.clock.now())}
            name = self._row(day).take(limit, _document({**note, **about, "nonce": uuid.uuid4().hex}))
            if name is None:
                raise BudgetStop(
                    f"{day} has seen {per_day} of {per_day} requests (api.per_day or `make budget PER_DAY=`)"
                )
            seat = Seat(day, name)
            if self._day() == day:
                self.counted += 1
                return seat
            self._row(day).settle(name, "refunded", _document({"why": "midnight passed before it was sent"}))

    def settle(self, seat: Seat, state: str, facts: Mapping[str, Any]) -> None:
        """Write down how the request ended: answered, refused, unknown (all counted) or refunded (it never left)."""
        document = _document({**facts, "settled_utc": stamp(self.clock.now())})
        try:
            self._row(seat.day).settle(seat.name, state, document)
        except (OSError, PipelineError) as error:
            print(f"seat {seat.day}/{seat.name} stays reserved ({error}): it counts.", file=sys.stderr, flush=True)
            return
        if state == "refunded":
            self.counted -= 1

    def record_run(self, facts: Mapping[str, Any]) -> None:
        """One line of history for `make spend`."""
        about = {"run": self.run, "experiment": self.experiment, "ended_utc": stamp(self.clock.now())}
        name = f"{RUNS}/{about['ended_utc']}-{self.run}.json"
        self.place.create(name, _document({**facts, **about}), durable=False)

    def _row(self, day: str) -> Row:
        return Row(self.place, f"{DAYS}/{day}")

    def _day(self) -> str:
        now = self.clock.now()
        today, days = now.date().isoformat(), self._days()
        if ahead := self._ahead(days):
            raise BudgetStop(
                f"the clock says {today}, but the ledger already holds requests of {ahead[-1]}: api.per_day counts UTC "
                "days, so a clock set back could spend a day twice. Set the clock right; if it is right and an earlier "
                f"one ran ahead, `make budget CLOCK=right` counts those requests on {today}."
            )
        return max([today, *(day for day in days if day <= self._latest())])

    def _days(self) -> list[str]:
        return [name for name in self.place.names(DAYS) if DAY.match(name)]

    def _latest(self) -> str:
        """The day of a clock that is ahead of ours by as much as is allowed."""
        return (self.clock.now() + CLOCK_SKEW).date().isoformat()

    def _ahead(self, days: list[str]) -> list[str]:
        """Of these days, those beyond this machine's clock that hold requests which count and were not moved."""
        ahead = [day for day in days if day > self._latest()]
        moved = {name.split("--")[1] for name in self.place.names(MOVED)} if ahead else set()
        return [day for day in ahead if day not in moved and held(self._row(day).taken())]

    def right_clock(self) -> dict[str, int]:
        """Count the requests of days that lie ahead of the clock today; how many, by day."""
        today = self.clock.now().date().isoformat()
        moved = {day: held(self._row(day).taken()) for day in self._ahead(self._days())}
        for day, count in moved.items():
            self.place.create(f"{MOVED}/{today}--{day}", _document({"requests": count, "run": self.run}))
        return moved

    def _moved_to(self, day: str) -> int:
        """Requests of other days that count on this one."""
        names = [name.split("--") for name in self.place.names(MOVED)]
        return sum(held(self._row(of).taken()) for to, of in names if to == day)

    def _await_cooldown(self) -> None:
        """Keep `api.cooldown_sec` between any two requests of this machine; waiters queue on the lock."""
        with open_shared(self.stamps / "last_sent") as file:
            with INTERRUPTS.waiting():
                fcntl.flock(file, fcntl.LOCK_EX)
            now, last = self.clock.now(), _instant(file.read())
            since = (now - last).total_seconds() if last else self.limits.cooldown_sec
            if 0 <= since < self.limits.cooldown_sec:
                self.clock.wait(self.limits.cooldown_sec - since)
            file.seek(0)
            file.write(stamp(self.clock.now()).encode())  # always of one length


def standing_limit(place: Place) -> int | None:
    """The newest limit that `make budget PER_DAY=` wrote, if any."""
    names = place.names(LIMITS)
    if not names:
        return None
    content = place.read(f"{LIMITS}/{names[-1]}")
    try:
        return int(json.loads(content or b"")["per_day"])
    except (ValueError, KeyError, TypeError):
        raise BudgetStop(
            f"the standing limit {LIMITS}/{names[-1]} is not readable, so nothing is sent: `make budget PER_DAY=` "
            "writes a new one."
        ) from None


def set_standing_limit(place: Place, per_day: int, clock: Clock) -> None:
    """Write a new standing limit; the older ones stay as history."""
    content = _document({"per_day": per_day, "set_utc": stamp(clock.now()), "nonce": uuid.uuid4().hex})
    number = len(place.names(LIMITS))
    while not place.create(f"{LIMITS}/{number:04d}.json", content):
        number += 1


def _document(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(facts), sort_keys=True).encode() + b"\n"


def _instant(content: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(content.decode("ascii"))
    except ValueError:  # never written, or torn by a kill
        return None
