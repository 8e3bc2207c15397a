"""What a person who waits at a terminal sees of work that goes on; silent in logs, pipes and tests.

Everything stands on stderr and is gone when the work is done. `NO_COLOR` is honoured.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a bar while they are worked on; `total` where the items cannot tell how many."""
    if not _is_watched():
        yield from items
        return
    with _line(label, total or length_hint(items) or None) as (display, line):
        for item in items:
            yield item
            display.advance(line)


@contextmanager
def clock(label: str) -> Iterator[None]:
    """A name beside the time it takes so far."""
    if not _is_watched():
        yield
        return
    with _line(label, None):
        yield


def clear() -> None:
    """Leave the terminal as it was: what follows is to stay."""
    if _is_watched():
        _display().stop()


def _is_watched() -> bool:
    return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))


@contextmanager
def _line(label: str, total: int | None) -> Iterator[tuple["Progress", "TaskID"]]:
    display = _display()
    display.start()
    line = display.add_task(label, total=total)
    try:
        yield display, line
    finally:
        display.remove_task(line)
        if not display.tasks:
            display.stop()


@cache
def _display() -> "Progress":
    """The one display of this process; a terminal can hold no second."""
    from rich.console import Console  # only who looks pays for its import
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
