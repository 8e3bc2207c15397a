"""Params of the data gate: its thresholds (section `quality`) and the vendor's dialect (keys of section `source`)."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from stages.params.section import Day, Neutral, Section

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Positive = Annotated[float, Field(gt=0, le=1_000_000_000)]
Own = Literal["no_trade_minutes", "quiet_max_min", "min_session_completeness", "tick_size"]


class DialectParams(Section, section="source", partial=True):
    """How the vendor writes a bar: column names, zone of naive stamps, which end of the minute a stamp names.

    *Units*: `unit` is that of whole-number stamps, `price_scale` the value in dollars of 1 in the file.
    """

    aliases: dict[str, str]
    zone: str | None
    bar_label: Literal["start", "end"]
    unit: Literal["s", "ms", "us", "ns"] | None
    price_scale: Annotated[float, Field(gt=0)]
    renames: dict[str, dict[str, Day]]
    bar_label_trusted: bool


class QualityParams(Section, section="quality"):
    """Thresholds; the description of each names the check that uses it (see docs/DATA_QUALITY.md)."""

    min_session_completeness: Share = Field(description="CMP1")
    max_gap_min: Count = Field(description="CMP2")
    min_sessions_share: Share = Field(description="CMP3 fail")
    warn_sessions_share: Share = Field(description="CMP3 warn")
    ffill_max_bars: Count = Field(description="fill policy")
    ohlc_tolerance_ticks: Annotated[float, Field(ge=0, le=1_000_000)] = Field(description="PX2")
    outlier_mads: Annotated[float, Field(gt=0, le=1_000_000)] = Field(description="PX3")
    outlier_floor_share: Share = Field(description="PX3, fraction")
    outlier_past_sessions: Annotated[int, Field(ge=1, le=10_000)] = Field(description="PX3")
    outlier_bucket_min: Annotated[int, Field(ge=1, le=1_440)] = Field(description="PX3")
    outlier_revert_share: Share = Field(description="PX3 revert")
    corporate_actions: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$"), Neutral("none")] = Field(
        description="PX7, a list"
    )
    night_floor_share: Annotated[Positive, Neutral(0.15)] = Field(description="PX4, PX7, fraction")
    night_mads: Annotated[Positive, Neutral(8.0)] = Field(description="PX4, PX7")
    night_scale_floor_share: Annotated[Positive, Neutral(0.01)] = Field(description="PX4, PX7, fraction")
    night_past_sessions: Annotated[int, Field(ge=1, le=10_000), Neutral(60)] = Field(description="PX4, PX7")
    split_tolerance_nights: Annotated[Positive, Neutral(3.0)] = Field(description="PX4")
    split_max_ratio: Annotated[int, Field(ge=2, le=10_000), Neutral(50)] = Field(description="PX4")
    jump_floor_share: Annotated[Positive, Neutral(0.1)] = Field(description="PX7, fraction")
    jump_mads: Annotated[Positive, Neutral(20.0)] = Field(description="PX7")
    jump_ceiling_ratio: Annotated[float, Field(gt=1, le=1_000_000), Neutral(2.0)] = Field(description="PX7, PX8")
    wick_floor_share: Annotated[Positive, Neutral(0.03)] = Field(description="PX8, fraction")
    wick_mads: Annotated[Positive, Neutral(20.0)] = Field(description="PX8")
    shared_min_share: Annotated[Share, Neutral(0.5)] = Field(description="PX7, PX8, of the other symbols that trade")
    copy_min_share: Annotated[Share, Neutral(0.1)] = Field(description="TS8, of a session's rows")
    max_price: Annotated[Positive, Neutral(1e6)] = Field(description="PX9, price units")
    stale_bars: Annotated[int, Field(ge=2, le=10_000)] = Field(description="PX5 warn, volume > 0")
    stale_bars_no_volume: Annotated[int, Field(ge=2, le=10_000)] = Field(description="PX5 warn, volume 0")
    stale_bars_fail: Annotated[int, Field(ge=2, le=10_000)] = Field(description="PX5 day-fail")
    tick_size: Annotated[float, Field(gt=0, le=1_000_000)] = Field(description="PX2, PX6, price units")
    off_tick_share: Share = Field(description="PX6, of a symbol's bars")
    off_tick_tolerance_ticks: Annotated[float, Field(ge=0, le=1_000_000), Neutral(1e-6)] = Field(description="PX6")
    print_step_ticks: Annotated[Positive, Neutral(0.01)] = Field(description="PX6, where trades may be printed")
    low_volume_share: Share = Field(description="VOL3")
    low_volume_past_sessions: Annotated[int, Field(ge=1, le=10_000)] = Field(description="VOL3, PX5")
    high_volume_ratio: Annotated[float, Field(gt=1, le=1_000_000), Neutral(30.0)] = Field(description="VOL3")
    label_min_sessions: Annotated[int, Field(ge=1, le=10_000)] = Field(description="TS5, that say anything")
    label_min_confidence: Annotated[float, Field(gt=0.5, le=0.999), Neutral(0.99)] = Field(
        description="TS5, a probability"
    )
    halt_min_trading_share: Annotated[Share, Neutral(0.5)] = Field(
        description="long gaps, of the other symbols' minutes"
    )
    halts: Annotated[str, Neutral("market_wide")] = Field(
        pattern=r"^[a-z0-9_]+$", description="conf/halts/<name>.csv, listed halts of trading"
    )
    unlisted_halts: Annotated[Literal["drop", "keep"], Neutral("drop")] = Field(
        description="sessions with halts that only the other symbols show"
    )
    no_trade_minutes: Annotated[Literal["gap", "quiet"], Neutral("gap")] = Field(description="what an absent minute is")
    quiet_max_min: Annotated[int, Field(ge=1, le=390), Neutral(10)] = Field(
        description="quiet: minutes in a row without a trade"
    )
    by_symbol: Annotated[dict[str, dict[Own, Any]], Neutral({})] = Field(
        description="symbol -> its own values of some of these thresholds"
    )

    def _problems(self) -> Iterator[str]:
        for symbol in self.by_symbol:
            try:
                self.of(symbol)
            except ValidationError as error:
                first = error.errors()[0]
                name = ".".join(["by_symbol", symbol, *map(str, first["loc"])])
                yield f"{name} = {first['input']!r}: {first['msg']}"

    def of(self, symbol: str) -> "QualityParams":
        """The thresholds of one symbol: its own where stated, otherwise the common ones."""
        own = self.by_symbol.get(symbol)
        if own is None:
            return self
        return QualityParams.model_validate(self.model_dump() | own | {"by_symbol": {}}, strict=True)

    @property
    def quiet(self) -> bool:
        """Whether a minute without a bar is a minute without a trade."""
        return self.no_trade_minutes == "quiet"

    @property
    def carried_min(self) -> int:
        """For how many minutes in a row the last price is used for a minute without a bar."""
        return self.quiet_max_min if self.quiet else self.ffill_max_bars

    @property
    def absent_min(self) -> int:
        """How many minutes in a row may be missing."""
        return self.quiet_max_min if self.quiet else self.max_gap_min
