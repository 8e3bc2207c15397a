"""Halts: minutes in which trading was stopped. They owe no bar, and nothing may be asked or traded in them.

*Tables*: `Halts` of one symbol, including those of the whole market. The user lists halts (`quality.halts`); a halt
that only the other symbols show (`gaps`) is kept if `quality.unlisted_halts` says so.
*Time*: a halt is known while it lasts. Whether a minute is halted depends on its own stamp only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from stages.tables.market import EVERYBODY, REAL, Halts

NO_HALTS: pl.DataFrame = Halts.create_empty()
UNLISTED = "the other symbols traded (quality.unlisted_halts)"


def halts_of(symbol: str, halts: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """The halts of one symbol in the span of a calendar."""
    begun = pl.col("halted_at") < calendar["close_utc"].max()
    not_over = pl.col("resumed_at") > calendar["open_utc"].min()
    return halts.filter(pl.col("symbol").is_in([EVERYBODY, symbol]) & begun & not_over)


def inside(halts: pl.DataFrame) -> pl.Expr:
    """Whether the complete minute from `ts` on is in a halt: no trade can have made a bar of it."""
    begins, ends = pl.col("ts"), pl.col("ts") + pl.duration(minutes=1)
    return _any((begins >= halted) & (ends <= resumed) for halted, resumed in _spans(halts))


def closed_at_known(halts: pl.DataFrame) -> pl.Expr:
    """Whether trading is halted at the instant at which the bar becomes known."""
    at = pl.col("known_at")
    return _any((at >= halted) & (at < resumed) for halted, resumed in _spans(halts))


def with_absences(bars: pl.DataFrame, halts: pl.DataFrame) -> pl.DataFrame:
    """`Bars` in order of time with `halted`, and `absent_min`: missing minutes in a row so far, without halts.

    A halt neither ends nor extends a run of missing minutes.
    """
    if halts.is_empty():
        return bars.with_columns(halted=pl.lit(value=False), absent_min=pl.col("gap_len"))
    marked = bars.with_columns(halted=inside(halts) & ~REAL)
    in_halted_sessions = marked["session"].is_in(marked.filter("halted")["session"].implode()).to_numpy()
    so_far = pl.col("halted").cum_sum().over("session").cast(pl.Int32)
    at_last_bar = pl.when(REAL).then(so_far).forward_fill().over("session").fill_null(0)
    absent = marked["gap_len"].to_numpy().copy()
    absent[in_halted_sessions] = (
        marked.filter(in_halted_sessions).select(pl.col("gap_len") - (so_far - at_last_bar)).to_series().to_numpy()
    )
    return marked.with_columns(absent_min=pl.Series(absent, dtype=pl.Int32))


def halts_document(halts: pl.DataFrame) -> list[dict[str, str]]:
    """The halts of a symbol, for the report."""
    return [
        {name: f"{value:%Y-%m-%dT%H:%M:%SZ}" if name.endswith("_at") else value for name, value in row.items()}
        for row in halts.sort("halted_at").iter_rows(named=True)
    ]


def halts_reported(report: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Table `Halts` of each symbol, from the gate's report."""
    stamps = ("halted_at", "resumed_at")
    read = [pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC") for name in stamps]
    return {
        symbol: Halts.of(pl.DataFrame(one["halts"]).with_columns(read)) if one["halts"] else NO_HALTS
        for symbol, one in report["symbols"].items()
    }


def _spans(halts: pl.DataFrame) -> list[tuple[pl.Expr, pl.Expr]]:
    """Begin and end of each halt; halts that touch or overlap, as a pause that is extended, are one."""
    spans: list[tuple[datetime, datetime]] = []
    for halted, resumed in halts.select("halted_at", "resumed_at").sort("halted_at").iter_rows():
        if spans and halted <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], resumed))
        else:
            spans.append((halted, resumed))
    return [(pl.lit(halted), pl.lit(resumed)) for halted, resumed in spans]


def _any(conditions: Any) -> pl.Expr:
    return pl.any_horizontal(pl.lit(value=False), *conditions)
