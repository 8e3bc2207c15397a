"""What is on today's calendar of announced events, as far as it was announced.

*Tables*: rows of `Events`; those of `*` concern every symbol. An event belongs to the session of its date in New York.
*Time*: a row knows the events with `announced_at <= known_at`. Not known ahead: the next minute may announce one.
"""

from datetime import timedelta

import polars as pl

from stages.features.params import FeaturesParams
from stages.tables.events import EVERYBODY
from stages.universe.snapshots import NEW_YORK

MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)


def event_today(_: FeaturesParams) -> pl.Expr:
    """1 if any event of today is announced, past or still to come."""
    return pl.col("events_today") > 0


def minutes_to_event(_: FeaturesParams) -> pl.Expr:
    """Minutes from `known_at` to the next event of today; null where none is announced."""
    return (pl.col("next_event") - pl.col("known_at")) / MINUTE


def with_events(frame: pl.DataFrame, events: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Add `events_today` (a count) and `next_event` (an instant, null without one).

    What is known of a session's events changes only when one of them is announced or has passed.
    """
    about_it = events.filter(pl.col("symbol").is_in([EVERYBODY, symbol])).select(
        "announced_at", event_ts="ts", session=pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.date()
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
            next_event=pl.col("event_ts").filter(pl.col("event_ts") >= pl.col("known_at")).min(),
        )
        .sort("known_at")
    )
    told = frame.select("known_at", "session").join_asof(announced, on="known_at", by="session", check_sortedness=False)
    return frame.with_columns(told["events_today"].fill_null(0), told["next_event"])
