"""Sources as a study states them, for tests that care about some of their keys only."""

from typing import Any

from stages.params.source import SourceParams

PLAIN: dict[str, Any] = {
    "name": "mine",
    "kind": "parquet",
    "uri_template": "bars/{symbol}_{yyyy}-{mm}.parquet",
    "aliases": {},
    "zone": None,
    "bar_label": "start",
    "bar_label_trusted": False,
    "unit": None,
    "price_scale": 1.0,
    "stamp_format": None,
    "csv": None,
    "renames": {},
    "synthetic": None,
}


def source(**changes: Any) -> SourceParams:
    """A source of plain parquet files with our own columns, but for the changes."""
    return SourceParams(**(PLAIN | changes))
