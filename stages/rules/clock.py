"""When a session's positions are closed: the stated clock time in New York, earlier on half days."""

from datetime import time

import polars as pl

from stages.rules.params import RulesParams

EXCHANGE_ZONE = "America/New_York"


def time_stops(calendar: pl.DataFrame, rules: RulesParams) -> pl.DataFrame:
    """The calendar with `time_stop_utc`: the earlier of `time_stop_et` and some minutes before the close."""
    stated = pl.col("session").dt.combine(time.fromisoformat(rules.time_stop_et))
    before_close = pl.col("close_utc") - pl.duration(minutes=rules.time_stop_before_close_min)
    stated_utc = stated.dt.replace_time_zone(EXCHANGE_ZONE).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return calendar.with_columns(pl.min_horizontal(stated_utc, before_close).alias("time_stop_utc"))
