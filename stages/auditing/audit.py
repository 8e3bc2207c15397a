"""Replay after replay, in order of time, until the past moves or all is told.

*Errors*: `DataContractError` (exit 2) naming stage, column, symbol and the first offending instant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from stages.auditing.comparison import Leak, first_leak, known_by, stale_bar
from stages.auditing.replay import Known, Replay, run
from stages.auditing.world import FUTURES, World
from stages.errors import DataContractError


@dataclass(frozen=True)
class Passed:
    """One instant whose past stood still."""

    instant: datetime
    future: str
    keys: frozenset[str]  # of the questions that were asked again
    rows: int


def audit(replay: Replay, world: World, base: list[Known], at: Iterable[datetime]) -> Iterator[Passed]:
    """Scramble and cut in turns, and compare with `base`, the run in the world as it is."""
    futures = list(FUTURES.items())
    for number, instant in enumerate(at):
        name, future = futures[number % len(futures)]
        replayed = run(replay, future(world, instant, number))
        leak = first_leak(base, replayed, instant, name)
        if leak is None and name == "scrambled":
            leak = stale_bar(base, replayed, instant)
        if leak is not None:
            raise DataContractError(f"the past moved: {_told(leak)}")
        past = known_by(base, instant, name)
        yield Passed(instant, name, asked(past), sum(one.rows.height for one in past))


def asked(known: list[Known]) -> frozenset[str]:
    """Keys of the questions."""
    (schedule,) = (one.rows for one in known if one.stage == "build_requests")
    return frozenset(schedule["key"].drop_nulls())


def _told(leak: Leak) -> str:
    return f"{leak}. Whatever computes that column looks ahead; no result of this study counts until it is found."
