"""Dated lists that the user commits: `conf/events`, `conf/halts` and `conf/corporate_actions`, each `<name>.csv`.

*Time*: instants in ISO 8601 with their zone, as `2024-05-01T18:00:00Z`; sessions as `2024-06-10`.
*Errors*: `DataContractError` (exit 2) naming the file and the rule it breaks.
"""

from datetime import date
from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.tables.contract import UTC_MICROSECONDS, Table
from stages.tables.market import CorporateActions, Events, Halts

EVENTS, HALTS, ACTIONS = (Path("conf") / folder for folder in ("events", "halts", "corporate_actions"))


def read_events(name: str) -> pl.DataFrame:
    """Table `Events` from its CSV file."""
    return _read(EVENTS / f"{name}.csv", Events, "features.events", "docs/FEATURES.md")


def read_halts(name: str) -> pl.DataFrame:
    """Table `Halts` from its CSV file."""
    return _read(HALTS / f"{name}.csv", Halts, "quality.halts", "docs/ABSENT_MINUTES.md")


def read_actions(name: str) -> dict[str, dict[date, float]]:
    """The price factor (new over old, 0.25 for a 4:1 split) of each listed corporate action, by symbol and session."""
    path = ACTIONS / f"{name}.csv"
    listed: dict[str, dict[date, float]] = {}
    table = _read(path, CorporateActions, "quality.corporate_actions", "docs/DATA_QUALITY.md")
    for session, symbol, factor, _ in table.iter_rows():
        listed.setdefault(symbol, {})[session] = factor
    return listed


def _read(path: Path, table: type[Table], param: str, page: str) -> pl.DataFrame:
    types = {name: column.dtype for name, column in table.columns().items()}
    try:
        text = pl.read_csv(path, infer_schema=False, glob=False)
        return table.of(text.with_columns(_parsed(one, types[one]) for one in text.columns if one in types))
    except FileNotFoundError:
        raise DataContractError(
            f"{path}, which {param} names, is missing: write the file, or set {param} to none."
        ) from None
    except (pl.exceptions.PolarsError, DataContractError) as error:
        raise DataContractError(
            f"{path} is not a valid list of {path.parent.name.replace('_', ' ')} ({' '.join(str(error).split())}): its "
            f"columns must be {', '.join(types)}, its instants look like 2024-05-01T18:00:00Z, its sessions like "
            f"2024-06-10; see {page}."
        ) from error


def _parsed(name: str, dtype: object) -> pl.Expr:
    column = pl.col(name)
    if dtype == UTC_MICROSECONDS:
        return column.str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", time_unit="us").cast(UTC_MICROSECONDS)
    if dtype == pl.Date:
        return column.str.to_date("%Y-%m-%d")
    return column.cast(pl.Float64) if dtype == pl.Float64 else column
