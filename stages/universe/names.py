"""Many names in few words."""

from collections.abc import Sequence

LISTED = 12


def few(names: Sequence[str]) -> str:
    """`A, B, C`; of more than a dozen the first, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")
