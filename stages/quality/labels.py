"""Does a stamp name the start or the end of its minute, and is the vendor's clock right? The bars know.

Reading end labels as starts lets every decision see one minute of the future, and a clock that ignores daylight saving
lets it see an hour; so what the stamps say must agree with `source.bar_label`.

Where a full session has no rows outside regular hours, its first and last stamp decide: 09:30 and 15:59 are starts,
09:31 and 16:00 ends. Where it has, the opening auction decides: the minute that holds it is the busiest of those that
could be the first. Sessions in winter and summer time vote apart, since a clock that is wrong in one is right in the
other.

*Errors*: `HardFailure` TS5 when the vote contradicts `source.bar_label`; no vote, no verdict.
"""

from datetime import date

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.params import DialectParams, QualityParams

MEANING = ("start", "end")  # by the offset of the first stamp from the open, in minutes
CANDIDATES = [hours * 60 + label for hours in (-1, 0, 1) for label in (0, 1)]
MIN_VOLUME_VOTES = 10  # volumes are noisy where stamps are exact: more sessions,
MIN_VOLUME_SHARE = 0.9  # and nearly all of them, must agree


def check_label(stamps: pl.DataFrame, calendar: pl.DataFrame, dialect: DialectParams, quality: QualityParams) -> bool:
    """Raise if `ts, volume` as delivered contradict `source.bar_label`; else say whether the bars could decide."""
    winners = [
        (_winner(regime, quality), regime["session"][0])
        for regime in _votes(stamps, calendar).partition_by("regime", maintain_order=True)
    ]
    for opening, session in winners:
        if opening is not None:
            _agree(opening, session, dialect)
    return any(opening is not None for opening, _ in winners)


def _agree(opening: int, session: date, dialect: DialectParams) -> None:
    hours_off = round(opening / 60)
    if hours_off:
        raise HardFailure(
            "TS5",
            f"by its stamps the session begins an hour {'late' if hours_off > 0 else 'early'}: the vendor's clock does "
            "not follow daylight saving in New York; correct source.zone.",
            session,
        )
    if MEANING[opening] != dialect.bar_label:
        raise HardFailure(
            "TS5",
            f"the stamps name the {MEANING[opening]} of each minute (the first of a session says 09:3{opening}), but "
            f"source.bar_label is {dialect.bar_label}: correct it, since every decision would be a minute off.",
            session,
        )


def _votes(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Per full session that can say it: the offset of its first minute from the open, as stamped."""
    sessions = calendar.filter(~pl.col("is_half"))
    offset = (pl.col("ts") - pl.col("open_utc")).dt.total_minutes()
    candidate = pl.when(pl.col("offset").is_in(CANDIDATES)).then(pl.col("volume").fill_nan(None))
    busiest = pl.col("offset").filter(candidate == candidate.max())
    span = pl.col("last") - pl.col("first")
    exact = (span == pl.col("n_bars") - 1) & pl.col("first").is_in(CANDIDATES)
    return (
        stamps.with_columns(date=pl.col("ts").dt.date())
        .join(sessions.select("session", "open_utc", "n_bars", date=pl.col("open_utc").dt.date()), on="date")
        .with_columns(offset=offset)
        .group_by("session")
        .agg(
            pl.col("open_utc", "n_bars").first(),
            first=pl.col("offset").min(),
            last=pl.col("offset").max(),
            busiest=pl.when(busiest.len() == 1).then(busiest.first()),
        )
        .sort("session")
        .select(
            "session",
            regime=pl.col("open_utc").dt.time(),
            regular_only=span < pl.col("n_bars"),
            opening=pl.when(exact).then("first").when(span >= pl.col("n_bars")).then("busiest"),
        )
        .drop_nulls("opening")
    )


def _winner(votes: pl.DataFrame, quality: QualityParams) -> int | None:
    """The offset that enough sessions agree on: by their first and last stamps, else by their volumes."""
    exact, noisy = votes.filter("regular_only"), votes.filter(~pl.col("regular_only"))
    for group, least, share in ((exact, quality.label_min_sessions, 0.5), (noisy, MIN_VOLUME_VOTES, MIN_VOLUME_SHARE)):
        if group.height >= least:
            opening, count = group["opening"].value_counts(sort=True).row(0)
            if count > share * group.height:
                return int(opening)
    return None
