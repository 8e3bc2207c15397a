"""Proposals for a preset from the bars of a new source: zone, label, hours, and minutes without a trade.

Most vendors make bars from trades and send none for a minute without a trade. Such minutes are scattered: a missing one
says little about the next. If a feed breaks, minutes are missing together.

*Time*: the evidence comes from the whole span, so it only proposes: nothing here changes a value, and the gate judges
any proposal. `ts` is as delivered.
*Source*: with a share p of missing minutes that are independent, n minutes hold about n p (1 - p) runs of them (Wald
and Wolfowitz 1940, Annals of Mathematical Statistics 11(2)).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.asof import broken_rules, first_broken
from stages.quality.labels import read_labels
from stages.sessions.calendar import FULL_SESSION_MIN

MIN_ABSENT = 5  # missing minutes of a session: fewer show nothing
MAX_ABSENT = 0.8  # share of missing minutes: a session with more shows nothing
MAX_REMOVED = 0.1  # share of missing minutes with an unsound bar: those minutes had a trade
SCATTERED = 0.6  # of the runs that independent minutes would have: activity varies within the day
MIN_SHARE = 0.5  # of the sessions with absent minutes
WIDER = 1.25  # times the longest run seen
STEP = 0.05  # the lowest completeness seen is rounded down to a multiple of this


@dataclass(frozen=True)
class Proposal:
    """Thresholds a little wider than what was seen, and how many of a symbol's sessions they make usable."""

    quiet_max_min: int
    min_session_completeness: float
    usable: int
    sessions: int
    longest_min: int
    absent_share: float

    def stated(self, symbol: str) -> str:
        """The line for conf/quality."""
        return (
            f"quality.by_symbol: {{{symbol}: {{no_trade_minutes: quiet, quiet_max_min: {self.quiet_max_min}, "
            f"min_session_completeness: {self.min_session_completeness:g}}}}}"
        )


def proposal(days: pl.DataFrame, quality: QualityParams) -> Proposal | None:
    """Thresholds for a symbol whose missing minutes are scattered; None if they are not, or cost no session.

    `days` is the result of `judge_sessions`. A vendor of bars without volume sends one for a minute without a trade, so
    nothing is proposed.
    """
    if quality.quiet or days["n_without_volume"].sum():
        return None
    open_min = pl.col("n_expected") - pl.col("HLT1")
    removed = pl.col("n_raw") + pl.col("n_missing") - open_min  # delivered bars that are unsound
    absent = pl.col("n_missing").is_between(MIN_ABSENT, MAX_ABSENT * open_min)
    lacking = days.filter(absent, removed <= MAX_REMOVED * pl.col("n_missing"))
    runs = pl.col("n_missing") * (1 - pl.col("n_missing") / open_min)
    scattered = lacking.filter(pl.col("n_gaps") >= SCATTERED * runs)
    if scattered.height <= MIN_SHARE * lacking.height or not _failed(scattered).height:
        return None
    longest, least = int(scattered["longest_gap"].max()), float(scattered["completeness"].min())  # type: ignore[arg-type]
    fitting = QualityParams.model_validate(
        quality.model_dump()
        | {
            "no_trade_minutes": "quiet",
            "quiet_max_min": min(max(ceil(longest * WIDER), quality.max_gap_min), FULL_SESSION_MIN),
            "min_session_completeness": min(round(floor(least / STEP) * STEP, 2), quality.min_session_completeness),
        }
    )
    saved = _failed(days).filter(first_broken(broken_rules(fitting)).is_null()).height
    return Proposal(
        quiet_max_min=fitting.quiet_max_min,
        min_session_completeness=fitting.min_session_completeness,
        usable=days.filter(pl.col("verdict") != "fail").height + saved,
        sessions=days.height,
        longest_min=longest,
        absent_share=float(scattered["n_missing"].sum()) / float(scattered["n_expected"].sum()),
    )


def _failed(days: pl.DataFrame) -> pl.DataFrame:
    """Sessions that failed only for missing minutes."""
    return days.filter(pl.col("reason").is_in(["incomplete", "sustained_gap"]))


ZONES = ("America/New_York", "UTC", "America/Chicago", "America/Los_Angeles", "Europe/London", "Europe/Berlin",
         "Asia/Tokyo", "Etc/GMT+5")  # fmt: skip
WINDOW_MIN = 5


def zone_of(rows: pl.DataFrame, calendar: pl.DataFrame) -> tuple[str | None, str]:
    """The zone in which trading by naive `ts` begins at the open in most sessions, or None; and why."""
    found = {zone: _sessions_begun(rows, zone, calendar) for zone in ZONES}
    begun = {zone: number for zone, (number, _) in found.items()}
    best = max(ZONES, key=lambda zone: begun[zone])
    if begun[best] <= found[best][1] / 2:
        return None, "in no zone does trading begin at 09:30 New York in most sessions: state it"
    others = ", ".join(f"{begun[zone]} in {zone}" for zone in ZONES[:3] if zone != best)
    return best, f"{best}: trading begins at the open in {begun[best]} sessions, against {others}"


def label_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> tuple[str | None, str]:
    """Whether `ts` names the start or the end of its minute, or None if the bars do not show it; and why."""
    reading = read_labels({"": stamps}, calendar)
    sure = f"confidence {reading.confidence:.1%}; {reading.words}"
    if not reading.is_decided():
        return None, f"the bars do not show whether stamps name starts or ends ({sure})"
    if reading.shift_min or reading.zone_hours:
        return None, f"the first stamp of a session is neither 09:30 nor 09:31 ({sure}): see the zone"
    return reading.label, f"{reading.label} ({sure})"


def hours_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> str:
    """Which hours the rows cover, as text."""
    inside = _placed(stamps, calendar).height / max(1, stamps.height)
    return "regular hours" if inside > 0.97 else f"all hours: {1 - inside:.0%} of the rows lie outside 09:30 to 16:00"


def step_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> int:
    """The most frequent distance in minutes between adjacent rows of a session."""
    gaps = _placed(stamps, calendar).select(pl.col("ts").diff().over("session").dt.total_minutes()).to_series()
    return int(gaps.drop_nulls().mode().min() or 1)  # type: ignore[arg-type]


def sessions_of(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.Series:
    """The sessions that have a row, in order."""
    return _placed(stamps, calendar)["session"].unique().sort()


def _sessions_begun(rows: pl.DataFrame, zone: str, calendar: pl.DataFrame) -> tuple[int, int]:
    """The number of sessions in which volume jumps at the open, and the number of all sessions.

    The jump must be larger than an hour earlier and later: an all-day feed has volume before the open too.
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
    return found.filter(first > 0, first > pl.col("-60"), first > pl.col("60")).height, found.height


def _placed(stamps: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Rows within a session, both ends included, since either may be a label."""
    sessions = calendar.select("session", "open_utc", "close_utc").sort("open_utc")
    placed = stamps.sort("ts").join_asof(sessions, left_on="ts", right_on="open_utc", check_sortedness=False)
    return placed.filter(pl.col("ts") <= pl.col("close_utc"))
