"""A progress bar for whoever waits at a terminal; silent in logs, pipes and tests."""

from collections.abc import Collection, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(items: Collection[T], label: str) -> Iterator[T]:
    """The items, with a bar on stderr while they are worked on."""
    console = Console(stderr=True)
    yield from track(items, description=label, console=console, transient=True, disable=not console.is_terminal)
