"""What one forecast says by itself, before the book is looked at: a side, its strength and its expected value.

*Units*: quantiles come in bp of log return from `last`; stops, targets, costs and P&L are simple returns, so they are
turned into those first. `sigma` is a fraction per five minutes; `*_bp` are in bp of `last`.
*Time*: everything is known at the snapshot.
*Source*: docs/TRADING_RULES.md, "From forecast to order".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.rules.costs import SymbolCosts
from stages.rules.expected_value import lost_to_target, normal_of, saved_by_stop

Floats = NDArray[np.float64]
Sides = NDArray[np.int8]


@dataclass(frozen=True)
class Views:
    """One view a forecast. *Shapes*: (n,) each; `side` is +1, -1 or 0 (neither quartile clears the costs)."""

    side: Sides
    strength: Floats  # |median move| in sigmas: enters if it is at least k_sigma
    mu_bp: Floats  # signed by side: a short is a long on the negated moves
    sd_bp: Floats
    cost_bp: Floats  # round trip


def views(quartiles: tuple[Floats, Floats, Floats], last: Floats, sigma: Floats, costs: SymbolCosts) -> Views:
    """Long iff q25 lies above `last` plus costs, short iff q75 lies below `last` minus costs (both strictly)."""
    q25, q50, q75 = (_simple_bp(quartile) for quartile in quartiles)
    cost_bp = costs.round_trip_bp(last)
    side = (q25 > cost_bp).astype(np.int8) - (q75 < -cost_bp).astype(np.int8)
    mu, sd = normal_of(q25, q50, q75)
    return Views(side, np.abs(q50) / (1e4 * sigma), side * mu, sd, cost_bp)


def expected_value_bp(view: Views, sigma: Floats, barriers: tuple[float, float], risk_aversion: float) -> Floats:
    """What the trade earns on average, costs and a charge for spread taken off; a trade needs more than zero."""
    stop, take = (barrier * (1e4 * sigma) for barrier in barriers)
    kept = view.mu_bp + saved_by_stop(view.mu_bp, view.sd_bp, stop) - lost_to_target(view.mu_bp, view.sd_bp, take)
    return kept - view.cost_bp - risk_aversion * view.sd_bp


def _simple_bp(log_bp: Floats) -> Floats:
    """A log return in bp as the simple return in bp: how far the price itself would move."""
    return 1e4 * np.expm1(log_bp / 1e4)
