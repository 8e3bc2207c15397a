"""What the bars themselves say about a vendor's clock, label and hours, in words: proposals for a new preset.

*Time*: `ts` as delivered; nothing here changes a value, and the gate judges anew whatever is proposed.
"""

from collections.abc import Mapping

import polars as pl

from stages.quality.labels import read_labels

ZONES = ("America/New_York", "UTC", "America/Chicago", "America/Los_Angeles", "Europe/London", "Europe/Berlin",
         "Asia/Tokyo", "Etc/GMT+5")  # fmt: skip
WINDOW_MIN = 5


def zone_of(rows: pl.DataFrame, calendar: pl.DataFrame) -> tuple[str | None, str]:
    """The zone in which naive `ts` begin to trade at the open, and in how many sessions; null where none does."""
    begun = {zone: _sessions_begun(rows, zone, calendar) for zone in ZONES}
    best = max(ZONES, key=lambda zone: begun[zone])
    if not begun[best]:
        return None, "in no zone does trading begin at 09:30 New York"
    others = ", ".join(f"{begun[zone]} in {zone}" for zone in ZONES[:3] if zone != best)
    return best, f"{best}: trading begins at the open in {begun[best]} sessions, against {others}"


def label_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> tuple[str | None, str]:
    """Whether `ts` names the start or the end of its minute, and why; null where the bars do not tell."""
    reading = read_labels({"": stamps}, calendar)
    sure = f"confidence {reading.confidence:.1%}; {reading.words}"
    if not reading.is_decided():
        return None, f"the bars do not tell whether stamps name starts or ends ({sure})"
    if reading.shift_min or reading.zone_hours:
        return None, f"the first stamp of a session is neither 09:30 nor 09:31 ({sure}): see the zone"
    return reading.label, f"{reading.label} ({sure})"


def hours_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> str:
    """Which hours the rows cover, in words."""
    inside = _placed(stamps, calendar).height / max(1, stamps.height)
    return "regular hours" if inside > 0.97 else f"all hours: {1 - inside:.0%} of the rows lie outside 09:30 to 16:00"


def step_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> int:
    """How many minutes lie between one row of a session and the next, most often."""
    gaps = _placed(stamps, calendar).select(pl.col("ts").diff().over("session").dt.total_minutes()).to_series()
    return int(gaps.drop_nulls().mode().min() or 1)  # type: ignore[arg-type]


def sessions_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.Series:
    """The sessions that have a row, in order."""
    return _placed(stamps, calendar)["session"].unique().sort()


def _sessions_begun(rows: pl.DataFrame, zone: str, calendar: pl.DataFrame) -> int:
    """In how many sessions the volume of the minutes after the open is far above that of those before it.

    The jump must be larger than it is an hour earlier and later: an all-day feed trades before the open as well.
    """
    local = pl.col("ts").dt.cast_time_unit("us").dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    utc = rows.select(local.dt.convert_time_zone("UTC"), "volume").drop_nulls("ts").sort("ts")
    opened = calendar.select("session", "open_utc").sort("open_utc")
    near = utc.join_asof(opened, left_on="ts", right_on="open_utc", strategy="nearest").with_columns(
        minute=(pl.col("ts") - pl.col("open_utc")).dt.total_minutes()
    )
    jumps: Mapping[str, pl.Expr] = {
        str(shift): pl.col("volume").filter(pl.col("minute").is_between(shift + 1, shift + WINDOW_MIN)).sum()
        - pl.col("volume").filter(pl.col("minute").is_between(shift - WINDOW_MIN, shift - 1)).sum()
        for shift in (-60, 0, 60)
    }
    found = near.group_by("session").agg(**jumps)
    first = pl.col("0")
    return found.filter(first > 0, first > pl.col("-60"), first > pl.col("60")).height


def _placed(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows within a session, both of its ends included, since either may be a label."""
    sessions = calendar.select("session", "open_utc", "close_utc").sort("open_utc")
    placed = stamps.sort("ts").join_asof(sessions, left_on="ts", right_on="open_utc", check_sortedness=False)
    return placed.filter(pl.col("ts") <= pl.col("close_utc"))
