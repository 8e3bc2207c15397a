"""A progress bar for whoever waits at a terminal; silent in logs, pipes and tests."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a bar on stderr while they are worked on; `total` where the items cannot tell how many."""
    if not (sys.stderr.isatty() or os.environ.get("FORCE_COLOR")):
        yield from items
        return
    from rich.console import Console  # only who looks pays for its import
    from rich.progress import track

    yield from track(items, description=label, total=total, console=Console(stderr=True), transient=True)
