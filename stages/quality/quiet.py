"""Are absent minutes minutes without a trade? What a symbol's sessions look like, and which thresholds would fit.

Most vendors make a bar of trades and send none for a minute without one. Such minutes are scattered: that one is absent
says little about the next. Where a feed breaks, minutes are absent together.

*Time*: the evidence is the whole span's, so it only proposes: what a minute is, `quality.no_trade_minutes` states.
*Source*: with a share p of absent minutes that do not depend on each other, n minutes hold about n p (1 - p) runs of
them (Wald and Wolfowitz 1940, Annals of Mathematical Statistics 11(2)).
"""

from dataclasses import dataclass
from math import ceil, floor

import polars as pl

from stages.quality.params import QualityParams
from stages.universe.calendar import FULL_SESSION_MIN

MIN_ABSENT = 5  # minutes of a session: fewer say nothing
MAX_ABSENT = 0.8  # share of a session: of one with fewer bars nothing is proposed
MAX_REMOVED = 0.1  # of the minutes that count as missing: where bars came, a minute was not without a trade
SCATTERED = 0.6  # of the runs that independent minutes would make: trading comes and goes a little within the day
MIN_SHARE = 0.5  # of the sessions with absent minutes
WIDER = 1.25  # than the longest run that was seen
STEP = 0.05  # of a completeness, to which the lowest that was seen is rounded down


@dataclass(frozen=True)
class Proposal:
    """Thresholds under which so many of a symbol's sessions would be usable, a little wider than what was seen."""

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
    """What would fit a symbol whose absent minutes are scattered; None where they are not, or cost no session.

    `days` is what `judge_sessions` found. A vendor who sends bars without volume has one for a minute without a trade.
    """
    if quality.quiet or days["n_without_volume"].sum():
        return None
    open_min = pl.col("n_expected") - pl.col("HLT1")
    removed = pl.col("n_raw") + pl.col("n_missing") - open_min  # bars that came, but are unsound
    absent = pl.col("n_missing").is_between(MIN_ABSENT, MAX_ABSENT * open_min)
    lacking = days.filter(absent, removed <= MAX_REMOVED * pl.col("n_missing"))
    runs = pl.col("n_missing") * (1 - pl.col("n_missing") / open_min)
    scattered = lacking.filter(pl.col("n_gaps") >= SCATTERED * runs)
    if scattered.height <= MIN_SHARE * lacking.height or not _fallen(scattered).height:
        return None
    longest, least = int(scattered["longest_gap"].max()), float(scattered["completeness"].min())  # type: ignore[arg-type]
    fitting = QualityParams.model_validate(
        quality.model_dump()
        | {
            "no_trade_minutes": "quiet",
            "quiet_max_min": max(min(ceil(longest * WIDER), FULL_SESSION_MIN), quality.max_gap_min),
            "min_session_completeness": min(round(floor(least / STEP) * STEP, 2), quality.min_session_completeness),
        }
    )
    fits = (pl.col("longest_gap") <= fitting.quiet_max_min) & (
        pl.col("completeness") >= fitting.min_session_completeness
    )
    saved = _fallen(days).filter(fits).height
    return Proposal(
        quiet_max_min=fitting.quiet_max_min,
        min_session_completeness=fitting.min_session_completeness,
        usable=days.filter(pl.col("verdict") != "fail").height + saved,
        sessions=days.height,
        longest_min=longest,
        absent_share=float(scattered["n_missing"].sum()) / float(scattered["n_expected"].sum()),
    )


def _fallen(days: pl.DataFrame) -> pl.DataFrame:
    """Sessions that fell for absent minutes alone."""
    return days.filter(pl.col("reason").is_in(["incomplete", "sustained_gap"]))
