"""Dated lists that the user commits: `conf/events`, `conf/halts` and `conf/corporate_actions`, each `<name>.csv`.

*Time*: instants in ISO 8601 with their zone, as `2024-05-01T18:00:00Z`; sessions as `2024-06-10`.
*Errors*: `ConfigurationError` (exit 5) naming the existing lists if params name another; `DataContractError` (exit 2)
naming the file and the rule it breaks.
"""

from datetime import date
from pathlib import Path

import polars as pl

from stages.errors import ConfigurationError, DataContractError
from stages.params.features import FeaturesParams
from stages.params.quality import QualityParams
from stages.tables.contract import UTC_MICROSECONDS, Table
from stages.tables.market import CorporateActions, Events, Halts

EVENTS, HALTS, ACTIONS = (Path("conf") / folder for folder in ("events", "halts", "corporate_actions"))
NAMED_BY = {EVENTS: "features.events", HALTS: "quality.halts", ACTIONS: "quality.corporate_actions"}


def require_lists(features: FeaturesParams, quality: QualityParams) -> None:
    """*Errors*: `ConfigurationError` when params name a list that conf/ does not hold."""
    for folder, name in ((EVENTS, features.events), (HALTS, quality.halts), (ACTIONS, quality.corporate_actions)):
        _listed(folder, name)


def read_events(name: str) -> pl.DataFrame:
    """Table `Events` from its CSV file."""
    return _read(_listed(EVENTS, name), Events, "docs/FEATURES.md")


def read_halts(name: str) -> pl.DataFrame:
    """Table `Halts` from its CSV file."""
    return _read(_listed(HALTS, name), Halts, "docs/ABSENT_MINUTES.md")


def read_actions(name: str) -> dict[str, dict[date, float]]:
    """The price factor (new over old, 0.25 for a 4:1 split) of each listed corporate action, by symbol and session."""
    listed: dict[str, dict[date, float]] = {}
    table = _read(_listed(ACTIONS, name), CorporateActions, "docs/DATA_QUALITY.md")
    for session, symbol, factor, _ in table.iter_rows():
        listed.setdefault(symbol, {})[session] = factor
    return listed


def _listed(folder: Path, name: str) -> Path:
    path = folder / f"{name}.csv"
    if not path.exists():
        offered = ", ".join(sorted(one.stem for one in folder.glob("*.csv")))
        raise ConfigurationError(
            f"there is no {path}, which {NAMED_BY[folder]} names: write the file, or name one of {offered}."
        )
    return path


def _read(path: Path, table: type[Table], page: str) -> pl.DataFrame:
    types = {name: column.dtype for name, column in table.columns().items()}
    try:
        text = pl.read_csv(path, infer_schema=False, glob=False)
        return table.of(text.with_columns(_parsed(one, types[one]) for one in text.columns if one in types))
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
