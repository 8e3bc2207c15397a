"""The meaning of a vendor's columns, with the evidence: by name, or by value where names are unknown.

In every row a bar's high is the highest and its low the lowest of its four prices; a minute opens near the previous
close. Names come first, since they state what a vendor means; values must not contradict them.
*Errors*: `DataContractError` where no assignment fits, with the columns and how to name them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from stages.errors import DataContractError
from stages.params.source import SYMBOL, Unit
from stages.sources.columns_by_value import ENOUGH, bar_share, by_value
from stages.tables.market import PRICES

NAMES: Mapping[str, tuple[str, ...]] = {
    "ts": ("ts", "timestamp", "datetime", "windowstart", "tsevent", "t", "time", "date", "begin", "indexlevel0",
           "index", "pricetickerdatetime", "tickerdatetime"),
    "symbol": ("symbol", "ticker", "sym", "tic", "instrument"),
    "open": ("open", "o", "1open", "openprice"),
    "high": ("high", "h", "2high", "highprice"),
    "low": ("low", "l", "3low", "lowprice"),
    "close": ("close", "c", "4close", "last", "closeprice"),
    "volume": ("volume", "v", "vol", "5volume"),
}  # fmt: skip
A_SECOND: Mapping[Unit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
SCALES = (1.0, 0.01, 1e-4, 1e-9)
DEAREST = 5000.0  # dollars: above nearly every share price
WHOLE_DOLLARS = 0.2  # share of closes: above that of any share
WIDE = re.compile(r"(?i)(?<![a-z])(open|high|low|close|volume)(?![a-z])")
TICKER_IN = re.compile(r"(?<![A-Za-z0-9])[A-Z][A-Z0-9]{0,9}(?:[.\-][A-Z0-9]{1,4})?(?![A-Za-z0-9])")
INSTANT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]|\d{9,19}$")
ROUNDED = 0.005 + 1e-9  # dollars: a named high may be rounded to cents, as the data gate allows
ROW_NUMBER = re.compile(r"\d{1,7}")  # of an index that was saved with the rows; a day has eight digits


@dataclass(frozen=True)
class Columns:
    """Aliases that are needed, symbols that columns are named after, and the evidence."""

    aliases: dict[str, str]
    symbols: tuple[str, ...]
    evidence: str


def columns_of(rows: pl.DataFrame) -> Columns:
    """The meaning of each column, from some rows; numbers stored as text count as numbers."""
    scalars = pl.selectors.numeric() | pl.selectors.string() | pl.selectors.by_dtype(pl.Null)
    printed = rows.with_columns(pl.selectors.by_dtype(pl.Float32).cast(pl.String))  # 187.43, not 187.42999267578125
    numbers = printed.select(scalars.cast(pl.Float64, strict=False))
    if wide := _wide(rows.columns):
        columns, symbols = wide
    else:
        columns, symbols = _by_name(rows), ()
        columns |= {} if {"ts", "date"} & {*columns} else {"ts": _stamp_by_value(rows)}
        if not {*PRICES, "volume"} <= {*columns}:
            place, follows = _in_order(rows, columns)
            columns |= by_value(numbers[place], columns, follows)
    ours = {name: column.replace(SYMBOL, symbols[0]) if symbols else column for name, column in columns.items()}
    if strange := [ours[name] for name in PRICES if ours[name] not in numbers]:
        raise DataContractError(
            f"column {strange[0]!r} holds {rows.schema[strange[0]]}, not numbers: convert it at the source."
        )
    share = bar_share(numbers, [ours[name] for name in PRICES], ROUNDED)
    if share < ENOUGH:
        raise DataContractError(
            f"columns {[ours[name] for name in PRICES]} are not open, high, low and close: high is highest and low is "
            f'lowest in only {share:.0%} of rows. Name them: ALIASES="{" ".join(f"COLUMN={name}" for name in PRICES)}".'
        )
    aliases = {column: name for name, column in columns.items() if column != name}
    text = ", ".join(f"{column} is {name}" for column, name in aliases.items()) or "names as ours"
    return Columns(aliases, symbols, f"{text}; high is highest and low lowest in {share:.1%} of {rows.height} rows")


def unit_of(first: int | str) -> tuple[Unit, str]:
    """The unit of a whole-number stamp since 1970, from the year that it gives."""
    for unit, a_second in A_SECOND.items():
        if 2e8 < float(first) / a_second < 4e9:
            when = pl.from_epoch(pl.Series([int(first)]), time_unit=unit)[0]
            return unit, f"{unit}: {first} is {when} UTC"
    raise DataContractError(
        f"the first stamp is {first}, which is not a time since 1970 in s, ms, us or ns: convert the stamps at the "
        "source."
    )


def price_scale_of(prices: pl.Series) -> tuple[float, str]:
    """The value of 1 in the file: whole numbers too large for dollars are cents or smaller units."""
    known = prices.drop_nulls()
    median = float(known.median() or 0)  # type: ignore[arg-type]
    if known.is_empty() or not (known == known.round()).all():
        return 1.0, ""
    scale = next((scale for scale in SCALES if median * scale <= DEAREST), SCALES[-1])
    if scale == SCALES[1] and float((known % 100 == 0).mean()) > WHOLE_DOLLARS:  # type: ignore[arg-type]
        scale = SCALES[2]  # whole cents
    text = f"{scale:g}: prices are whole numbers around {median:.0f}, so {median * scale:.2f} dollars"
    return scale, "" if scale == 1 else text


def _by_name(rows: pl.DataFrame) -> dict[str, str]:
    ours_first = sorted(rows.columns, key=lambda name: name not in NAMES)
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(ours_first)}
    numbering = {name for name, column in plain.items() if ROW_NUMBER.fullmatch(_first(rows[column]))}
    found = {
        ours: plain[name]
        for ours, names in NAMES.items()
        for name in reversed(names)
        if name in plain and not (ours == "ts" and name in numbering)
    }
    if {"date", "time"} <= {*plain}:
        date, time = rows[plain["date"]], rows[plain["time"]]
        apart = ":" not in _first(date) and not any(INSTANT.match(_first(part)) for part in (date, time))
        numbers = date.dtype.is_integer() or time.dtype.is_integer()
        if apart and numbers and found.get("ts") in (date.name, time.name):
            raise DataContractError(
                f"columns {date.name!r} and {time.name!r} hold {date.dtype} and {time.dtype}: write days and times as "
                "text at the source."
            )
        if apart and date.dtype in (pl.String, pl.Date) and time.dtype in (pl.String, pl.Time):
            found.pop("ts", None)
            found |= {"date": plain["date"], "time": plain["time"]}
    return found


def _stamp_by_value(rows: pl.DataFrame) -> str:
    """The first column whose values look like instants."""
    for name in rows.columns:
        if isinstance(rows[name].dtype, pl.Datetime) or INSTANT.match(_first(rows[name])):
            return name
    raise DataContractError(f'which of {rows.columns} holds the stamps? Name it: ALIASES="COLUMN=ts".')


def _first(values: pl.Series) -> str:
    """The first value as text, empty where there is none."""
    return str(next(iter(values.drop_nulls()), ""))


def _in_order(rows: pl.DataFrame, found: Mapping[str, str]) -> tuple[pl.Series, pl.Series]:
    """The row numbers sorted by symbol and time, and whether each row then follows one of its own symbol."""
    stamps = rows[found.get("ts") or found["time"]]
    symbols = rows[found["symbol"]] if "symbol" in found else pl.repeat("", rows.height, eager=True)
    places = pl.DataFrame({"symbol": symbols.cast(pl.String), "place": range(rows.height)})
    ordered = (places.reverse() if _falls(stamps) else places).sort("symbol", maintain_order=True)
    return ordered["place"], ordered["symbol"] == ordered["symbol"].shift(1)


def _falls(stamps: pl.Series) -> bool:
    """Whether most stamps are earlier than the one above them; stamps may be text, and hold the time alone."""
    before = stamps.shift(1)
    return bool((stamps < before).sum() > (stamps > before).sum())


def _wide(names: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]] | None:
    """If each symbol has columns of its own, as `Open_AAPL` or `('Open', 'AAPL')`: their form, and the symbols."""
    forms: dict[str, dict[str, str]] = {}
    for name in names:
        field = WIDE.search(name)
        ticker = (
            None if field is None else TICKER_IN.search(WIDE.sub(lambda match: "\0" * len(match[0]), name, count=1))
        )
        if field and ticker and "adj" not in name.lower():
            form = name[: ticker.start()] + SYMBOL + name[ticker.end() :]
            forms.setdefault(ticker[0], {})[field[0].lower()] = form
    whole = {symbol: form for symbol, form in forms.items() if len(form) == len(PRICES) + 1}
    if not whole:
        return None
    stamp = _by_name(pl.DataFrame(schema=list(names))).get("ts", names[0])
    return {"ts": stamp, **next(iter(whole.values()))}, tuple(sorted(whole))
