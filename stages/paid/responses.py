"""Checks of a raw response: the shapes of its lists, how long to wait, and the service's time.

The SDK puts a reply into a data frame, where a single number fills a whole column and `true` becomes 1. The lists are
therefore checked before that.

*Shapes*: a reply's lists hold one number per series and step. *Units*: seconds.
*Errors*: `UnreadableAnswer`, naming the field and what it holds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from stages.forecasting.backend import Asked
from stages.paid.units import TOKENS

MOST = 10**12
CLOCK_TOLERANCE = timedelta(hours=1)


class UnreadableAnswer(Exception):
    """A response that is not an answer."""


def require_lists(body: Any, asked: Sequence[Asked]) -> None:
    """Refuse a reply whose mean or interval bounds do not hold one finite number per question and step."""
    body = body.get("data", body) if isinstance(body, dict) else body  # as the SDK unwraps it
    if not isinstance(body, dict):
        raise UnreadableAnswer(f"the reply is {_kind(body)}, not an object")
    expected = len(asked) * asked[0].question.horizon_min
    intervals = body.get("intervals")
    if not isinstance(intervals, dict):
        raise UnreadableAnswer(f"its intervals are {_kind(intervals)}, not an object")
    for name in bounds_of(asked[0].question.levels):
        if name not in intervals:
            raise UnreadableAnswer(f"its intervals hold no {name}")
    for name, values in {"mean": body.get("mean"), **intervals}.items():
        _require_numbers(name, values, expected)


def bounds_of(levels: Sequence[int]) -> list[str]:
    """The interval bounds that carry these quantiles; 50 is the mean. *Source*: nixtla 0.9.0, quantiles to levels."""
    return [f"{'lo' if level < 50 else 'hi'}-{abs(100 - 2 * level)}" for level in levels if level != 50]


def counted_tokens(body: Any) -> dict[str, int | None]:
    """The tokens that the service counted; None where it gives no number."""
    body = body.get("data", body) if isinstance(body, dict) else body
    fields = body if isinstance(body, dict) else {}
    return {name: count if type(count := fields.get(name)) is int and 0 <= count < MOST else None for name in TOKENS}


def whole_number(name: str, value: Any) -> int:
    """A positive whole number of a model's facts."""
    if type(value) is not int or not 1 <= value <= 1_000_000:
        raise UnreadableAnswer(f"its {name} is {_kind(value)}, not a whole number from 1 to 1,000,000")
    return value


def pause_sec(headers: Mapping[str, str], now: datetime) -> float | None:
    """The pause that `Retry-After` asks for, in seconds or as a date; None without a readable one.

    A date is compared with the response's own `Date`, so that a wrong clock here does not matter.
    """
    asked = headers.get("retry-after", "")
    try:
        pause = float(asked)
    except ValueError:
        until = _instant(asked)
        pause = (until - (_instant(headers.get("date", "")) or now)).total_seconds() if until else math.nan
    return max(pause, 0.0) if math.isfinite(pause) else None


def clock_complaint(headers: Mapping[str, str], now: datetime) -> str | None:
    """A warning when this machine's clock is more than an hour from the service's; else None."""
    theirs = _instant(headers.get("date", ""))
    if theirs is None or abs(now - theirs) <= CLOCK_TOLERANCE:
        return None
    return (
        f"this machine's clock says {now:%Y-%m-%d %H:%MZ} and the service's {theirs:%Y-%m-%d %H:%MZ}: if ours is "
        "wrong, api.per_day counts the wrong days. Correct it, and run `make budget CLOCK=right` if it ran ahead."
    )


def _require_numbers(name: str, values: Any, expected: int) -> None:
    if not isinstance(values, list):
        raise UnreadableAnswer(f"its {name} is {_kind(values)}, not a list of {expected} numbers")
    if len(values) != expected:
        raise UnreadableAnswer(f"its {name} holds {len(values)} values, not {expected}")
    for value in _not_numbers(values):
        raise UnreadableAnswer(f"its {name} holds {_kind(value)} among its numbers")


def _not_numbers(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if type(value) is int and abs(value) < 1 << 1000:  # beyond, it is no float
            continue
        if type(value) is not float or not math.isfinite(value):
            yield value


def _kind(value: Any) -> str:
    """The type of a value in words. Never its text, which may be long or secret."""
    if isinstance(value, float):
        return f"the number {value:.6g}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    kinds = {int: "a whole number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "something else")


def _instant(text: str) -> datetime | None:
    """An HTTP date."""
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for an absurd time zone
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
