"""The calendars of one exchange, cut from a long one: the library takes a tenth of a second for each pair of bounds."""

from datetime import date
from functools import cache
from typing import Any

import pandas as pd
from exchange_calendars import ExchangeCalendar
from exchange_calendars.calendar_utils import get_calendar

FIRST, LAST = date(2018, 1, 2), date(2034, 12, 31)


class Cut:
    """A calendar of `exchange_calendars`, whose schedule within the long one is made once in a process."""

    def __init__(self, name: str, *, start: Any, end: Any, side: str) -> None:
        self.asked = (name, pd.Timestamp(start), pd.Timestamp(end), side)

    @property
    def schedule(self) -> pd.DataFrame:
        name, start, end, side = self.asked
        if start.date() < FIRST or end.date() > LAST:
            return made(*self.asked).schedule
        schedule: pd.DataFrame = made(name, FIRST, LAST, side).schedule.loc[start:end]
        return schedule

    def __getattr__(self, name: str) -> Any:
        return getattr(made(*self.asked), name)


@cache
def made(name: str, start: Any, end: Any, side: str) -> ExchangeCalendar:
    """What the library makes."""
    return get_calendar(name, start=start, end=end, side=side)
