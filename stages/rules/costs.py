"""What a trade pays: fees in bp of notional and half the spread, each on both sides.

*Units*: `half_spread_px` and `tick_px` in price, `*_bp` in bp of the price named by the function.
*Source*: docs/TRADING_RULES.md, "Costs".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.errors import ConfigurationError
from stages.rules.params import CostsParams

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SymbolCosts:
    """The costs of one symbol; `mult` scales fees and spread alike."""

    fees_bps: float
    half_spread_px: float
    tick_px: float
    mult: float

    def round_trip_bp(self, last: Floats) -> Floats:
        """What entering and leaving at `last` would cost, in bp of `last`: the hurdle of the rules."""
        side_bp = self.fees_bps + 1e4 * self.half_spread_px / last
        return 2.0 * side_bp * self.mult


def symbol_costs(costs: CostsParams, symbol: str) -> SymbolCosts | None:
    """The costs of `symbol`, or None where params state none."""
    if symbol not in costs.half_spread_ticks or symbol not in costs.tick_size:
        return None
    tick = costs.tick_size[symbol]
    return SymbolCosts(costs.fees_bps, costs.half_spread_ticks[symbol] * tick, tick, costs.cost_mult)


def demand_costs(costs: CostsParams, whitelist: tuple[str, ...]) -> None:
    """Refuse a whitelist with a symbol that would trade for free."""
    for name in ("half_spread_ticks", "tick_size"):
        if missing := sorted(set(whitelist) - set(getattr(costs, name))):
            raise ConfigurationError(
                f"costs.{name} says nothing about {', '.join(missing)}, which universe.whitelist lets trade: "
                f"state it in conf/costs/ or take the symbol off the whitelist."
            )
