"""Does a stamp name the start or the end of its minute, and is the vendor's clock right? The bars know.

Reading end labels as starts lets every decision see one minute of the future, and a clock that ignores daylight saving
lets it see an hour; so what the bars say must agree with `source.bar_label`.

Where full sessions hold regular hours only, their first and last stamps decide: 09:30 and 15:59 are starts, 09:31 and
16:00 ends. Elsewhere the usual volume of each minute decides: it rises most at the open, and the minute of the auction
is clearly busier than the one beside it. Winter and summer time are judged apart, since a clock that is wrong in one is
right in the other.

*Errors*: `HardFailure` TS5 when the bars contradict `source.bar_label`; where they do not tell, the params are trusted.
"""

from datetime import date

import polars as pl

from stages.quality.failure import HardFailure
from stages.quality.params import DialectParams, QualityParams

MEANING = ("start", "end")  # by the offset of the first stamp from the open, in minutes
HOURS = (-1, 0, 1)  # by which the vendor's clock may be off
CANDIDATES = [hour * 60 + label for hour in HOURS for label in (0, 1)]


def check_label(stamps: pl.DataFrame, calendar: pl.DataFrame, dialect: DialectParams, quality: QualityParams) -> bool:
    """Raise if `ts, volume` as delivered contradict `source.bar_label`; else say whether the bars could tell."""
    told = False
    for sessions in _full_sessions(stamps, calendar).partition_by("regime", maintain_order=True):
        opening = _by_stamps(sessions, quality)
        if opening is None:
            opening = _by_volume(stamps, sessions, quality)
        if opening is not None:
            _agree(opening, sessions["session"][0], dialect)
            told = True
    return told


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


def _full_sessions(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """First stamp, in minutes from the open, and span of each full session that has stamps, in order."""
    opening = pl.col("open_utc")
    sessions = calendar.filter(~pl.col("is_half")).with_columns(date=opening.dt.date(), regime=opening.dt.time())
    extent = stamps.group_by(date=pl.col("ts").dt.date()).agg(first=pl.col("ts").min(), last=pl.col("ts").max())
    return (
        sessions.join(extent, on="date")
        .with_columns(
            offset=(pl.col("first") - opening).dt.total_minutes(),
            span=(pl.col("last") - pl.col("first")).dt.total_minutes(),
        )
        .sort("session")
    )


def _by_stamps(sessions: pl.DataFrame, quality: QualityParams) -> int | None:
    """The first stamp that most sessions of regular hours agree on."""
    first = sessions.filter(pl.col("span") == pl.col("n_bars") - 1)["offset"]
    first = first.filter(first.is_in(CANDIDATES))
    if first.len() < quality.label_min_sessions:
        return None
    opening, votes = first.value_counts(sort=True).row(0)
    return int(opening) if votes > first.len() / 2 else None


def _by_volume(stamps: pl.DataFrame, sessions: pl.DataFrame, quality: QualityParams) -> int | None:
    """The minute in which trading wakes up, by the median volume of every minute across sessions."""
    extended = sessions.filter(pl.col("span") >= pl.col("n_bars")).select("date", "open_utc")
    if extended.height < quality.label_min_volume_sessions:
        return None
    usual = (
        stamps.with_columns(pl.col("volume").fill_nan(None), date=pl.col("ts").dt.date())
        .join(extended, on="date")
        .group_by(offset=(pl.col("ts") - pl.col("open_utc")).dt.total_minutes())
        .agg(pl.when(pl.len() > extended.height / 2).then(pl.col("volume").median()))
    )
    volume = {offset: median or 0.0 for offset, median in usual.iter_rows()}

    def around(hour: int, first: int, last: int) -> float:
        return sum(volume.get(hour * 60 + minute, 0.0) for minute in range(first, last + 1))

    def stands_out(volume: float, beside: float) -> bool:
        return volume > quality.label_min_volume_ratio * beside

    hour = max(HOURS, key=lambda hour: around(hour, 1, 5) - around(hour, -5, -1))
    at_start, at_end = around(hour, 0, 0), around(hour, 1, 1)
    wakes_up = stands_out(around(hour, 1, 5), around(hour, -5, -1))
    if wakes_up and stands_out(at_start, at_end):
        return hour * 60
    return hour * 60 + 1 if wakes_up and stands_out(at_end, at_start) else None
