"""The unit of prices, judged by plausibility and tick: a feed may deliver billionths or cents.

*Errors*: `HardFailure` PX9 where no share is that expensive, or where every price is a whole number of hundred ticks.
*Units*: prices as delivered, ticks of `quality.tick_size`.
"""

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.verdicts import HardFailure

WHOLE_TICKS = 100
WHOLE_SHARE = 0.999
LEAST_PRICES = 10  # distinct prices that are needed to infer their common step


def check_unit(rows: pl.DataFrame, quality: QualityParams) -> None:
    """Raise if the unit of these closes does not fit `quality.tick_size`."""
    closes = rows["close"].filter(rows["close"].is_finite() & (rows["close"] > 0))
    if closes.is_empty():
        return
    middle = float(closes.median() or 0.0)  # type: ignore[arg-type]
    remedy = "set source.price_scale, or quality.tick_size if the prices are right"
    if middle > quality.max_price:
        raise HardFailure(
            "PX9",
            f"the median price is {middle:,.10g}, above quality.max_price of {quality.max_price:,.10g}: are these "
            f"fixed-point prices, in billionths say? Costs would be negligible; {remedy}.",
        )
    step = WHOLE_TICKS * quality.tick_size
    whole = ((closes / step).round() * step - closes).abs() < quality.tick_size / 10
    if whole.mean() >= WHOLE_SHARE and closes.n_unique() >= LEAST_PRICES:  # type: ignore[operator]
        raise HardFailure(
            "PX9",
            f"every price is a whole number of {step:g}, as {closes[0]:,.10g}, though quality.tick_size is "
            f"{quality.tick_size:g}: are these prices in cents? Costs would be negligible; {remedy}.",
        )
