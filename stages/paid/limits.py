"""Budget limits from params and the ledger: by day, month and minute, in requests, tokens and money."""

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from stages.errors import BudgetStop
from stages.io.clock import Clock, stamp
from stages.io.object_store import ObjectStore
from stages.paid.units import Units
from stages.params.api import ApiParams, Tariff

LIMITS = "budget/limits"
LIMIT = re.compile(r"^(\d{4,})\.json$")
Period = Literal["day", "month"]
Unit = Literal["requests", "tokens", "money"]


@dataclass(frozen=True)
class Cap:
    """The most that one day or month may use of one unit.

    `name` is its name in params; `fixed` is what the period uses before its first request.
    """

    name: str
    period: Period
    unit: Unit
    most: int | Decimal
    fixed: int | Decimal = 0

    @property
    def is_daily_requests(self) -> bool:
        """Whether this limits the requests of a day, which `make budget PER_DAY=` may lower."""
        return (self.period, self.unit) == ("day", "requests")

    def left(self, used: Units) -> int | Decimal:
        """What is left, at least 0."""
        rest: int | Decimal = self.most - getattr(used, self.unit)
        return max(rest, type(rest)(0))

    def text(self, value: int | Decimal, currency: str) -> str:
        """A value of this unit as text."""
        return f"{self._plain(value)} {currency if self.unit == 'money' else self.unit}"

    def _plain(self, value: int | Decimal) -> str:
        return amount(value) if self.unit == "money" else f"{value:,}"

    def left_text(self, used: Units, currency: str) -> str:
        """What is left, as text."""
        return f"{self.text(self.left(used), currency)} of {self.text(self.most, currency)} ({self.name})"

    def require_room(self, period: str, used: Units, wanted: Units, currency: str) -> None:
        """*Errors*: `BudgetStop` when `used` and `wanted` together exceed the limit of this period."""
        have, want = getattr(used, self.unit), getattr(wanted, self.unit)
        if have + want > self.most:
            ask = "" if self.unit == "requests" else f"; the next request may take {self.text(want, currency)}"
            raise BudgetStop(
                f"{period} has seen {self._plain(have)} of {self.text(self.most, currency)} ({self.name}){ask}"
            )


@dataclass(frozen=True)
class Limits:
    """What params allow. *Units*: HTTP requests, tokens, money of the tariff, seconds; None is no limit."""

    per_run: int
    per_day: int
    cooldown_sec: float
    per_minute: int | None = None
    per_month: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    money_per_day: Decimal | None = None
    money_per_month: Decimal | None = None
    tariff: Tariff | None = None

    @classmethod
    def of(cls, api: ApiParams) -> "Limits":
        """The limits of section `api`."""
        return cls(**{name: getattr(api, name) for name in cls.__dataclass_fields__})

    @property
    def currency(self) -> str:
        """The currency of the tariff."""
        return self.tariff.currency if self.tariff else ""

    @property
    def flat(self) -> Units:
        """What a month costs before its first request."""
        return Units(money=self.tariff.flat_per_month) if self.tariff else Units()

    def of_day(self, per_day: int) -> list[Cap]:
        """The limits of a day; `per_day` is the limit on requests in force."""
        return [
            Cap("api.per_day or `make budget PER_DAY=`", "day", "requests", per_day),
            *self._stated("day", "tokens"),
            *self._stated("day", "money"),
        ]

    def of_month(self) -> list[Cap]:
        """The limits of a month."""
        return [
            *self._stated("month", "requests"),
            *self._stated("month", "tokens"),
            *self._stated("month", "money"),
        ]

    def _stated(self, period: Period, unit: Unit) -> list[Cap]:
        name = f"per_{period}" if unit == "requests" else f"{unit}_per_{period}"
        most, fixed = getattr(self, name), self.flat if period == "month" else Units()
        return [] if most is None else [Cap(f"api.{name}", period, unit, most, getattr(fixed, unit))]


def periods_needed(caps: Sequence[tuple[Cap, Units]], requests: Sequence[Units]) -> int | None:
    """How many days or months these requests take in order, including the current one; None if one never fits.

    `caps`: the limits of a day, or those of a month, each with what counts against it now.
    """
    count, left = min(1, len(requests)), [cap.left(used) for cap, used in caps]
    for one in requests:
        needs = [getattr(one, cap.unit) for cap, _ in caps]
        if any(need > rest for need, rest in zip(needs, left, strict=True)):
            count, left = count + 1, [cap.most - cap.fixed for cap, _ in caps]
        if any(need > rest for need, rest in zip(needs, left, strict=True)):
            return None
        left = [rest - need for need, rest in zip(needs, left, strict=True)]
    return count


def needed(limits: Iterable[tuple[Cap, Units]], requests: Sequence[Units]) -> dict[Period, int | None]:
    """How many days and months these requests take, as `periods_needed` counts; months only if the month is limited.

    `limits`: those of the day and of the month, each with what counts against it now.
    """
    of_period: dict[Period, list[tuple[Cap, Units]]] = {}
    for cap, used in limits:
        of_period.setdefault(cap.period, []).append((cap, used))
    return {period: periods_needed(caps, requests) for period, caps in of_period.items()}


def amount(money: int | Decimal) -> str:
    """Money with at least two decimals, exact."""
    plain = f"{Decimal(money).normalize():f}"
    return plain if len(plain.partition(".")[2]) > 1 else f"{Decimal(money):.2f}"


def needs_notes(caps: Iterable[Cap]) -> bool:
    """Whether the contents of reservations must be read, not only their number."""
    return any(cap.unit != "requests" for cap in caps)


def standing_limit(objects: ObjectStore) -> int | None:
    """The newest limit that `make budget PER_DAY=` wrote, if any."""
    names = limits_in(objects)
    if not names:
        return None
    name = names[0]
    try:
        return int(json.loads(objects.read(name) or b"")["per_day"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise BudgetStop(
            f"the standing limit {name} is not readable, so nothing is sent: `make budget PER_DAY=` writes a new one."
        ) from None


def set_standing_limit(objects: ObjectStore, per_day: int, clock: Clock) -> None:
    """Write a new standing limit. Older ones stay as history."""
    facts = {"per_day": per_day, "set_utc": stamp(clock.now()), "nonce": uuid.uuid4().hex}
    content = json.dumps(facts, sort_keys=True).encode() + b"\n"
    number = max(_numbers(objects), default=-1) + 1
    while not objects.create(_limit(number), content):
        number += 1


def limits_in(objects: ObjectStore) -> list[str]:
    """Paths of all standing limits, newest first; other files are ignored."""
    return [_limit(number) for number in sorted(_numbers(objects), reverse=True)]


def _numbers(objects: ObjectStore) -> list[int]:
    return [int(name[1]) for name in filter(None, map(LIMIT.match, objects.names(LIMITS)))]


def _limit(number: int) -> str:
    return f"{LIMITS}/{number:04d}.json"
