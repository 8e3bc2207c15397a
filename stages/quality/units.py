"""The unit of prices, judged by plausibility and tick: a feed may deliver billionths or cents.

Trades off the exchange print between cents, so prices in cents are not all whole, but most highs and lows are.

*Errors*: `HardFailure` PX9 if no share is that expensive or that cheap, or if most highs and lows are whole hundreds of
ticks.
*Units*: prices as delivered, ticks of `quality.tick_size`.
"""

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.verdicts import HardFailure

WHOLE_TICKS = 100
WHOLE_SHARE = 0.5
LEAST_TICKS = 0.1  # of a median price
LEAST_PRICES = 10  # distinct whole prices that are needed to infer their common step


def check_unit(rows: pl.DataFrame, quality: QualityParams) -> None:
    """Raise if the unit of these prices does not fit `quality.tick_size`."""
    extremes = pl.concat([rows["high"], rows["low"].rename("high")])
    prices = extremes.filter(extremes.is_finite() & (extremes > 0))
    if prices.is_empty():
        return
    middle = float(prices.median() or 0.0)  # type: ignore[arg-type]
    remedy = "set source.price_scale, or quality.tick_size (for one symbol in quality.by_symbol) if prices are right"
    if middle > quality.max_price:
        raise HardFailure(
            "PX9",
            f"the median price is {middle:,.10g}, above quality.max_price of {quality.max_price:,.10g}: are these "
            f"fixed-point prices, in billionths say? Costs would be negligible; {remedy}.",
        )
    if middle < LEAST_TICKS * quality.tick_size:
        raise HardFailure(
            "PX9",
            f"the median price is {middle:,.10g}, less than {LEAST_TICKS:g} ticks (quality.tick_size "
            f"{quality.tick_size:g}): are these prices scaled down twice? Costs would exceed any gain; {remedy}.",
        )
    step = WHOLE_TICKS * quality.tick_size
    whole = prices.filter(((prices / step).round() * step - prices).abs() < quality.tick_size / 10)
    share = len(whole) / len(prices)
    if share >= WHOLE_SHARE and (whole / step).round().n_unique() >= LEAST_PRICES:
        raise HardFailure(
            "PX9",
            f"{share:.0%} of the highs and lows are whole numbers of {step:g}, as {whole[0]:,.10g}, though the tick "
            f"(quality.tick_size) is {quality.tick_size:g}: are these prices in cents? Costs would be negligible; "
            f"{remedy}.",
        )
