"""The dated lists that a study knows: `conf/events/<features.events>.csv` and `conf/halts/<quality.halts>.csv`.

The user commits them; instants stand in ISO 8601 with their zone, as `2024-05-01T18:00:00Z`.
*Errors*: `DataContractError` (exit 2) naming the file and the rule it breaks.
"""

from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.tables.contract import UTC_MICROSECONDS, Table
from stages.tables.events import Events, Halts

FOLDER = Path("conf/events")
HALTS = Path("conf/halts")


def read_events(name: str) -> pl.DataFrame:
    """Table `Events` from its CSV file."""
    return _dated(FOLDER / f"{name}.csv", Events, "features.events", "docs/FEATURES.md")


def read_halts(name: str) -> pl.DataFrame:
    """Table `Halts` from its CSV file."""
    return _dated(HALTS / f"{name}.csv", Halts, "quality.halts", "docs/ABSENT_MINUTES.md")


def _dated(path: Path, table: type[Table], param: str, page: str) -> pl.DataFrame:
    stamps = [name for name, column in table.columns().items() if column.dtype == UTC_MICROSECONDS]
    try:
        text = pl.read_csv(path, infer_schema=False)
        stamped = text.with_columns(
            pl.col(one).str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", time_unit="us").cast(UTC_MICROSECONDS)
            for one in stamps
            if one in text.columns
        )
        return table.of(stamped)
    except FileNotFoundError:
        raise DataContractError(f"{path}, which {param} names, is missing: write it, or say none.") from None
    except (pl.exceptions.PolarsError, DataContractError) as error:
        raise DataContractError(
            f"{path} is no list of {table.__name__.lower()} ({' '.join(str(error).split())}): its columns are "
            f"{', '.join(table.columns())}, its instants look like 2024-05-01T18:00:00Z; see {page}."
        ) from error
