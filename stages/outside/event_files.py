"""The dated list of events that a study knows: `conf/events/<features.events>.csv`, committed by the user.

*Errors*: `DataContractError` (exit 2) naming the file and the rule it breaks.
"""

from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.tables.contract import UTC_MICROSECONDS
from stages.tables.events import Events

FOLDER = Path("conf/events")
INSTANTS = ("ts", "announced_at")


def read_events(name: str) -> pl.DataFrame:
    """Table `Events` from its CSV file; instants in ISO 8601 with their zone, as `2024-05-01T18:00:00Z`."""
    path = FOLDER / f"{name}.csv"
    try:
        text = pl.read_csv(path, infer_schema=False, glob=False)
        stamped = text.with_columns(
            pl.col(one).str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", time_unit="us").cast(UTC_MICROSECONDS)
            for one in INSTANTS
            if one in text.columns
        )
        return Events.of(stamped)
    except FileNotFoundError:
        raise DataContractError(f"{path}, which features.events names, is missing: write it, or say none.") from None
    except (pl.exceptions.PolarsError, DataContractError) as error:
        raise DataContractError(
            f"{path} is no list of events ({' '.join(str(error).split())}): its columns are ts, symbol, event and "
            "announced_at, its instants look like 2024-05-01T18:00:00Z; see docs/FEATURES.md."
        ) from error
