"""How a frame becomes a table: the base of all schemas.

*Tables*: a schema names key and columns; rows are sorted by the key; floats are rounded to the decimals that the
column declares, so that a hashed file never shows the last bits of a sum.
*Errors*: `DataContractError` naming the schema, the broken rules and the first row that breaks one.
"""

from typing import Self

import dataframely as dy
import polars as pl

from stages.errors import DataContractError

UTC_MICROSECONDS = pl.Datetime("us", "UTC")


class Table(dy.Schema):
    """A table between two stages. Subclasses declare columns; `primary_key=True` marks the key."""

    @classmethod
    def of(cls, frame: pl.DataFrame) -> dy.DataFrame[Self]:
        """Select the schema's columns, round, sort by key and validate; what every writer calls last."""
        columns = cls.columns()
        missing = sorted(set(columns) - set(frame.columns))
        if missing:
            raise DataContractError(f"table {cls.__name__} lacks the columns {missing}; it has {frame.columns}.")
        rounded = [
            pl.col(name).cast(column.dtype).round(column.metadata["decimals"])
            if column.metadata and "decimals" in column.metadata
            else pl.col(name).cast(column.dtype)
            for name, column in columns.items()
        ]
        return cls.check(frame.select(rounded).sort(cls.primary_key()))

    @classmethod
    def check(cls, frame: pl.DataFrame) -> dy.DataFrame[Self]:
        """Validate a frame as it stands; what every reader calls first."""
        try:
            kept, broken = cls.filter(frame)
        except dy.exc.SchemaError as error:
            raise DataContractError(f"table {cls.__name__} breaks its contract: {error}") from error
        if rules := broken.counts():
            first = broken.invalid().row(0, named=True)
            at = ", ".join(f"{name} {first[name]}" for name in cls.primary_key())
            raise DataContractError(f"table {cls.__name__} breaks its contract in rows by rule {rules}, first at {at}.")
        return kept


def instant(*, key: bool = False, nullable: bool = False) -> dy.Datetime:
    """A UTC instant in microseconds."""
    return dy.Datetime(primary_key=key, nullable=nullable, time_unit="us", time_zone="UTC")


def number(decimals: int, *, nullable: bool = False) -> dy.Float64:
    """A float kept to `decimals` places; NaN and infinity are never allowed, null only where said."""
    return dy.Float64(nullable=nullable, allow_inf=False, allow_nan=False, metadata={"decimals": decimals})
