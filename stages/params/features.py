"""Params section `features`: which features are built, and their windows."""

from typing import Annotated

from pydantic import Field, StringConstraints

from stages.params.section import EachOnce, Section

Window = Annotated[int, Field(ge=1, le=10_000)]


class FeaturesParams(Section, section="features"):
    """Names from the catalogue `FEATURES`, every window in minutes (bars) or sessions, and the list of events.

    `events` names the committed list `conf/events/<events>.csv`; `none` is an empty one.
    """

    names: Annotated[tuple[str, ...], Field(min_length=1), EachOnce]
    required: Annotated[tuple[str, ...], EachOnce]
    sigma_window_min: Window
    sigma_min_obs: Window
    range_window_min: Window
    atr_window_min: Window
    vwap_window_min: Window
    volume_norm_sessions: Window
    session_open_min: Window
    session_close_min: Window
    context_lag_min: Window
    events: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
    max_null_share: Annotated[float, Field(ge=0, le=1)]
