"""Work on tables that is asked for again and again, done once: a check of fourteen sessions takes a hundred steps."""

import pickle
from collections.abc import Callable
from hashlib import md5
from typing import Any

LAST = 60  # results in memory


def remembering(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which answers the tables that it was given lately from memory."""
    known: dict[bytes, Any] = {}

    def remembered(*given: Any, **named: Any) -> Any:
        asked = md5(pickle.dumps((given, named)), usedforsecurity=False).digest()
        if asked not in known:
            known[asked] = work(*given, **named)
            if len(known) > LAST:
                del known[next(iter(known))]
        return known[asked]

    return remembered
