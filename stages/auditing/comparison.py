"""Was the past the same? Bit for bit, and if not: where it first was not.

*Errors*: none; a difference is a `Leak`, which says itself in a sentence.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from stages.auditing.replay import Known

ROW = "(the row itself)"


@dataclass(frozen=True)
class Leak:
    """The first stage and column that knew the future, and the first instant at which it did."""

    stage: str
    column: str
    symbol: str
    known_at: datetime
    instant: datetime
    how: str

    def __str__(self) -> str:
        return (
            f"stage {self.stage}, column {self.column}, {self.symbol}: what was known at {_utc(self.known_at)} "
            f"{self.how} {_utc(self.instant)}"
        )


def known_by(known: list[Known], instant: datetime, future: str) -> list[Known]:
    """What must be the same: rows known at the instant.

    Decisions only where the future is scrambled: where the record is cut the session ends, and so does every position.
    """
    return [
        replace(one, rows=one.rows.filter(pl.col("known_at") <= instant))
        for one in known
        if future == "scrambled" or one.stage != "backtest"
    ]


def first_leak(base: list[Known], replayed: list[Known], instant: datetime, future: str) -> Leak | None:
    """The first difference among all that was known at the instant; None if there is none."""
    how = f"changed when the market was {future} after"
    for ours, theirs in zip(known_by(base, instant, future), known_by(replayed, instant, future), strict=True):
        if not ours.rows.equals(theirs.rows):
            column, row = _first_difference(ours.rows, theirs.rows, ours.key)
            return Leak(ours.stage, column, row["symbol"], row["known_at"], instant, how)
    return None


def stale_bar(base: list[Known], replayed: list[Known], instant: datetime) -> Leak | None:
    """A bar of the next minute that a scrambled future left as it was: its price was known a minute before it says.

    End labels that are read as starts look like this; nothing is known too early, but every order is filled at the
    price of a minute that was over.
    """
    following = pl.col("known_at") == instant + pl.duration(minutes=1)
    ours = base[0].rows.filter(following, pl.col("gap_len") == 0)
    theirs = replayed[0].rows.filter(following, pl.col("gap_len") == 0)
    same = ours.join(theirs, on=["symbol", "ts", "close"])
    if same.is_empty():
        return None
    row = same.row(0, named=True)
    how = "did not change with the market: bars are labelled late, and orders filled at old prices; it was known at"
    return Leak(base[0].stage, "ts", row["symbol"], row["known_at"], instant, how)


def _first_difference(ours: pl.DataFrame, theirs: pl.DataFrame, key: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The column and the row with the earliest `known_at` that differs."""
    alone = pl.concat([ours.join(theirs, on=key, how="anti"), theirs.join(ours, on=key, how="anti")])
    both = ours.join(theirs, on=key, suffix="_replayed", maintain_order="left")
    found = {ROW: alone} | {
        name: both.filter(pl.col(name).ne_missing(pl.col(f"{name}_replayed")))
        for name in ours.columns
        if name not in key
    }
    first = {
        name: rows.sort("known_at", *key).row(0, named=True) for name, rows in found.items() if not rows.is_empty()
    }
    return min(first.items(), key=lambda one: one[1]["known_at"])


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%MZ}"
