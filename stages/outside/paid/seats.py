"""A row of numbered seats: at most one request per seat, whoever asks and whenever they die.

A seat is the file `NNNN-A.json`, number N, attempt A, created only if its name is free. How it ended is a second file,
`NNNN-A.answered | refused | unknown | refunded`; only `refunded` (the request never left) frees the number, for the
next attempt. Nothing is ever deleted, so a gap in the row is a deletion by hand, and no seat is given.

*Source*: exclusive create as the atomic step (POSIX link(2); `ifGenerationMatch=0` in a bucket).
*Errors*: `BudgetStop` (exit 4) on a gap.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stages.errors import BudgetStop
from stages.outside.places import Place

SEAT = re.compile(r"^(\d{4,})-(\d+)\.(json|answered|refused|unknown|refunded)$")
SETTLED = ("answered", "refused", "unknown", "refunded")


@dataclass(frozen=True)
class Taken:
    """The latest attempt on one number: its state, `reserved` until it is settled."""

    attempt: int
    state: str


class Row:
    """One row of seats in a folder of a place."""

    def __init__(self, place: Place, folder: str) -> None:
        self.place = place
        self.folder = folder

    def taken(self) -> dict[int, Taken]:
        """Every number that was ever taken, from one listing; a gap is looked at twice before it counts as one."""
        row = _read(self.place.names(self.folder))
        for number in sorted(set(range(max(row, default=-1) + 1)) - set(row)):
            if self.place.read(f"{self.folder}/{number:04d}-0.json") is None:
                raise BudgetStop(
                    f"seat {number:04d} of {self.folder} is missing while later ones exist: somebody deleted part of "
                    "the ledger, so what was spent is unknown; restore the file, or wait for the next UTC day."
                )
            row[number] = Taken(0, "reserved")
        return row

    def take(self, limit: int, content: bytes) -> str | None:
        """Take the lowest free seat below `limit`; its name, or None when every seat is held."""
        while candidates := _free(self.taken(), limit):
            for name in candidates:
                if self.place.create(f"{self.folder}/{name}.json", content):
                    return name
        return None

    def settle(self, name: str, state: str, content: bytes) -> None:
        """Say how the request of a seat ended; the first word stands. A word lost in a power cut leaves it counted."""
        if state not in SETTLED:
            raise ValueError(state)
        self.place.create(f"{self.folder}/{name}.{state}", content, durable=False)


def held(taken: Mapping[int, Taken]) -> int:
    """How many requests the row counts: all but the refunded."""
    return sum(one.state != "refunded" for one in taken.values())


def _free(taken: Mapping[int, Taken], limit: int) -> list[str]:
    if held(taken) >= limit:
        return []
    again = [f"{n:04d}-{taken[n].attempt + 1}" for n in sorted(taken) if n < limit and taken[n].state == "refunded"]
    return again + [f"{number:04d}-0" for number in range(len(taken), limit)]


def _read(names: list[str]) -> dict[int, Taken]:
    row: dict[int, Taken] = {}
    for match in filter(None, map(SEAT.match, names)):
        number, attempt, ending = int(match[1]), int(match[2]), match[3]
        state = "reserved" if ending == "json" else ending
        known = row.get(number)
        if known is None or attempt > known.attempt or (attempt == known.attempt and known.state == "reserved"):
            row[number] = Taken(attempt, state)
    return row
