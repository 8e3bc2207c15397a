"""In which unit are the prices? Judged by plausibility and tick: a feed's wire format may be billionths or cents.

*Errors*: `HardFailure` PX9 where no share costs as much, or where every price is a whole number of hundred ticks.
*Units*: prices as delivered, ticks of `quality.tick_size`.
"""

import polars as pl

from stages.params.quality import QualityParams
from stages.quality.verdicts import HardFailure

WHOLE_TICKS = 100
WHOLE_SHARE = 0.999
LEAST_PRICES = 10  # different prices, before their common step says anything


def check_unit(rows: pl.DataFrame, quality: QualityParams) -> None:
    """Raise if the closes of these rows are in no unit that fits `quality.tick_size`."""
    closes = rows["close"].filter(rows["close"].is_finite() & (rows["close"] > 0))
    if closes.is_empty():
        return
    middle = float(closes.median() or 0.0)  # type: ignore[arg-type]
    remedy = "state the unit of the source's prices, or quality.tick_size if they are right"
    if middle > quality.max_price:
        raise HardFailure(
            "PX9",
            f"the median price is {middle:,.10g}, above quality.max_price of {quality.max_price:,.10g}: fixed-point "
            f"prices, as in billionths? Beside them every cost vanishes; {remedy}.",
        )
    step = WHOLE_TICKS * quality.tick_size
    whole = ((closes / step).round() * step - closes).abs() < quality.tick_size / 10
    if whole.mean() >= WHOLE_SHARE and closes.n_unique() >= LEAST_PRICES:  # type: ignore[operator]
        raise HardFailure(
            "PX9",
            f"every price is a whole number of {step:g}, as {closes[0]:,.10g}, though quality.tick_size is "
            f"{quality.tick_size:g}: prices in cents? Beside them every cost vanishes; {remedy}.",
        )
