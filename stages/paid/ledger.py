"""The budget ledger: which requests may be sent, and the record of those that were.

Every HTTP request holds a reservation of its UTC day before it is sent. If the month is limited, it first takes a
reservation of the month. Each states the most that the request may cost. `forecasts/budget/` keeps reservations,
standing limits and one line per run; nothing is ever deleted. The reservations of a process that dies still count: the
ledger may count too much, never too little.

*Time*: days as in `reservations.Days`; `api.per_minute` counts the reservations of the last 60 s, and waits.
*Errors*: `BudgetStop` (exit 4) before a request that a limit forbids, naming the limit.
"""

import fcntl
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from stages.errors import BudgetStop, PipelineError
from stages.io.clock import INTERRUPTS, Clock, stamp
from stages.io.object_store import ObjectStore, open_shared
from stages.io.terminal import print_to_stderr
from stages.paid.limits import Cap, Limits, needs_notes, standing_limit
from stages.paid.reservations import Days, Reservation, ReservationLog, Taken, held
from stages.paid.units import Units, units_of

RUNS = "budget/runs"
MINUTE = timedelta(seconds=60)


class Ledger:
    """The budget of one run. `objects` holds the reservations; `stamps` (always local) the time of the last request."""

    def __init__(self, objects: ObjectStore, stamps: Path, limits: Limits, clock: Clock, experiment: str) -> None:
        self.objects = objects
        self.stamps = stamps
        self.limits = limits
        self.clock = clock
        self.experiment = experiment
        self.days = Days(objects, clock)
        self._ended: dict[str, Units] = {}  # units that past days add to their month
        self.run = uuid.uuid4().hex[:12]
        self.counted = 0

    def per_day(self) -> int:
        """The daily limit in force: the lower of `api.per_day` and the standing limit."""
        standing = standing_limit(self.objects)
        return self.limits.per_day if standing is None else min(standing, self.limits.per_day)

    def left_today(self) -> int:
        """How many more requests the day allows."""
        return next(int(cap.left(used)) for cap, used in self.used() if cap.is_daily_requests)

    def others_left(self) -> list[str]:
        """What is left of every limit except the daily number of requests, as text."""
        return [cap.left_text(used, self.limits.currency) for cap, used in self.used() if not cap.is_daily_requests]

    def used(self) -> list[tuple[Cap, Units]]:
        """Every limit of today and of this month, with what counts against it."""
        day = self.days.today()
        daily, monthly = self.limits.of_day(self.per_day()), self.limits.of_month()
        today = self._on_day(day, self.days.of(day).taken(), daily)
        month = self._in_month(day, self.days.of_month(day).taken(), monthly) if monthly else Units()
        return [(cap, today) for cap in daily] + [(cap, month) for cap in monthly]

    def await_turn(self) -> None:
        """Wait until this machine may send again, if the run's limit allows it. Nothing is locked meanwhile."""
        self._require_left()
        self._await_cooldown()
        while self.limits.per_minute is not None and (pause := self._minute_left(self.days.today())):
            self.clock.wait(pause)

    def reserve(self, note: Mapping[str, Any], units: Units) -> Reservation:
        """A reservation for one request, on disk when this returns.

        `note`: what it asks; `units`: the most it may cost.
        """
        self._require_left()
        try:
            return self._taken({**note, "units": units.document()}, units)
        except OSError as error:
            raise BudgetStop(
                f"the ledger does not answer ({error}), so nothing may be sent: run again when it does"
            ) from error

    def settle(self, reservation: Reservation, state: str, facts: Mapping[str, Any]) -> None:
        """Record how the request ended: answered, refused, unknown (all counted) or refunded (it never left)."""
        document = _document({**facts, "settled_utc": stamp(self.clock.now())})
        try:
            self.days.of(reservation.day).settle(reservation.name, state, document)
            if reservation.of_month:
                self.days.of_month(reservation.day).settle(reservation.of_month, state, document)
        except (OSError, PipelineError) as error:
            print_to_stderr(f"reservation {reservation.call} stays reserved ({error}) and counts as sent.")
            return
        if state == "refunded":
            self.counted -= 1

    def record_run(self, facts: Mapping[str, Any]) -> None:
        """Add the line of this run for `make spend`."""
        about = {"run": self.run, "experiment": self.experiment, "ended_utc": stamp(self.clock.now())}
        name = f"{RUNS}/{about['ended_utc']}-{self.run}.json"
        self.objects.create(name, _document({**facts, **about}), durable=False)

    def _require_left(self) -> None:
        if self.counted >= self.limits.per_run:
            raise BudgetStop(f"this run has sent {self.counted} of api.per_run {self.limits.per_run} requests")

    def _taken(self, note: Mapping[str, Any], units: Units) -> Reservation:
        while True:
            day = self.days.today()
            of_month = self._taken_of_month(day, note, units)
            try:
                name = self._taken_of_day(day, {**note, "month_seat": of_month} if of_month else note, units)
            except BaseException:
                if of_month:
                    self.days.of_month(day).settle(
                        of_month, "refunded", _document({"why": "no reservation of its day"})
                    )
                raise
            reservation = Reservation(day, name, of_month)
            self.counted += 1
            if self.days.today() == day:
                return reservation
            self.settle(reservation, "refunded", {"why": "midnight passed before it was sent"})

    def _taken_of_month(self, day: str, note: Mapping[str, Any], units: Units) -> str | None:
        """A reservation of the month; None if the month is not limited."""
        log, caps = self.days.of_month(day), self.limits.of_month()
        while caps:
            taken = log.taken()
            self._require_room(day[:7], caps, self._in_month(day, taken, caps), units)
            if name := log.take(taken, self._reservation_note(note)):
                return name
        return None

    def _taken_of_day(self, day: str, note: Mapping[str, Any], units: Units) -> str:
        log = self.days.of(day)
        while True:
            caps, taken = self.limits.of_day(self.per_day()), log.taken()
            self._require_room(day, caps, self._on_day(day, taken, caps), units)
            if pause := self._minute_left(day, taken):
                self.clock.wait(pause)
            elif name := log.take(taken, self._reservation_note(note)):
                return name

    def _require_room(self, period: str, caps: list[Cap], used: Units, wanted: Units) -> None:
        for cap in caps:
            cap.require_room(period, used, wanted, self.limits.currency)

    def _on_day(self, day: str, taken: Mapping[int, Taken], caps: list[Cap]) -> Units:
        """What counts against a day: its reservations, and those that a fast clock put on later days."""
        logs = [self.days.of(of) for to, of in self.days.moved() if to == day]
        moved = (self._units(log, log.taken(), caps) for log in logs)
        return sum(moved, self._units(self.days.of(day), taken, caps))

    def _in_month(self, day: str, taken: Mapping[int, Taken], caps: list[Cap]) -> Units:
        """What counts against a month: its flat price, its reservations, and requests made before it had a limit."""
        month = day[:7]
        total = self.limits.flat + self._units(self.days.of_month(day), taken, caps)
        for one in self.days.in_month(month):
            log = self.days.of(one)
            of_this = one.startswith(month)
            total += self._before_the_limit(one, day) if of_this else self._sum(log, log.notes(log.taken()))
        return total

    def _before_the_limit(self, one: str, today: str) -> Units:
        """The units of a day's requests that have no reservation of the month."""
        if one in self._ended:
            return self._ended[one]
        log = self.days.of(one)
        units = self._sum(log, (note for note in log.notes(log.taken()) if "month_seat" not in note))
        if date.fromisoformat(one) < date.fromisoformat(today) - timedelta(days=1):
            self._ended[one] = units
        return units

    def _units(self, log: ReservationLog, taken: Mapping[int, Taken], caps: list[Cap]) -> Units:
        """The sum of a log's reservations; tokens and money only if a limit needs them."""
        return self._sum(log, log.notes(taken)) if needs_notes(caps) else Units(requests=held(taken))

    def _sum(self, log: ReservationLog, notes: Iterable[Mapping[str, Any]]) -> Units:
        try:
            return sum((units_of(note, self.limits.tariff) for note in notes), Units())
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise BudgetStop(
                f"a reservation of {log.folder} does not say what it counts ({error}): restore the file."
            ) from None

    def _minute_left(self, day: str, taken: Mapping[int, Taken] | None = None) -> float:
        """Seconds until `api.per_minute` allows another request; 0.0 if it does now.

        Stamps of more than a minute ahead come from a fast clock and are ignored.
        """
        if self.limits.per_minute is None:
            return 0.0
        now = self.clock.now()
        since = now - MINUTE
        stamps = sorted(one for one in self._reserved(day, taken, since) if since < one <= now + MINUTE)
        if len(stamps) < self.limits.per_minute:
            return 0.0
        return max((stamps[-self.limits.per_minute] - since).total_seconds(), 0.001)

    def _reserved(self, day: str, taken: Mapping[int, Taken] | None, since: datetime) -> Iterator[datetime]:
        """When the requests of a day, and of the day of `since`, were reserved."""
        for one in {day, since.date().isoformat()}:
            log = self.days.of(one)
            notes = log.notes(taken if taken is not None and one == day else log.taken())
            for note in notes:
                if (reserved := _instant(str(note.get("reserved_utc")).encode())) is None:
                    raise BudgetStop(
                        f"a reservation of {log.folder} does not say when it was made, which api.per_minute needs: "
                        "restore the file, or set api.per_minute to null until that day is over."
                    )
                yield reserved

    def _reservation_note(self, note: Mapping[str, Any]) -> bytes:
        about = {"run": self.run, "experiment": self.experiment, "reserved_utc": stamp(self.clock.now())}
        return _document({**note, **about, "nonce": uuid.uuid4().hex})

    def _await_cooldown(self) -> None:
        """Keep `api.cooldown_sec` between any two requests of this machine. Waiting runs queue on the lock."""
        with open_shared(self.stamps / "last_sent") as file:
            with INTERRUPTS.waiting():
                fcntl.flock(file, fcntl.LOCK_EX)
            now, last = self.clock.now(), _instant(file.read())
            since = (now - last).total_seconds() if last else self.limits.cooldown_sec
            if 0 <= since < self.limits.cooldown_sec:
                self.clock.wait(self.limits.cooldown_sec - since)
            file.seek(0)
            file.write(stamp(self.clock.now()).encode())  # always the same length


def _document(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(facts), sort_keys=True).encode() + b"\n"


def _instant(content: bytes) -> datetime | None:
    try:
        instant = datetime.fromisoformat(content.decode("ascii"))
    except ValueError:  # never written, or truncated by a kill
        return None
    return instant if instant.tzinfo else None  # truncated too: the zone comes last
