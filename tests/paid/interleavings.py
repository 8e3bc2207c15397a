"""Several buyers of one ledger in one process, interleaved and killed as a seed says.

Each buyer is a thread that stops before every touch of the ledger's files until it is its turn, so that a seed fixes
the order of all touches. A kill ends a buyer at such a touch, before or after it happened. Clocks stand on both sides
of the midnight that ends a month.
"""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from stages.errors import BudgetStop
from stages.paid.ledger import Ledger
from stages.paid.limits import Limits
from stages.paid.units import Units

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)


class Killed(BaseException):
    """What kill -9 is to a thread."""


@dataclass
class Turns:
    """Who may go on, one at a time."""

    chance: random.Random
    waiting: dict[int, threading.Semaphore] = field(default_factory=dict)
    back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def play(self, buyers: dict[int, Callable[[], None]]) -> None:
        """Let all buyers run to their end."""
        self.waiting = {number: threading.Semaphore(0) for number in buyers}
        for number, buyer in buyers.items():
            threading.Thread(target=self._run, args=(number, buyer), daemon=True).start()
        while self.waiting:
            self.waiting[self.chance.choice(sorted(self.waiting))].release()
            self.back.acquire()

    def pause(self, number: int) -> None:
        """Give the turn back, and wait for the next one."""
        self.back.release()
        self.waiting[number].acquire()

    def _run(self, number: int, buyer: Callable[[], None]) -> None:
        self.waiting[number].acquire()
        try:
            buyer()
        except (Killed, BudgetStop):
            pass
        finally:
            del self.waiting[number]
            self.back.release()


@dataclass
class Memory:
    """A place in memory as one buyer sees it; each touch waits for its turn and may be the last."""

    files: dict[str, bytes]
    turns: Turns
    number: int
    touches_left: int
    address: str = "memory"

    def names(self, folder: str) -> list[str]:
        """The names directly in a folder."""
        found = {name[len(folder) + 1 :].split("/")[0] for name in self._touch() if name.startswith(f"{folder}/")}
        return sorted(found)

    def read(self, name: str) -> bytes | None:
        """A file, or None."""
        return self._touch().get(name)

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those that exist."""
        wanted = list(names)
        files = self._touch() if wanted else {}
        return {name: files[name] for name in wanted if name in files}

    def create(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """A new file, or False."""
        files = self._touch()
        if name in files:
            return False
        files[name] = content
        if not self.touches_left:  # it was written, and its writer died before it knew
            raise Killed
        return True

    def _touch(self) -> dict[str, bytes]:
        self.turns.pause(self.number)
        self.touches_left -= 1
        if self.touches_left < 0:
            raise Killed
        return self.files


@dataclass
class Clock:
    """A buyer's clock, apart from the others by a second or two; the same time passes on all."""

    apart: timedelta
    passed: list[timedelta]

    def now(self) -> datetime:
        """Shortly before or after midnight."""
        return MIDNIGHT + self.apart + self.passed[0]

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.passed[0] += timedelta(seconds=seconds)


def sent_under(limits: Limits, seed: int) -> dict[str, Units]:
    """Two or three buyers until each has stopped, has sent four requests or was killed; what they sent, by day."""
    chance = random.Random(seed)
    turns, files, passed = Turns(chance), dict[str, bytes](), [timedelta(seconds=-chance.random())]
    sent: defaultdict[str, Units] = defaultdict(Units)

    def buyer(number: int) -> Callable[[], None]:
        objects = Memory(files, turns, number, chance.choice([10**6, chance.randint(0, 40)]))
        ledger = Ledger(
            objects, Path(), limits, Clock(timedelta(seconds=chance.uniform(-1, 1)), passed), "an interleaving"
        )
        orders = [(units_of(chance), chance.choice(["answered", "unknown", "refused", "refunded"])) for _ in range(4)]

        def buys() -> None:
            for units, end in orders:
                reservation = ledger.reserve({}, units)
                if end != "refunded":
                    sent[reservation.day] += units
                passed[0] += timedelta(seconds=0.2)
                ledger.settle(reservation, end, {})

        return buys

    turns.play({number: buyer(number) for number in range(chance.choice([2, 3]))})
    return sent


def units_of(chance: random.Random) -> Units:
    """A request of some size."""
    size = chance.randint(1, 400)
    return Units(1, size, 7 * size // 3, 0, Decimal(size) / 1000)


def limits_of(chance: random.Random, **more: Any) -> Limits:
    """Some limits that a few requests reach."""
    choices: dict[str, Any] = {
        "per_month": chance.randint(1, 6),
        "tokens_per_day": chance.randint(300, 3000),
        "tokens_per_month": chance.randint(300, 4000),
        "money_per_day": Decimal(chance.randint(100, 1000)) / 1000,
        "money_per_month": Decimal(chance.randint(100, 1500)) / 1000,
    }
    chosen = {name: choices[name] for name in chance.sample(sorted(choices), chance.randint(1, 3))}
    return Limits(per_run=100, per_day=chance.randint(2, 8), cooldown_sec=0.0, **chosen, **more)


def overspent(limits: Limits, sent: dict[str, Units]) -> list[str]:
    """Which limits were passed."""
    months: defaultdict[str, Units] = defaultdict(Units)
    for day, units in sent.items():
        months[day[:7]] += units
    seen = [(cap, units) for cap in limits.of_day(limits.per_day) for units in sent.values()]
    seen += [(cap, units) for cap in limits.of_month() for units in months.values()]
    return [cap.name for cap, units in seen if getattr(units, cap.unit) > cap.most]
