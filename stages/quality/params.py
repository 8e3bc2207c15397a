"""Params of the data gate: its thresholds (section `quality`) and the vendor's dialect (keys of section `source`)."""

from typing import Annotated, Literal

from pydantic import Field

from stages.tables.section import Section

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class DialectParams(Section):
    """How the vendor writes a bar: names of columns, zone of naive stamps, which end of the minute a stamp names."""

    section = "source"
    partial = True

    aliases: dict[str, str]
    zone: str | None
    bar_label: Literal["start", "end"]
    bar_label_trusted: bool


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
    split_ratios: tuple[Annotated[int, Field(ge=2)], ...] = Field(description="PX4")
    split_tolerance_share: Share = Field(description="PX4")
    stale_bars: Annotated[int, Field(ge=2)] = Field(description="PX5 warn, volume > 0")
    stale_bars_no_volume: Annotated[int, Field(ge=2)] = Field(description="PX5 warn, volume 0")
    stale_bars_fail: Annotated[int, Field(ge=2)] = Field(description="PX5 day-fail")
    tick_size: Annotated[float, Field(gt=0)] = Field(description="PX2, PX6, price units")
    off_tick_share: Share = Field(description="PX6, of a symbol's bars")
    off_tick_tolerance_ticks: Annotated[float, Field(ge=0)] = Field(description="PX6")
    low_volume_share: Share = Field(description="VOL3")
    low_volume_past_sessions: Annotated[int, Field(ge=1)] = Field(description="VOL3")
    label_min_sessions: Annotated[int, Field(ge=1)] = Field(description="TS5, that say anything")
    label_min_confidence: Annotated[float, Field(gt=0.5, le=0.999)] = Field(description="TS5, a probability")
    halt_min_trading_share: Share = Field(description="long gaps, of the other symbols' minutes")
