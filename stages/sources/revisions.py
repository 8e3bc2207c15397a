"""Revisions: what changed between two listings of a source, and between two deliveries of one file.

*Units*: `largest_bp` is the largest change of a close, in bp of log price.
*Time*: only rows of regular hours under a symbol's name on their day are compared, since no others are used; they
belong to their date in New York.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from stages.errors import count, shorten
from stages.params.source import SYMBOL, SourceParams, Unit, ticker_on
from stages.sources.manifest import place_of
from stages.tables.market import NEW_YORK, REGULAR_CLOSE, REGULAR_OPEN

MOST_NAMED = 10
SESSION, DELIVERED = "(session)", "(delivered)"  # names that no vendor uses


@dataclass(frozen=True)
class Vendor:
    """The vendor's names of columns, the zone of naive stamps, the unit of whole ones, and earlier names of symbols."""

    ts: str
    close: str
    zone: str | None
    unit: Unit | None = None
    symbol: str = ""
    ticker: str = "symbol"  # the column
    renames: Mapping[str, Mapping[str, date]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: SourceParams, symbol: str) -> "Vendor":
        """The vendor's columns for one symbol, as section `source` states them."""
        theirs = {ours: vendors.replace(SYMBOL, symbol) for vendors, ours in source.aliases.items()}
        stamp, close, ticker = (theirs.get(ours, ours) for ours in ("ts", "close", "symbol"))
        return cls(stamp, close, source.zone, source.unit, symbol, ticker, source.renames)

    def has_stamps(self, rows: pl.DataFrame) -> bool:
        """Whether the rows have a stamp column."""
        stamp = rows.schema.get(self.ts, pl.Null())
        return isinstance(stamp, pl.Datetime) or (self.unit is not None and stamp.is_integer())


@dataclass(frozen=True)
class Changes:
    """Files that are new or changed in the new listing, and files that are gone."""

    new: list[dict[str, Any]]
    revised: list[dict[str, Any]]
    gone: list[dict[str, Any]]


@dataclass(frozen=True)
class Revision:
    """How the rows of one file changed."""

    sessions: tuple[str, ...]
    changed: int
    added: int
    removed: int
    largest_bp: float

    def __str__(self) -> str:
        return (
            f"{count(self.changed, 'bar')} changed, {self.added} added, {self.removed} removed on "
            f"{shorten(self.sessions, MOST_NAMED) or 'no session'}; largest change of a close {self.largest_bp:.2f} bp"
        )


def changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Changes:
    """Compare two listings by uri; a file is revised when its content differs."""
    before, after = ({file["uri"]: file for file in files} for files in (old, new))
    return Changes(
        new=[file for uri, file in after.items() if uri not in before],
        revised=[file for uri, file in after.items() if uri in before and _content(before[uri]) != _content(file)],
        gone=[file for uri, file in before.items() if uri not in after],
    )


def months_of(files: Sequence[Mapping[str, Any]]) -> list[str]:
    """Symbol and period of some files, as text: the first ten, and how many more."""
    names = [place_of(dict(file)) for file in files]
    further = len(names) - MOST_NAMED
    return names[:MOST_NAMED] + ([f"{further} more"] if further > 0 else [])


def change_of_form(before: pl.DataFrame, after: pl.DataFrame, vendor: Vendor) -> str | None:
    """Columns that were added, removed or changed their type; null where rows can be compared.

    Numbers are one type, and so are instants of any zone and unit.
    """
    differences = []
    is_price = before.schema.get(vendor.close, pl.Null()).is_numeric()
    if not (is_price and vendor.has_stamps(before)):
        differences.append(f"source.aliases cannot read bars from the columns {before.columns}")
    for name in dict.fromkeys([*before.columns, *after.columns]):
        was, now = before.schema.get(name), after.schema.get(name)
        alike = was and now and ((was.is_numeric() and now.is_numeric()) or (_is_instant(was) and _is_instant(now)))
        if was != now and not alike:
            differences.append(f"{name} was {was or 'absent'} and is {now or 'absent'}")
    return "; ".join(differences) or None


def revision(before: pl.DataFrame, after: pl.DataFrame, vendor: Vendor) -> Revision:
    """Compare the rows of regular hours of two deliveries of the same form; a repeated minute counts once."""
    was, now = (_regular(frame, vendor) for frame in (before, after))
    both = was.join(now, on=[vendor.ts, SESSION], how="full", suffix=" after", coalesce=True, nulls_equal=True)
    values = [name for name in was.columns if name not in (vendor.ts, SESSION, DELIVERED)]
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} after")) for name in values)
    touched = both.filter(pl.col(DELIVERED).is_null() | pl.col(f"{DELIVERED} after").is_null() | differs)
    kept = touched.filter(pl.col(DELIVERED) & pl.col(f"{DELIVERED} after"))
    moves = kept.select((pl.col(f"{vendor.close} after") / pl.col(vendor.close)).log().abs().fill_nan(None)).to_series()
    return Revision(
        sessions=tuple(touched[SESSION].drop_nulls().unique().sort().cast(pl.String)),
        changed=kept.height,
        added=touched[DELIVERED].null_count(),
        removed=touched[f"{DELIVERED} after"].null_count(),
        largest_bp=1e4 * float(moves.max() or 0.0),  # type: ignore[arg-type]
    )


def of_period(bars: pl.DataFrame, period: str | None, vendor: Vendor) -> pl.DataFrame:
    """The rows that a file of this day, month, year or whole span may hold, by date in `source.zone` or New York."""
    local = _local(bars.schema[vendor.ts], vendor)
    local = local.dt.convert_time_zone(vendor.zone) if vendor.zone else local
    return bars.filter(local.dt.strftime("%Y-%m-%d").str.starts_with(period or ""))


def _regular(frame: pl.DataFrame, vendor: Vendor) -> pl.DataFrame:
    """Rows stamped from the open to the close, with the date of their session in New York.

    Instants become UTC. A 32-bit price becomes its shortest decimal, as where such files are joined with 64-bit ones.
    """
    frame = frame.with_columns(pl.selectors.by_dtype(pl.Float32).cast(pl.String).cast(pl.Float64))
    if _is_instant(frame.schema[vendor.ts]):
        frame = frame.with_columns(pl.col(vendor.ts).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    local = _local(frame.schema[vendor.ts], vendor)
    rows = frame.with_columns(local.dt.date().alias(SESSION), pl.lit(value=True).alias(DELIVERED)).filter(
        local.dt.time().is_between(REGULAR_OPEN, REGULAR_CLOSE)  # both included: stamps may be starts or ends
    )
    if vendor.renames:
        ticker = next(
            (pl.col(name) for name in (vendor.ticker, "symbol") if name in rows.columns), pl.lit(vendor.symbol)
        )
        rows = rows.filter(ticker.cast(pl.String) == ticker_on(pl.col(SESSION), vendor.symbol, vendor.renames))
    return rows.unique(vendor.ts, keep="first", maintain_order=True)


def _is_instant(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None


def _local(dtype: pl.DataType, vendor: Vendor) -> pl.Expr:
    """A stamp in New York time; a naive one without `source.zone` is unchanged."""
    stamp, zone = pl.col(vendor.ts), getattr(dtype, "time_zone", None)
    if dtype.is_integer() and vendor.unit is not None:
        stamp = pl.from_epoch(stamp, time_unit=vendor.unit)
        stamp, zone = (stamp, None) if vendor.zone else (stamp.dt.replace_time_zone("UTC"), "UTC")
    if zone is None and vendor.zone is not None:
        stamp = stamp.dt.replace_time_zone(vendor.zone, ambiguous="null", non_existent="null")
    return stamp.dt.convert_time_zone(NEW_YORK) if zone or vendor.zone else stamp


def _content(file: dict[str, Any]) -> tuple[Any, ...]:
    return file["size"], file["md5"], file.get("generation") if file["md5"] is None else None
