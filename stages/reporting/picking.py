"""Which of many are shown: by rule, not by taste."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(ranked: Sequence[T], most: int) -> list[T]:
    """So many of a ranked sequence, from its first to its last at even distances; all of a shorter one."""
    last = len(ranked) - 1
    places = sorted({round(step * last / max(most - 1, 1)) for step in range(most)}) if ranked else []
    return [ranked[place] for place in places]
