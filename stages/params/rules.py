"""Params sections `rules` (when a forecast becomes a trade) and `costs` (what a trade pays)."""

from typing import Annotated, Literal

from pydantic import Field

from stages.params.requests import ClockEt, Minutes
from stages.params.section import Section

NonNegative = Annotated[float, Field(ge=0, le=1_000)]
Positive = Annotated[float, Field(gt=0, le=1_000)]


class RulesParams(Section, section="rules"):
    """The strategy. *Units*: `k_sigma`, `s_stop`, `s_take` in five-minute sigmas, fixed at the snapshot.

    `max_hold_min: horizon` exits at the open of the bar `horizon_min` after the entry; null holds until a barrier or
    the time stop.
    """

    horizon_min: Minutes
    horizon_min_by_symbol: dict[str, Minutes]
    history_days: Annotated[int, Field(ge=1, le=1_000)]
    k_sigma: NonNegative
    s_stop: Positive
    s_take: Positive
    risk_aversion: NonNegative
    max_hold_min: Minutes | Literal["horizon"] | None
    entry_delay_bars: Annotated[int, Field(ge=0, le=390)]
    max_entry_delay_bars: Annotated[int, Field(ge=0, le=390)]
    cooldown_bars: Annotated[int, Field(ge=0, le=390)]
    daily_trade_cap: Annotated[int, Field(ge=1, le=10_000)]
    time_stop_et: ClockEt
    time_stop_before_close_min: Annotated[int, Field(ge=1, le=390)]


class CostsParams(Section, section="costs"):
    """Costs a side: fees in bp of notional plus half the spread in ticks; `cost_mult` scales both."""

    fees_bps: NonNegative
    half_spread_ticks: dict[str, NonNegative]
    tick_size: dict[str, Positive]
    cost_mult: NonNegative
