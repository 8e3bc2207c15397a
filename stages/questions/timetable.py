"""The timetable: every snapshot of every session, and whether the calendar and params allow it.

*Tables*: the snapshots of `stages.sessions`, plus `status`: `ok`, or the first reason of `REASONS` that applies.
*Errors*: `ConfigurationError` for a snapshot that is possible in no session.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from stages.errors import ConfigurationError
from stages.params.requests import RequestsParams
from stages.sessions.calendar import snapshots

REASONS = {
    "outside_span": "before requests.first_session or after requests.last_session",
    "skip_session": "in requests.skip_sessions",
    "outside_session": "not after the open: no bar is known yet",
    "closed": "not before the close",
    "horizon_past_close": "the asked horizon ends after the close",
    "snapshot_cap": "beyond requests.max_snapshots_per_day",
}


def timetable(calendar: pl.DataFrame, requests: RequestsParams) -> pl.DataFrame:
    """Sessions and snapshots in order of time, each `ok` or with its reason."""
    session, left = pl.col("session"), pl.col("minutes_to_close")
    unasked = {
        "outside_span": ~session.is_between(requests.first_session or date.min, requests.last_session or date.max),
        "skip_session": session.is_in(requests.skip_sessions),
    }
    impossible = {
        "outside_session": pl.col("m0") < 0,
        "closed": left <= 0,
        "horizon_past_close": left < requests.question_horizon_min,
    }
    table = snapshots(calendar, requests.snapshots_et).with_columns(status=_first_of(unasked | impossible))
    _require_possible(table.with_columns(alone=_first_of(impossible)), requests)
    if requests.max_snapshots_per_day is None:
        return table
    nth = (pl.col("status") == "ok").cum_sum().over("session")
    capped = (pl.col("status") == "ok") & (nth > requests.max_snapshots_per_day)
    return table.with_columns(status=pl.when(capped).then(pl.lit("snapshot_cap")).otherwise("status"))


def _first_of(conditions: Mapping[str, pl.Expr]) -> pl.Expr:
    """The first reason that applies, or `ok`."""
    return pl.coalesce(*(pl.when(one).then(pl.lit(reason)) for reason, one in conditions.items()), pl.lit("ok"))


def _require_possible(table: pl.DataFrame, requests: RequestsParams) -> None:
    """Refuse a span without a session, and a snapshot that no session of the record can ask.

    Sessions outside the span count, since the first step of a study may consist of half days. `alone` is the status if
    every session were asked.
    """
    if table.filter(~pl.col("status").is_in(["outside_span", "skip_session"])).is_empty():
        first, last = requests.first_session or "null", requests.last_session or "null"
        raise ConfigurationError(
            f"no session is left to ask in: requests.first_session {first}, requests.last_session {last} and "
            f"requests.skip_sessions exclude all {table['session'].n_unique()}; widen them."
        )
    for (snapshot,), rows in table.group_by("snapshot_et", maintain_order=True):
        reasons = set(rows["alone"])
        if "ok" not in reasons:
            raise ConfigurationError(
                f"requests.snapshots_et {snapshot!r} cannot be asked in any session ({REASONS[max(reasons)]}; "
                f"{requests.question_horizon_min} min are asked): move the snapshot, or shorten requests.horizons_min "
                "and requests.asked_horizon_min."
            )
