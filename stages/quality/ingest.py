"""A vendor's rows in our dialect: our column names and types, UTC, start labels, one row a minute of regular hours.

This is the only place where aliases, zone, unit and bar label are interpreted.

*Tables*: `Ingested.rows` holds `ts, open, high, low, close, volume`, sorted by `ts`, minutes of the calendar only.
*Time*: `ts` is the start of the bar in UTC microseconds.
*Errors*: `HardFailure` when the rows cannot be read without guessing: SCH1 (columns, types), SCH2 (zone), TS4 (whole
minutes), TS5 (label), TS6 (rows on a holiday), TS7 (no row in any session).
"""

from dataclasses import dataclass
from datetime import time, timedelta

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.labels import check_label
from stages.quality.params import DialectParams, QualityParams
from stages.tables.bars import PRICES
from stages.tables.contract import UTC_MICROSECONDS
from stages.universe.snapshots import NEW_YORK

NUMBERS = (*PRICES, "volume")
COLUMNS = ("ts", *NUMBERS)
REGULAR_HOURS = (time(9, 30), time(16, 0))
DAY = timedelta(days=1)
SHARED = pl.col("ts").eq_missing(pl.col("ts").shift(1)) | pl.col("ts").eq_missing(
    pl.col("ts").shift(-1)
)  # of sorted rows
MOST = 0.5  # of all
ALL_HOURS_ROWS = 10  # outside regular hours on most full sessions: after an early close such a feed goes on, too
PER_MICROSECOND = {"ms": 1e-3, "us": 1, "ns": 1000}


@dataclass(frozen=True)
class Ingested:
    """Rows of regular hours, how often each harmless fault occurred, and per session the faults that are not."""

    rows: pl.DataFrame
    counts: dict[str, int]
    conflicts: pl.DataFrame  # session -> TS3, minutes delivered twice with different values
    tails: pl.DataFrame  # session -> TS6, rows after the close of a half day

    @classmethod
    def nothing(cls) -> "Ingested":
        """What is left of rows that could not be read."""
        return cls(
            rows=pl.DataFrame(schema={"ts": UTC_MICROSECONDS} | dict.fromkeys(NUMBERS, pl.Float64)),
            counts={},
            conflicts=pl.DataFrame(schema={"session": pl.Date, "TS3": pl.UInt32}),
            tails=pl.DataFrame(schema={"session": pl.Date, "TS6": pl.UInt32}),
        )


def ingest(
    symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame, quality: QualityParams
) -> Ingested:
    """The rows of one symbol, as delivered, in our dialect."""
    named = _named(symbol, delivered, dialect)
    stamped = _in_utc(_typed(named), dialect, calendar)
    _check_step(stamped)
    label_decided = check_label(stamped, calendar, dialect, quality)
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
            "TS5_undecided": int(not label_decided),
            "outside_hours": outside.height + delivered.height - stamped.height,
        },
        conflicts=regular.filter(SHARED).group_by("session").agg(TS3=pl.col("ts").n_unique()).sort("session"),
        tails=_tails(outside, calendar),
    )


def _named(symbol: str, delivered: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Our columns under our names."""
    if delivered.is_empty():
        raise HardFailure("SCH1", "the file holds no rows: get it again, or take the symbol out of universe.")
    vendor = {ours: theirs for theirs, ours in dialect.aliases.items() if theirs in delivered.columns}
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
    told = vendor.get("symbol", "symbol")
    if told in delivered.columns and (
        others := sorted(set(delivered[told].cast(pl.String).to_list()) - {symbol}, key=str)
    ):
        raise HardFailure("SCH1", f"the file holds rows of {others[0]!r}: correct source.uri_template.")
    return delivered.select(pl.col(theirs).alias(ours) for ours, theirs in names.items())


def _typed(named: pl.DataFrame) -> pl.DataFrame:
    """Prices and volume as floats; stamps must be stamps."""
    for name in NUMBERS:
        dtype = named[name].dtype
        if not (dtype.is_numeric() or dtype == pl.Null):
            raise HardFailure("SCH1", f"column {name!r} holds {dtype}, not numbers: convert it at the source.")
    if not isinstance(named["ts"].dtype, pl.Datetime):
        raise HardFailure(
            "SCH1", f"column 'ts' holds {named['ts'].dtype}, not timestamps (ms, us or ns): convert it at the source."
        )
    if nulls := named["ts"].null_count():
        raise HardFailure("SCH1", f"column 'ts' is empty in {nulls} rows: repair them at the source.")
    widened = named.with_columns(pl.selectors.by_dtype(pl.Float32).cast(pl.String))  # 187.43, not 187.42999267578125
    return widened.with_columns(pl.col(NUMBERS).cast(pl.Float64, strict=False))


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
    at_close = pl.col("ts").is_in(calendar["close_utc"].implode())
    rows = outside.select(session=local.dt.date(), clock=local.dt.time(), at_close=at_close).filter(
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
    tails = rows.group_by("session").agg(TS6=pl.len(), prints=pl.col("at_close").sum()).sort("session")
    tails = tails.filter(pl.col("TS6") > pl.col("prints")).drop("prints")  # the closing auction alone is no tail
    return tails.head(0) if not tails.is_empty() and _of_all_hours(outside, calendar) else tails


def _of_all_hours(outside: pl.DataFrame, calendar: pl.DataFrame) -> bool:
    """Most full sessions that have rows outside regular hours have many; a lone auction row is none."""
    full = calendar.filter(~pl.col("is_half")).select(date=pl.col("open_utc").dt.date())
    counts = outside["ts"].dt.date().rle().struct.unnest().select(date="value", n="len")  # rows are in order
    many = full.join(counts, on="date", how="left")["n"].fill_null(0) >= ALL_HOURS_ROWS
    return int(many.sum()) > MOST * full.height


def _extent(named: pl.DataFrame) -> str:
    return f"the rows run from {named['ts'].min()!s} to {named['ts'].max()!s}"
