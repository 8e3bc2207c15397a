"""A vendor's rows in our dialect: our column names and types, UTC, start labels, one row a minute of regular hours.

This is the only place where aliases, zone, unit, price scale, renames and bar label are interpreted.

*Tables*: `Ingested.rows` holds `ts, open, high, low, close, volume`, sorted by `ts`, minutes of the calendar only.
*Time*: `ts` is the start of the bar in UTC microseconds.
*Errors*: `HardFailure` when the rows cannot be read without guessing: SCH1 (columns, types), SCH2 (zone), TS4 (whole
minutes), TS6 (rows on a holiday), TS7 (no row in any session). What the label is, all symbols tell together: `labels`.
"""

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Literal

import polars as pl

from stages.params.quality import DialectParams
from stages.quality.verdicts import HardFailure
from stages.tables.contract import UTC_MICROSECONDS
from stages.tables.market import NEW_YORK, PRICES

NUMBERS = (*PRICES, "volume")
COLUMNS = ("ts", *NUMBERS)
REGULAR_HOURS = (time(9, 30), time(16, 0))
DAY = timedelta(days=1)
SHARED = pl.col("ts").eq_missing(pl.col("ts").shift(1)) | pl.col("ts").eq_missing(
    pl.col("ts").shift(-1)
)  # of sorted rows
MOST = 0.5  # of all
ALL_HOURS_ROWS = 10  # outside regular hours on most full sessions: after an early close such a feed goes on, too
A_SECOND: dict[Literal["s", "ms", "us", "ns"], float] = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
PER_MICROSECOND = {"ms": 1e-3, "us": 1, "ns": 1000}


@dataclass(frozen=True)
class Ingested:
    """Rows of regular hours, how often each harmless fault occurred, and per session the faults that are not."""

    rows: pl.DataFrame
    counts: dict[str, int]
    conflicts: pl.DataFrame  # session -> TS3, minutes delivered twice with different values; conflicting, rows of these
    tails: pl.DataFrame  # session -> TS6, rows after the close of a half day

    @classmethod
    def nothing(cls) -> "Ingested":
        """What is left of rows that could not be read."""
        return cls(
            rows=pl.DataFrame(schema={"ts": UTC_MICROSECONDS} | dict.fromkeys(NUMBERS, pl.Float64)),
            counts={},
            conflicts=pl.DataFrame(schema={"session": pl.Date, "TS3": pl.UInt32, "conflicting": pl.UInt32}),
            tails=pl.DataFrame(schema={"session": pl.Date, "TS6": pl.UInt32}),
        )


def read_rows(
    symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Our columns of all rows as delivered, and those of the study's span in UTC, still with the vendor's label."""
    named = _named(symbol, delivered, dialect)
    stamped = _by_its_name(symbol, _in_utc(_typed(named, dialect), dialect, calendar), dialect)
    _check_step(stamped)
    return named, stamped


def ingest(named: pl.DataFrame, stamped: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> Ingested:
    """The rows of one symbol in our dialect, from what `read_rows` returns."""
    shift = timedelta(minutes=1 if dialect.bar_label == "end" else 0)
    rows = stamped.with_columns(pl.col("ts") - shift)
    distinct = _distinct(rows)
    placed = _in_sessions(distinct, calendar)
    regular, outside = placed.drop_nulls("session"), placed.filter(pl.col("session").is_null()).drop("session")
    if regular.is_empty():
        raise HardFailure(
            "TS7", f"no row lies in a session: {_extent(named)}; check universe.first_session and its unit."
        )
    return Ingested(
        rows=regular.filter(~SHARED).drop("session"),
        counts={
            "TS1": int((rows["ts"].diff() < timedelta(0)).sum()),
            "TS2": rows.height - distinct.height,
            "outside_hours": outside.height + named.height - stamped.height,
            "auction_rows": _auction_rows(outside, calendar),
        },
        conflicts=regular.filter(SHARED)
        .group_by("session")
        .agg(TS3=pl.col("ts").n_unique(), conflicting=pl.len())
        .sort("session"),
        tails=_tails(outside, calendar),
    )


def as_labelled(symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows of the span in our columns and in UTC, with the vendor's label: what a look into a new source judges."""
    return _in_utc(_typed(_named(symbol, delivered, dialect), dialect), dialect, calendar)


def in_our_columns(symbol: str, delivered: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """All rows in our columns, stamps as they are."""
    return _typed(_named(symbol, delivered, dialect), dialect)


def _named(symbol: str, delivered: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Our columns under our names; with the `ticker` of each row where the symbol was renamed."""
    if delivered.is_empty():
        raise HardFailure("SCH1", "the file holds no rows: get it again, or take the symbol out of universe.")
    aliases = {theirs.replace("{symbol}", symbol): ours for theirs, ours in dialect.aliases.items()}
    vendor = {ours: theirs for theirs, ours in aliases.items() if theirs in delivered.columns}
    if both := sorted(ours for ours in vendor if ours in delivered.columns and vendor[ours] != ours):
        raise HardFailure(
            "SCH1", f"source.aliases names {vendor[both[0]]!r} for {both[0]!r}, but the file has both: drop the alias."
        )
    names = {ours: vendor.get(ours, ours) for ours in COLUMNS}
    if missing := [ours for ours, theirs in names.items() if theirs not in delivered.columns]:
        raise HardFailure(
            "SCH1",
            f"column {missing[0]!r} is missing, the file has {delivered.columns}: name the vendor's in source.aliases.",
        )
    told, earlier = vendor.get("symbol", "symbol"), dialect.renames.get(symbol, {})
    if told in delivered.columns:
        strangers = {*delivered[told].cast(pl.String).unique()} - {symbol, *earlier}
        if others := sorted(strangers, key=str):
            raise HardFailure("SCH1", f"the file holds rows of {others[0]!r}: correct source.uri_template.")
        names |= {"ticker": told} if earlier else {}
    return delivered.select(pl.col(theirs).alias(ours) for ours, theirs in names.items())


def _typed(named: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Prices in dollars and volume as floats; stamps must be stamps, or whole numbers of a stated unit."""
    for name in NUMBERS:
        dtype = named[name].dtype
        if not (dtype.is_numeric() or dtype == pl.Null):
            raise HardFailure("SCH1", f"column {name!r} holds {dtype}, not numbers: convert it at the source.")
    stamps = _stamps(named["ts"], dialect)
    if nulls := stamps.null_count():
        raise HardFailure("SCH1", f"column 'ts' is empty in {nulls} rows: repair them at the source.")
    widened = named.with_columns(
        stamps, pl.selectors.by_dtype(pl.Float32).cast(pl.String)
    )  # 187.43, not 187.42999267578125
    numbers = widened.with_columns(pl.col(NUMBERS).cast(pl.Float64, strict=False))
    return numbers if dialect.price_scale == 1 else numbers.with_columns(pl.col(PRICES) / _units(dialect.price_scale))


def _stamps(stamps: pl.Series, dialect: DialectParams) -> pl.Series:
    """Stamps with a date: whole numbers count from 1970, in UTC, or on the clock of `source.zone` if it is stated."""
    if stamps.dtype.is_integer():
        if dialect.unit is None:
            raise HardFailure(
                "SCH1", f"column 'ts' holds {stamps.dtype}, first {stamps[0]}: state what it counts in source.unit"
                f"{_likely_unit(stamps[0])}.",
            )  # fmt: skip
        whole = pl.from_epoch(stamps.cast(pl.Int64), time_unit=dialect.unit)
        return whole if dialect.zone else whole.dt.replace_time_zone("UTC")
    if not isinstance(stamps.dtype, pl.Datetime):
        raise HardFailure(
            "SCH1", f"column 'ts' holds {stamps.dtype}, not timestamps (ms, us or ns): convert it at the source."
        )
    return stamps


def _likely_unit(count: int | None) -> str:
    """The unit by which a count since 1970 falls into our time, in words."""
    likely = [unit for unit, a_second in A_SECOND.items() if 2e8 < (count or 0) / a_second < 4e9]
    return f"; as {likely[0]} it is {pl.from_epoch(pl.Series([count]), time_unit=likely[0])[0]} UTC" if likely else ""


def _units(price_scale: float) -> float:
    """How many units make a dollar: a whole number is divided by without rounding twice."""
    units = 1 / price_scale
    return float(round(units)) if abs(units - round(units)) < 1e-6 * units else units


def _by_its_name(symbol: str, stamped: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Of a renamed symbol the rows under the name that it had on their day in New York; another's are dropped."""
    if "ticker" not in stamped.columns:
        return stamped
    day = pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date()
    name = pl.lit(symbol)
    for ticker, until in sorted(dialect.renames[symbol].items(), key=lambda one: one[1], reverse=True):
        name = pl.when(day < until).then(pl.lit(ticker)).otherwise(name)
    return stamped.filter(pl.col("ticker").cast(pl.String) == name).drop("ticker")


def _in_utc(typed: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> pl.DataFrame:
    """Stamps of the study's span in UTC microseconds, still with the vendor's label."""
    unit, zone = typed.schema["ts"].time_unit, typed.schema["ts"].time_zone  # type: ignore[attr-defined]
    if zone is None and dialect.zone is None:
        raise HardFailure("SCH2", f"the stamps carry no time zone, first {typed['ts'][0]}: name theirs in source.zone.")
    ticks = pl.col("ts").to_physical()  # integers: no date is too far off to be compared
    first, last = calendar["open_utc"].dt.epoch(unit)[0], calendar["close_utc"].dt.epoch(unit)[-1]
    day, minute = DAY // timedelta(microseconds=1) * PER_MICROSECOND[unit], 60_000_000 * PER_MICROSECOND[unit]
    rows = typed.filter(ticks.is_between(int(first - day), int(last + day)))
    uneven = rows.filter(ticks % int(minute) != 0)
    if not uneven.is_empty():
        raise HardFailure(
            "TS4",
            f"{uneven.height} stamps lie off the whole minute, first {uneven['ts'][0]}: these are no minute bars, or "
            "their unit is wrong; correct the source.",
        )
    # a local time that the change of clocks makes ambiguous lies in no session: such rows are dropped
    aware = (
        pl.col("ts") if zone else pl.col("ts").dt.replace_time_zone(dialect.zone, ambiguous="null", non_existent="null")
    )
    return rows.with_columns(aware.dt.convert_time_zone("UTC").dt.cast_time_unit("us")).drop_nulls("ts")


def _check_step(stamped: pl.DataFrame) -> None:
    """Raise if most stamps lie further apart than a minute: a name that rarely trades still trades in minutes."""
    steps = stamped["ts"].sort().diff().dt.total_minutes()
    apart = steps.filter(steps > 0)
    if 2 * (apart == 1).sum() >= len(apart):
        return
    step, count = apart.value_counts(sort=True).row(0)
    if step > 1 and count > MOST * len(apart):
        raise HardFailure(
            "TS4",
            f"the stamps lie {step} minutes apart ({count} of {len(apart)}): these are bars of {step} minutes, and the "
            "study is made of bars of one; get minute bars at the source.",
        )


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row once, sorted by `ts`; only rows that share their minute are compared."""
    in_order = rows.sort("ts", maintain_order=True)
    several = in_order.filter(SHARED).unique(maintain_order=True)
    return pl.concat([in_order.filter(~SHARED), several]).sort("ts", maintain_order=True)


def _in_sessions(distinct: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows in order of time with the `session` they lie in; null outside regular hours."""
    opened = calendar.select("session", "open_utc", "close_utc")
    return (
        distinct.join_asof(opened, left_on="ts", right_on="open_utc", check_sortedness=False)
        .with_columns(session=pl.when(pl.col("ts") < pl.col("close_utc")).then("session"))
        .drop("open_utc", "close_utc")
    )


def _tails(outside: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows in regular hours that no session has: after an early close they are counted, on a holiday they are hard."""
    local = pl.col("ts").dt.convert_time_zone(NEW_YORK)
    opens, closes = REGULAR_HOURS
    rows = outside.select("ts", session=local.dt.date(), clock=local.dt.time()).filter(
        pl.col("clock").is_between(opens, closes, closed="left"),
        pl.col("session").is_between(calendar["session"].min(), calendar["session"].max()),
    )
    holidays = rows.join(calendar, on="session", how="anti").sort("session")
    if not holidays.is_empty():
        day = holidays["session"][0]
        count = holidays.filter(pl.col("session") == day).height
        raise HardFailure(
            "TS6",
            f"{count} rows in regular hours of a day on which XNYS was closed: the dates or source.zone are wrong, or "
            "the rows are made up; remove them at the source.",
            day,
        )
    at_close = pl.col("ts").is_in(calendar["close_utc"].implode())
    tails = rows.group_by("session").agg(TS6=pl.len(), prints=at_close.sum()).sort("session")
    tails = tails.filter(pl.col("TS6") > pl.col("prints")).drop("prints")  # the closing auction alone is no tail
    return tails.head(0) if not tails.is_empty() and _of_all_hours(outside, calendar) else tails


def _of_all_hours(outside: pl.DataFrame, calendar: pl.DataFrame) -> bool:
    """Most full sessions that have rows outside regular hours have many; a lone auction row is none."""
    full = calendar.filter(~pl.col("is_half")).select(date=pl.col("open_utc").dt.date())
    counts = outside["ts"].dt.date().rle().struct.unnest().select(date="value", n="len")  # rows are in order
    many = full.join(counts, on="date", how="left")["n"].fill_null(0) >= ALL_HOURS_ROWS
    return int(many.sum()) > MOST * full.height


def _auction_rows(outside: pl.DataFrame, calendar: pl.DataFrame) -> int:
    """Prints alone in a row beside the session: 09:30 under end labels, 16:00 under start labels; dropped."""
    beside = [*(calendar["open_utc"] - timedelta(minutes=1)), *calendar["close_utc"]]
    prints = outside.filter(pl.col("high") == pl.col("low"))
    return prints.filter(pl.col("ts").is_in(beside)).height


def _extent(named: pl.DataFrame) -> str:
    return f"the rows run from {named['ts'].min()!s} to {named['ts'].max()!s}"
