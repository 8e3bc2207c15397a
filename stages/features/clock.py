"""What the session clock says of a minute: known in advance for every minute of the calendar.

*Units*: minutes, shares of a session, 0 or 1, and waves of the trading day.
*Time*: from `m, n_bars, is_half, session` alone, so these features may be sent for minutes that lie ahead.
"""

import math

import polars as pl

from stages.features.minute import M
from stages.features.params import FeaturesParams
from stages.features.returns import Builder
from stages.universe.calendar import FULL_SESSION_MIN

N = pl.col("n_bars")


def minute(_: FeaturesParams) -> pl.Expr:
    """Minutes since the open, 0 on the first bar."""
    return M


def session_share(_: FeaturesParams) -> pl.Expr:
    """The part of the session that lies before this bar."""
    return M / N


def minutes_to_close(_: FeaturesParams) -> pl.Expr:
    """Minutes from `known_at` to the close: 0 on the last bar."""
    return N - 1 - M


def is_half(_: FeaturesParams) -> pl.Expr:
    """1 on a half day."""
    return pl.col("is_half")


def bucket_open(params: FeaturesParams) -> pl.Expr:
    """1 in the first minutes of the session."""
    return params.session_open_min > M


def bucket_close(params: FeaturesParams) -> pl.Expr:
    """1 in the last minutes of the session."""
    return N - params.session_close_min <= M


def bucket_mid(params: FeaturesParams) -> pl.Expr:
    """1 between the two."""
    return ~bucket_open(params) & ~bucket_close(params)


def day_of_week(_: FeaturesParams) -> pl.Expr:
    """1 Monday to 5 Friday."""
    return pl.col("session").dt.weekday()


def sine(waves: int) -> Builder:
    """`sin(2 pi k m / 390)`, k waves a full session."""
    return lambda _: _angles(waves).sin().gather(M)


def cosine(waves: int) -> Builder:
    """`cos(2 pi k m / 390)`, k waves a full session."""
    return lambda _: _angles(waves).cos().gather(M)


def _angles(waves: int) -> pl.Expr:
    """One angle for each minute of a full session, so that a wave is worked out once and looked up after."""
    return 2 * math.pi * waves / FULL_SESSION_MIN * pl.int_range(0, FULL_SESSION_MIN)
