"""Ingestion: a vendor's rows in our columns, types and UTC with start labels, one row a minute of regular hours.

This is the only place where aliases, zone, unit, price scale, renames and bar label are interpreted.

*Tables*: `Ingested.rows` holds `ts, open, high, low, close, volume`, sorted by `ts`, minutes of the calendar only.
*Time*: `ts` is the start of the bar in UTC microseconds.
*Errors*: `HardFailure` when the rows cannot be read without guessing: SCH1 (columns, types), SCH2 (zone), TS4 (whole
minutes), TS6 (rows on a holiday), TS7 (no row in any session). The label is judged from all symbols: `labels`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import polars as pl

from stages.errors import count
from stages.params.quality import DialectParams
from stages.params.source import ticker_on
from stages.quality.verdicts import HardFailure
from stages.tables.contract import UTC_MICROSECONDS
from stages.tables.market import NEW_YORK, PRICES, REGULAR_CLOSE, REGULAR_OPEN

NUMBERS = (*PRICES, "volume")
COLUMNS = ("ts", *NUMBERS)
DAY = timedelta(days=1)
# Of sorted rows, those with the stamp of the row before or after.
SHARED = pl.any_horizontal(pl.col("ts").eq_missing(pl.col("ts").shift(step)) for step in (1, -1))
MOST = 0.5  # of all
ALL_HOURS_ROWS = 10  # rows outside regular hours on most full sessions: such a feed also continues after an early close
A_SECOND: dict[Literal["s", "ms", "us", "ns"], float] = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
PER_MICROSECOND = {"ms": 1e-3, "us": 1, "ns": 1000}


@dataclass(frozen=True)
class Ingested:
    """Rows of regular hours, counts of harmless faults, and other faults per session."""

    rows: pl.DataFrame
    counts: dict[str, int]
    conflicts: pl.DataFrame  # session -> TS3, minutes delivered twice with different values; conflicting, rows of these
    tails: pl.DataFrame  # session -> TS6, rows after the close of a half day

    @classmethod
    def nothing(cls) -> "Ingested":
        """The result for rows that could not be read."""
        return cls(
            rows=pl.DataFrame(schema={"ts": UTC_MICROSECONDS} | dict.fromkeys(NUMBERS, pl.Float64)),
            counts={},
            conflicts=pl.DataFrame(schema={"session": pl.Date, "TS3": pl.UInt32, "conflicting": pl.UInt32}),
            tails=pl.DataFrame(schema={"session": pl.Date, "TS6": pl.UInt32}),
        )


def read_rows(
    symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All delivered rows in our columns, and those of the study's span in UTC, still with the vendor's label."""
    named = _named(symbol, delivered, dialect)
    stamped = _by_its_name(symbol, _in_utc(_typed(named, dialect), dialect, calendar), dialect)
    _check_step(stamped)
    return named, stamped


def ingest(named: pl.DataFrame, stamped: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> Ingested:
    """The rows of one symbol in our form, from the result of `read_rows`."""
    rows = stamped.with_columns(pl.col("ts") - _after_start(dialect))
    distinct = _distinct(rows)
    placed = _in_sessions(distinct, calendar)
    regular, outside = placed.drop_nulls("session"), placed.filter(pl.col("session").is_null()).drop("session")
    if regular.is_empty():
        raise HardFailure(
            "TS7",
            f"no row is in a session: the rows run from {named['ts'].min()!s} to {named['ts'].max()!s}; correct "
            "universe.first_session or source.unit.",
        )
    return Ingested(
        rows=regular.filter(~SHARED).drop("session"),
        counts={
            "TS1": int((rows["ts"].diff() < timedelta(0)).sum()),
            "TS2": rows.height - distinct.height,
            "outside_hours": outside.height,
            "auction_rows": _auction_rows(outside, calendar),
        },
        conflicts=regular.filter(SHARED)
        .group_by("session")
        .agg(TS3=pl.col("ts").n_unique(), conflicting=pl.len())
        .sort("session"),
        tails=_tails(outside, calendar, regular["session"]),
    )


def as_labelled(symbol: str, delivered: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows of the span in our columns and UTC, with the vendor's label: for the inspection of a new source."""
    return _in_utc(in_our_columns(symbol, delivered, dialect), dialect, calendar)


def in_our_columns(symbol: str, delivered: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """All rows in our columns, stamps as they are."""
    return _typed(_named(symbol, delivered, dialect), dialect)


def _named(symbol: str, delivered: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Our columns under our names, with the `ticker` of each row if the symbol was renamed."""
    if delivered.is_empty():
        raise HardFailure("SCH1", "the file holds no rows: get it again, or remove the symbol from universe.symbols.")
    aliases = {theirs.replace("{symbol}", symbol): ours for theirs, ours in dialect.aliases.items()}
    vendor = {ours: theirs for theirs, ours in aliases.items() if theirs in delivered.columns}
    if both := sorted(ours for ours in vendor if ours in delivered.columns and vendor[ours] != ours):
        raise HardFailure(
            "SCH1", f"source.aliases names {vendor[both[0]]!r} for {both[0]!r}, but the file has both: remove it."
        )
    names = {ours: vendor.get(ours, ours) for ours in COLUMNS}
    if missing := [ours for ours, theirs in names.items() if theirs not in delivered.columns]:
        raise HardFailure(
            "SCH1",
            f"column {missing[0]!r} is missing, the file has {delivered.columns}: name the vendor's column in "
            "source.aliases.",
        )
    column, earlier = vendor.get("symbol", "symbol"), dialect.renames.get(symbol, {})
    if column in delivered.columns:
        unknown = {*delivered[column].cast(pl.String).unique()} - {symbol, *earlier}
        if others := sorted(unknown, key=str):
            raise HardFailure(
                "SCH1",
                f"the file holds rows of {others[0]!r} (column {column!r}): correct source.uri_template, or, if they "
                f"are those of {symbol}, write {symbol} there at the source.",
            )
        names |= {"ticker": column} if earlier else {}
    return delivered.select(pl.col(theirs).alias(ours) for ours, theirs in names.items())


def _typed(named: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """Prices in dollars and volume as floats; stamps must be timestamps, or whole numbers with a stated unit."""
    for name in NUMBERS:
        dtype = named[name].dtype
        if not (dtype.is_numeric() or dtype == pl.Null):
            raise HardFailure("SCH1", f"column {name!r} holds {dtype}, not numbers: convert it at the source.")
    stamps = _stamps(named["ts"], dialect)
    if nulls := stamps.null_count():
        raise HardFailure("SCH1", f"column 'ts' is empty in {count(nulls, 'row')}: repair them at the source.")
    # A float32 is read as its text: 187.43, not 187.42999267578125.
    widened = named.with_columns(stamps, pl.selectors.by_dtype(pl.Float32).cast(pl.String))
    numbers = widened.with_columns(pl.col(NUMBERS).cast(pl.Float64, strict=False))
    return numbers if dialect.price_scale == 1 else numbers.with_columns(pl.col(PRICES) / _units(dialect.price_scale))


def _stamps(stamps: pl.Series, dialect: DialectParams) -> pl.Series:
    """Stamps with a date: whole numbers count from 1970 in UTC, or in `source.zone` if it is stated."""
    if stamps.dtype.is_integer():
        if dialect.unit is None:
            raise HardFailure(
                "SCH1", f"column 'ts' holds {stamps.dtype}, first {stamps[0]}: state its unit in source.unit"
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
    """A hint at the unit in which a count since 1970 is a date of our time; empty if there is none."""
    likely = [unit for unit, a_second in A_SECOND.items() if 2e8 < (count or 0) / a_second < 4e9]
    return f"; as {likely[0]} it is {pl.from_epoch(pl.Series([count]), time_unit=likely[0])[0]} UTC" if likely else ""


def _units(price_scale: float) -> float:
    """How many units make a dollar: dividing by a whole number rounds only once."""
    units = 1 / price_scale
    return float(round(units)) if abs(units - round(units)) < 1e-6 * units else units


def _by_its_name(symbol: str, stamped: pl.DataFrame, dialect: DialectParams) -> pl.DataFrame:
    """The rows that carry the symbol's name of their day in New York, older names first; others are dropped."""
    if not dialect.renames:
        return stamped
    name = ticker_on(pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date(), symbol, dialect.renames)
    if "ticker" not in stamped.columns:
        return stamped.filter(name == symbol)
    ticker = pl.col("ticker").cast(pl.String)
    until = ticker.replace_strict(dialect.renames[symbol], default=None, return_dtype=pl.Date)
    return stamped.filter(ticker == name).sort(until, nulls_last=True, maintain_order=True).drop("ticker")


def _in_utc(typed: pl.DataFrame, dialect: DialectParams, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows from the study's first to its last day in New York; `ts` in UTC microseconds, with the vendor's label."""
    unit, zone = typed.schema["ts"].time_unit, typed.schema["ts"].time_zone  # type: ignore[attr-defined]
    if zone is None and dialect.zone is None:
        raise HardFailure("SCH2", f"the stamps have no time zone, first {typed['ts'][0]}: state it in source.zone.")
    ticks = pl.col("ts").to_physical()  # integers, so that any date can be compared
    first, last = calendar["open_utc"].dt.epoch(unit)[0], calendar["close_utc"].dt.epoch(unit)[-1]
    day, minute = DAY // timedelta(microseconds=1) * PER_MICROSECOND[unit], 60_000_000 * PER_MICROSECOND[unit]
    # Local times that a clock change makes ambiguous are in no session, so their rows are dropped.
    aware = (
        pl.col("ts") if zone else pl.col("ts").dt.replace_time_zone(dialect.zone, ambiguous="null", non_existent="null")
    )
    date = (aware - _after_start(dialect)).dt.convert_time_zone(NEW_YORK).dt.date()
    rows = typed.filter(ticks.is_between(int(first - day), int(last + day))).filter(
        date.is_between(calendar["session"][0], calendar["session"][-1])
    )
    uneven = rows.filter(ticks % int(minute) != 0)
    if not uneven.is_empty():
        raise HardFailure(
            "TS4",
            f"{uneven.height} stamps are not on a whole minute, first {uneven['ts'][0]}: these are not minute bars, or "
            "their unit is wrong; correct source.unit or the source.",
        )
    return rows.with_columns(aware.dt.convert_time_zone("UTC").dt.cast_time_unit("us"))


def _after_start(dialect: DialectParams) -> timedelta:
    """How long after the start of its minute a stamp is."""
    return timedelta(minutes=int(dialect.bar_label == "end"))


def _check_step(stamped: pl.DataFrame) -> None:
    """Raise if most stamps are more than a minute apart: a rarely traded symbol still has some adjacent minutes."""
    steps = stamped["ts"].sort().diff().dt.total_minutes()
    apart = steps.filter(steps > 0)
    if 2 * (apart == 1).sum() >= len(apart):
        return
    step, many = apart.value_counts(sort=True).row(0)
    if many > MOST * len(apart):
        raise HardFailure(
            "TS4",
            f"the stamps are {step} minutes apart ({many} of {len(apart)}): these are bars of {step} minutes, and the "
            "study needs one-minute bars; get minute bars from the source.",
        )


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row once, sorted by `ts`; only rows of the same minute are compared."""
    in_order = rows.sort("ts", maintain_order=True)
    several = in_order.filter(SHARED).unique(maintain_order=True)
    return pl.concat([in_order.filter(~SHARED), several]).sort("ts", maintain_order=True)


def _in_sessions(distinct: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows ordered by time with their `session`; null outside regular hours."""
    opened = calendar.select("session", "open_utc", "close_utc")
    return (
        distinct.join_asof(opened, left_on="ts", right_on="open_utc", check_sortedness=False)
        .with_columns(session=pl.when(pl.col("ts") < pl.col("close_utc")).then("session"))
        .drop("open_utc", "close_utc")
    )


def _tails(outside: pl.DataFrame, calendar: pl.DataFrame, sessions: pl.Series) -> pl.DataFrame:
    """Rows in regular hours that are in no session: counted after an early close, a hard failure on a holiday.

    A row without a price is no trade: frames that were resampled to every minute of the calendar hold such rows.
    """
    local = pl.col("ts").dt.convert_time_zone(NEW_YORK)
    rows = outside.select("ts", *PRICES, session=local.dt.date(), clock=local.dt.time()).filter(
        pl.any_horizontal(pl.col(PRICES).is_finite()),
        pl.col("clock").is_between(REGULAR_OPEN, REGULAR_CLOSE, closed="left"),
    )
    holidays = rows.join(calendar, on="session", how="anti").sort("session")
    if not holidays.is_empty():
        day = holidays["session"][0]
        many = holidays.filter(pl.col("session") == day).height
        raise HardFailure(
            "TS6",
            f"{count(many, 'row')} in regular hours of a day on which XNYS was closed: the dates or source.zone are "
            "wrong, or the rows are invented; correct source.zone, or remove the rows at the source.",
            day,
        )
    at_close = pl.col("ts").is_in(calendar["close_utc"].implode())
    tails = rows.group_by("session").agg(TS6=pl.len(), prints=at_close.sum()).sort("session")
    tails = tails.filter(pl.col("TS6") > pl.col("prints")).drop("prints")  # the closing auction alone does not count
    return tails.head(0) if not tails.is_empty() and _of_all_hours(outside, calendar, sessions) else tails


def _of_all_hours(outside: pl.DataFrame, calendar: pl.DataFrame, sessions: pl.Series) -> bool:
    """Whether most full sessions with a row have many outside regular hours; a single auction row does not count."""
    present = calendar.filter(~pl.col("is_half"), pl.col("session").is_in(sessions.implode()))
    full = present.select(date=pl.col("open_utc").dt.date())
    counts = outside["ts"].dt.date().rle().struct.unnest().select(date="value", n="len")  # rows are sorted
    many = full.join(counts, on="date", how="left")["n"].fill_null(0) >= ALL_HOURS_ROWS
    return int(many.sum()) > MOST * full.height


def _auction_rows(outside: pl.DataFrame, calendar: pl.DataFrame) -> int:
    """Single rows beside the session: 09:30 under end labels, 16:00 under start labels; they are dropped."""
    beside = [*(calendar["open_utc"] - timedelta(minutes=1)), *calendar["close_utc"]]
    prints = outside.filter(pl.col("high") == pl.col("low"))
    return prints.filter(pl.col("ts").is_in(beside)).height
