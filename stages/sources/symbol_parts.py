"""One symbol's part of a file of many symbols, and why files of one symbol cannot be joined.

A symbol's part is the rows that name it, or the columns whose names contain it.

*Errors*: `DataContractError` where neither rows nor columns name symbols; a file without rows need not.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from stages.errors import DataContractError, shorten
from stages.params.source import SYMBOL, SourceParams


def symbol_column(columns: Sequence[str], source: SourceParams) -> str | None:
    """The vendor's column of symbols."""
    return next((name for name in columns if source.ours(name) == "symbol"), None)


def wanted_rows(rows: pl.LazyFrame, source: SourceParams, symbols: Sequence[str]) -> pl.LazyFrame:
    """Rows of the symbols, under any name that they had; all rows where no column names symbols."""
    column = symbol_column(rows.collect_schema().names(), source)
    tickers = [ticker for symbol in symbols for ticker in source.tickers(symbol)]
    return rows if column is None else rows.filter(pl.col(column).cast(pl.String).is_in(tickers))


def parts_of(table: pl.DataFrame, source: SourceParams, symbols: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The part of each symbol that has one, names and values unchanged."""
    if (column := symbol_column(table.columns, source)) is not None:
        rows = {str(ticker): part for (ticker,), part in table.partition_by(column, as_dict=True).items()}
        found = {symbol: [rows[ticker] for ticker in source.tickers(symbol) if ticker in rows] for symbol in symbols}
        return {symbol: pl.concat(parts) for symbol, parts in found.items() if parts}
    if any(SYMBOL in alias for alias in source.aliases):
        return _columns_of(table, source.aliases, symbols)
    if len(symbols) == 1:
        return {symbols[0]: table}
    if table.is_empty():
        return {}
    raise DataContractError(
        f"source.uri_template {source.uri_template!r} names no {SYMBOL}, and no column of {shorten(table.columns)} is "
        "known to hold it: name that column in source.aliases, for example ticker: symbol."
    )


def _columns_of(table: pl.DataFrame, aliases: Mapping[str, str], symbols: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Each symbol's columns, without minutes at which all of them are empty: these are rows of other symbols."""
    shared = [name for name in table.columns if name in aliases or name == "ts"]
    own = {
        symbol: [name for alias in aliases if SYMBOL in alias and (name := alias.replace(SYMBOL, symbol)) in table]
        for symbol in symbols
    }
    return {
        symbol: table.select(*shared, *names).filter(~pl.all_horizontal(pl.col(names).is_null()))
        for symbol, names in own.items()
        if names
    }


def disagreement(first: str, earlier: pl.DataFrame, later: str, frame: pl.DataFrame) -> str:
    """Why the rows of file `later` do not fit those of file `first` and the files after it, and what to do."""
    gone = [name for name in earlier.columns if name not in frame.columns]
    new = [name for name in frame.columns if name not in earlier.columns]
    if gone and new:
        return f"{first} has the columns {gone} where {later} has {new}: get both in one layout from the vendor."
    for lacks, has, names in ((later, first, gone), (first, later, new)):
        if names:
            return f"{lacks} lacks the columns {names}, which {has} has: get it again from the vendor."
    for name, dtype in earlier.schema.items():
        if not _joins(dtype, frame.schema[name]):
            return (
                f"column {name!r} holds {dtype} in {first} and {frame.schema[name]} in {later}: get both in one layout "
                "from the vendor."
            )
    return f"{first} and {later} cannot be joined: get both in one layout from the vendor."


def _joins(one: pl.DataType, other: pl.DataType) -> bool:
    """Whether values of two types fit into one column."""
    try:
        pl.concat(
            [pl.Series([], dtype=one).to_frame("x"), pl.Series([], dtype=other).to_frame("x")], how="vertical_relaxed"
        )
    except pl.exceptions.PolarsError:
        return False
    return True
