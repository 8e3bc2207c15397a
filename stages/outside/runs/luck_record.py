"""What `make null` last found for a strategy, kept beside the answer store, where no stage looks."""

import json
from typing import Any

from stages.outside.places import Folder
from stages.outside.workspace import store_root


def keep_luck(strategy: str, found: dict[str, Any]) -> None:
    """Keep a finding under the strategy's id, in place of an earlier one."""
    text = json.dumps(found, indent=2, sort_keys=True, allow_nan=False) + "\n"
    Folder(store_root()).replace(_name(strategy), text.encode())


def kept_luck(strategy: str) -> dict[str, Any] | None:
    """The finding for this strategy: `gates` it was judged by, `dates` and `markets` as `portfolio.luck` makes them."""
    content = Folder(store_root()).read(_name(strategy))
    return None if content is None else dict(json.loads(content))


def _name(strategy: str) -> str:
    return f"null/{strategy}.json"
