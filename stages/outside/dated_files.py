"""Dated lists that a study knows, committed by the user: `conf/events/<name>.csv`, `conf/corporate_actions/<name>.csv`.

*Errors*: `DataContractError` (exit 2) naming the file and the rule it breaks.
"""

from datetime import date
from pathlib import Path

import polars as pl

from stages.errors import DataContractError
from stages.tables.contract import UTC_MICROSECONDS, Table
from stages.tables.corporate_actions import CorporateActions
from stages.tables.events import Events

EVENTS = Path("conf/events")
ACTIONS = Path("conf/corporate_actions")
INSTANT, DAY = "%Y-%m-%dT%H:%M:%S%#z", "%Y-%m-%d"


def read_events(name: str) -> pl.DataFrame:
    """Table `Events` from its CSV file; instants in ISO 8601 with their zone, as `2024-05-01T18:00:00Z`."""
    instants = {
        one: pl.col(one).str.to_datetime(INSTANT, time_unit="us").cast(UTC_MICROSECONDS)
        for one in ("ts", "announced_at")
    }
    rule = (
        "its columns are ts, symbol, event and announced_at, its instants look like 2024-05-01T18:00:00Z; see "
        "docs/FEATURES.md."
    )
    return _read(EVENTS / f"{name}.csv", "features.events", Events, instants, f"list of events|{rule}")


def read_actions(name: str) -> dict[str, dict[date, float]]:
    """The factor of each listed jump of a price, by symbol and session, from table `CorporateActions`."""
    values = {"session": pl.col("session").str.to_date(DAY), "price_factor": pl.col("price_factor").cast(pl.Float64)}
    rule = (
        "its columns are session, symbol, price_factor (new price over old, 0.25 for a 4:1 split) and reason, its "
        "sessions look like 2024-06-10; see docs/DATA_QUALITY.md."
    )
    path = ACTIONS / f"{name}.csv"
    table = _read(path, "quality.corporate_actions", CorporateActions, values, f"list of corporate actions|{rule}")
    listed: dict[str, dict[date, float]] = {}
    for session, symbol, factor, _ in table.iter_rows():
        listed.setdefault(symbol, {})[session] = factor
    return listed


def _read(path: Path, param: str, table: type[Table], parsed: dict[str, pl.Expr], what: str) -> pl.DataFrame:
    noun, _, rule = what.partition("|")
    try:
        text = pl.read_csv(path, infer_schema=False)
        return table.of(text.with_columns(parse.alias(one) for one, parse in parsed.items() if one in text.columns))
    except FileNotFoundError:
        raise DataContractError(f"{path}, which {param} names, is missing: write it, or say none.") from None
    except (pl.exceptions.PolarsError, DataContractError) as error:
        raise DataContractError(f"{path} is no {noun} ({' '.join(str(error).split())}): {rule}") from error
