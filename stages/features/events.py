"""What is on today's calendar of announced events, as far as it was announced.

*Tables*: rows of `Events`; those of `*` concern every symbol. An event belongs to the session of its date in New York.
*Time*: a row knows the events with `announced_at <= known_at`. What is sent for the minutes ahead is what the last row
known says (`Market.ahead`), since the next minute may announce another.
"""

from datetime import timedelta

import polars as pl

from stages.features.params import FeaturesParams
from stages.features.returns import Builder
from stages.tables.events import EVERYBODY
from stages.universe.snapshots import NEW_YORK

MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
KINDS = ("fomc", "cpi", "earnings")  # what column `event` says, in any case of letters


def event_today(_: FeaturesParams) -> pl.Expr:
    """1 if any event of today is announced, past or still to come."""
    return pl.col("events_today") > 0


def event_of(kind: str) -> Builder:
    """1 if an event of this kind today is announced, past or still to come."""
    return lambda _: pl.col(f"{kind}_today") > 0


def minutes_to_event(_: FeaturesParams) -> pl.Expr:
    """Minutes from `known_at` to the next event of today; null where none is announced."""
    return (pl.col("next_event") - pl.col("known_at")) / MINUTE


def with_events(frame: pl.DataFrame, events: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Add `events_today` and one count a kind, and `next_event` (an instant, null without one).

    What is known of a session's events changes only when one of them is announced or has passed.
    """
    about_it = events.filter(pl.col("symbol").is_in([EVERYBODY, symbol])).select(
        "announced_at",
        kind=pl.col("event").str.to_lowercase(),
        event_ts="ts",
        session=pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date(),
    )
    changes = (pl.col("announced_at"), pl.col("event_ts") + MICROSECOND)
    announced = (
        pl.concat(about_it.select("session", known_at=change) for change in changes)
        .unique()
        .join(about_it, on="session")
        .filter(pl.col("announced_at") <= pl.col("known_at"))
        .group_by("session", "known_at")
        .agg(
            events_today=pl.len(),
            **{f"{kind}_today": (pl.col("kind") == kind).sum() for kind in KINDS},
            next_event=pl.col("event_ts").filter(pl.col("event_ts") >= pl.col("known_at")).min(),
        )
        .sort("known_at")
    )
    told = frame.select("known_at", "session").join_asof(announced, on="known_at", by="session", check_sortedness=False)
    counts = [told[name].fill_null(0) for name in ("events_today", *(f"{kind}_today" for kind in KINDS))]
    return frame.with_columns(*counts, told["next_event"])
