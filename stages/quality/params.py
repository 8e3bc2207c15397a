"""Params of the data gate: its thresholds (section `quality`) and the vendor's dialect (keys of section `source`)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stages.tables.section import Section

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class DialectParams(Section):
    """How the vendor writes a bar: names of columns, zone of naive stamps, which end of the minute a stamp names."""

    section = "source"
    partial = True

    aliases: dict[str, str]
    zone: str | None
    bar_label: Literal["start", "end"]


class QualityParams(Section):
    """Thresholds; the id of the check that uses each stands in its description (see docs/DATA_QUALITY.md)."""

    section = "quality"

    min_session_completeness: Share = Field(description="CMP1")
    max_gap_min: Count = Field(description="CMP2")
    min_sessions_share: Share = Field(description="CMP3 fail")
    warn_sessions_share: Share = Field(description="CMP3 warn")
    ffill_max_bars: Count = Field(description="fill policy")
    ohlc_tolerance_ticks: Annotated[float, Field(ge=0)] = Field(description="PX2")
    outlier_mads: Annotated[float, Field(gt=0)] = Field(description="PX3")
    outlier_floor_share: Share = Field(description="PX3, fraction")
    outlier_past_sessions: Annotated[int, Field(ge=1)] = Field(description="PX3")
    outlier_bucket_min: Annotated[int, Field(ge=1)] = Field(description="PX3")
    outlier_revert_share: Share = Field(description="PX3 revert")
    corporate_actions: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")] = Field(description="PX7, a list")
    night_floor_share: Positive = Field(description="PX4, PX7, fraction")
    night_mads: Positive = Field(description="PX4, PX7")
    night_scale_floor_share: Positive = Field(description="PX4, PX7, fraction")
    night_past_sessions: Annotated[int, Field(ge=1)] = Field(description="PX4, PX7")
    split_tolerance_nights: Positive = Field(description="PX4")
    split_max_ratio: Annotated[int, Field(ge=2)] = Field(description="PX4")
    jump_floor_share: Positive = Field(description="PX7, fraction")
    jump_mads: Positive = Field(description="PX7")
    jump_ceiling_ratio: Annotated[float, Field(gt=1)] = Field(description="PX7, PX8")
    wick_floor_share: Positive = Field(description="PX8, fraction")
    wick_mads: Positive = Field(description="PX8")
    shared_min_share: Share = Field(description="PX7, PX8, of the other symbols that trade")
    copy_min_share: Share = Field(description="TS8, of a session's rows")
    max_price: Positive = Field(description="PX9, price units")
    stale_bars: Annotated[int, Field(ge=2)] = Field(description="PX5 warn, volume > 0")
    stale_bars_no_volume: Annotated[int, Field(ge=2)] = Field(description="PX5 warn, volume 0")
    stale_bars_fail: Annotated[int, Field(ge=2)] = Field(description="PX5 day-fail")
    tick_size: Annotated[float, Field(gt=0)] = Field(description="PX2, PX6, price units")
    off_tick_share: Share = Field(description="PX6, of a symbol's bars")
    off_tick_tolerance_ticks: Annotated[float, Field(ge=0)] = Field(description="PX6")
    print_step_ticks: Positive = Field(description="PX6, where trades may be printed")
    low_volume_share: Share = Field(description="VOL3")
    low_volume_past_sessions: Annotated[int, Field(ge=1)] = Field(description="VOL3, PX5")
    high_volume_ratio: Annotated[float, Field(gt=1)] = Field(description="VOL3")
    label_min_sessions: Annotated[int, Field(ge=1)] = Field(description="TS5 by stamps")
    label_min_volume_sessions: Annotated[int, Field(ge=1)] = Field(description="TS5 by volume")
    label_min_volume_ratio: Annotated[float, Field(ge=1)] = Field(description="TS5 by volume")
    halt_min_trading_share: Share = Field(description="long gaps, of the other symbols' minutes")
