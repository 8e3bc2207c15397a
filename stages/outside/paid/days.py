"""The days and months of a ledger: which is today's, and what lies in each.

*Time*: a seat belongs to the UTC day of its reservation, or to the newest day in the ledger while the clocks of two
machines stand on two sides of midnight. Days that a clock ran ahead into are moved by `right_clock`: their seats count
on the day it says, and again should that day ever come.
*Errors*: `BudgetStop` (exit 4) while the ledger holds requests of days that have not come.
"""

import json
import re
from datetime import timedelta

from stages.errors import BudgetStop
from stages.outside.clock import Clock
from stages.outside.paid.seats import Row, held
from stages.outside.places import Place

DAYS = "budget/days"
MONTHS = "budget/months"
MOVED = "budget/moved"  # `<day that counts>--<day of a clock that ran ahead>`
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
CLOCK_SKEW = timedelta(hours=1)


class Days:
    """The rows of one ledger; what stands on a seat is read once."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self.place = place
        self.clock = clock
        self._rows: dict[str, Row] = {}

    def row(self, folder: str) -> Row:
        """The seats of a day or month."""
        return self._rows.setdefault(folder, Row(self.place, folder))

    def of(self, day: str) -> Row:
        """The seats of a day."""
        return self.row(f"{DAYS}/{day}")

    def of_month(self, day: str) -> Row:
        """The seats of the month that a day is in."""
        return self.row(f"{MONTHS}/{day[:7]}")

    def today(self) -> str:
        """The day that a request of now counts on."""
        today, days = self.clock.now().date().isoformat(), self.begun()
        if ahead := self._ahead(days):
            raise BudgetStop(
                f"the clock says {today}, but the ledger already holds requests of {ahead[-1]}: api.per_day counts UTC "
                "days, so a clock set back could spend a day twice. Set the clock right; if it is right and an earlier "
                f"one ran ahead, `make budget CLOCK=right` counts those requests on {today}."
            )
        return max([today, *(day for day in days if day <= self._latest())])

    def begun(self) -> list[str]:
        """Every day that has a seat."""
        return [name for name in self.place.names(DAYS) if DAY.match(name)]

    def moved(self) -> list[tuple[str, str]]:
        """Days that count another's requests, and those others."""
        return [(to, of) for to, _, of in (name.partition("--") for name in self.place.names(MOVED))]

    def right_clock(self, run: str) -> dict[str, int]:
        """Count the requests of days that lie ahead of the clock today; how many, by day."""
        today = self.clock.now().date().isoformat()
        ahead = {day: held(self.of(day).taken()) for day in self._ahead(self.begun())}
        for day, count in ahead.items():
            content = json.dumps({"requests": count, "run": run}, sort_keys=True).encode() + b"\n"
            self.place.create(f"{MOVED}/{today}--{day}", content)
        return ahead

    def _latest(self) -> str:
        """The day of a clock that is ahead of ours by as much as is allowed."""
        return (self.clock.now() + CLOCK_SKEW).date().isoformat()

    def _ahead(self, days: list[str]) -> list[str]:
        """Of these days, those beyond this machine's clock that hold requests which count and were not moved."""
        ahead = [day for day in days if day > self._latest()]
        moved = {of for _, of in self.moved()} if ahead else set()
        return [day for day in ahead if day not in moved and held(self.of(day).taken())]
