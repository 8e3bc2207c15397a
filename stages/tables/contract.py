"""The base of all table schemas: how a frame becomes a checked table.

*Tables*: a schema names key and columns; rows are sorted by the key; floats are rounded to the decimals that the column
declares, so a hashed file does not depend on the last bits of a sum.
*Errors*: `DataContractError` naming the schema, the broken rules and the first row that breaks one.
"""

from functools import cache
from typing import NamedTuple, Self, cast

import dataframely as dy
import polars as pl

from stages.errors import DataContractError

UTC_MICROSECONDS = pl.Datetime("us", "UTC")


class Table(dy.Schema):
    """A table between two stages. Subclasses declare columns; `primary_key=True` marks the key."""

    @classmethod
    def of(cls, frame: pl.DataFrame) -> dy.DataFrame[Self]:
        """Select the schema's columns, round, sort by key and validate. Every writer calls this last."""
        missing = sorted(set(cls.column_names()) - set(frame.columns))
        if missing:
            raise DataContractError(f"table {cls.__name__} lacks the columns {missing}; it has {frame.columns}.")
        cast = frame.select(_Contract.of(cls).cast)
        return cls.check(cast.sort(cls.primary_key(), maintain_order=True))  # faster where parts are in order

    @classmethod
    def check(cls, frame: pl.DataFrame) -> dy.DataFrame[Self]:
        """Validate a frame without changing it. Every reader calls this first."""
        contract = _Contract.of(cls)
        if {name: frame.schema.get(name) for name in contract.types} == contract.types:
            kept = frame.select(list(contract.types))
            if all(kept.select(contract.rules).row(0)):
                return cast(dy.DataFrame[Self], kept)
        try:  # the slow way, which tells what is broken, if not only the order of the rows
            kept, broken = cls.filter(frame)
        except dy.exc.SchemaError as error:
            raise DataContractError(f"table {cls.__name__} breaks its contract: {error}") from error
        if rules := broken.counts():
            first = broken.invalid().row(0, named=True)
            at = ", ".join(f"{name} {first[name]}" for name in cls.primary_key())
            raise DataContractError(f"table {cls.__name__} breaks its contract in rows by rule {rules}, first at {at}.")
        return kept


class _Contract(NamedTuple):
    """A table's types, how `Table.of` casts and rounds its columns, and whether all rows keep each rule.

    Expressions are built once: for a frame of a few rows, building them takes longer than evaluating them.
    """

    types: dict[str, pl.DataType]
    cast: list[pl.Expr]
    rules: list[pl.Expr]

    @staticmethod
    @cache
    def of(table: type[Table]) -> "_Contract":
        """The contract of a table, built once."""
        columns = table.columns()
        rules = {name: rule.expr for name, rule in table._validation_rules(with_cast=False).items()}
        if "primary_key" in rules:
            rules["primary_key"] = _ascends(table.primary_key())  # much faster than searching for repeated keys
        return _Contract(
            types={name: column.dtype for name, column in columns.items()},
            cast=[
                rounded(pl.col(name).cast(column.dtype), column.metadata["decimals"])
                if column.metadata and "decimals" in column.metadata
                else pl.col(name).cast(column.dtype)
                for name, column in columns.items()
            ],
            rules=[rule.fill_null(True).all().alias(name) for name, rule in rules.items()],
        )


def _ascends(key: list[str]) -> pl.Expr:
    """Whether each row's key is larger than that of the row before."""
    larger = pl.lit(value=False)
    for one in reversed([pl.col(name) for name in key]):
        before = one.shift(1)
        larger = (one > before) | ((one == before) & larger)
    return larger


def rounded(value: pl.Expr, decimals: int) -> pl.Expr:
    """A rounded number; -0.0 becomes 0.0, since the sign of a rounded zero differs between processors."""
    return value.round(decimals).replace(0.0, 0.0)  # polars optimizes `+ 0.0` away


def instant(*, key: bool = False, nullable: bool = False) -> dy.Datetime:
    """A UTC instant in microseconds."""
    return dy.Datetime(primary_key=key, nullable=nullable, time_unit="us", time_zone="UTC")


def number(decimals: int, *, nullable: bool = False) -> dy.Float64:
    """A float kept to `decimals` places; never NaN or infinity, null only if `nullable`."""
    return dy.Float64(nullable=nullable, allow_inf=False, allow_nan=False, metadata={"decimals": decimals})


def packed(table: pl.DataFrame) -> bytes:
    """A table as compressed bytes, so that those of all symbols fit into memory; `unpacked` reads one."""
    return table.write_ipc(None, compression="lz4").getvalue()


def unpacked(content: bytes) -> pl.DataFrame:
    """The table that was packed."""
    return pl.read_ipc(content)
