"""The rules of one trade: side, strength, expected value, costs, closing time and the order of tests.

The sequence of tests that a signal must pass; the first that fails is the reason on record.

The numbers are the order of the tests. They are compiled into the engine: `trading/kernels.py` repeats them.

When a session's positions are closed: the stated clock time in New York, earlier on half days.

What a trade pays: fees in bp of notional and half the spread, each on both sides.

*Units*: `half_spread_px` and `tick_px` in price, `*_bp` in bp of the price named by the function.
*Source*: docs/TRADING_RULES.md, "Costs".

What a barrier trade earns on average: a normal move that ends at the stop or at the target if it reaches beyond.

With X ~ N(mu, sd), a stop at -S and a target at T, as for a bought put and a sold call under the normal model,

    E[clip(X, -S, T)] = mu + E[max(-S - X, 0)] - E[max(X - T, 0)],
    E[max(N(m, sd), 0)] = m Phi(m / sd) + sd phi(m / sd),

so that a grid of stops and targets needs one term a stop and one a target. Without the cut the test "EV > 0" would
follow from the quantile rule and never bite.

*Units*: everything in bp of simple return, signed so that a gain of the position is positive; quantiles in bp of log
return must be turned into simple ones first.
*Source*: Bachelier (1900); the closed form of the clipped normal in docs/TRADING_RULES.md is the same number.

What one forecast says by itself, before the book is looked at: a side, its strength and its expected value.

*Units*: quantiles come in bp of log return from `last`; stops, targets, costs and P&L are simple returns, so they are
turned into those first. `sigma` is a fraction per five minutes; `*_bp` are in bp of `last`.
*Time*: everything is known at the snapshot.
*Source*: docs/TRADING_RULES.md, "From forecast to order".
"""

from dataclasses import dataclass
from datetime import time
from enum import IntEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from stages.errors import ConfigurationError
from stages.params.rules import CostsParams, RulesParams
from stages.tables.market import NEW_YORK

LONG, SHORT = "long", "short"


class Reason(IntEnum):
    """Why a signal was not traded; `ENTER` when nothing spoke against it."""

    ENTER = 0
    SYMBOL_GATE = 1  # not on the whitelist, or its cell did not pass the forecast gates
    NOT_CALIBRATED = 2  # too few outcomes were known to correct this forecast
    IN_POSITION = 3  # an earlier position (or its order) is still open
    AFTER_TIME_STOP = 4  # the entry would come at or after the time stop
    DAILY_CAP = 5  # enough entries in this symbol today
    COOLDOWN = 6  # too soon after the last exit
    NO_SIGMA = 7  # no trailing volatility, so no barriers
    QUANTILE_RULE = 8  # the quartile on the losing side does not clear the costs
    K_SIGMA = 9  # the median move is small against volatility
    EV = 10  # barriers and costs leave nothing to expect
    NO_BAR = 11  # no real bar to enter at in time

    @property
    def label(self) -> str:
        """The reason as tables and reports spell it."""
        return self.name.lower()


def time_stops(calendar: pl.DataFrame, rules: RulesParams) -> pl.DataFrame:
    """The calendar with `time_stop_utc`: the earlier of `time_stop_et` and some minutes before the close."""
    stated = pl.col("session").dt.combine(time.fromisoformat(rules.time_stop_et))
    before_close = pl.col("close_utc") - pl.duration(minutes=rules.time_stop_before_close_min)
    stated_utc = stated.dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return calendar.with_columns(pl.min_horizontal(stated_utc, before_close).alias("time_stop_utc"))


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


def require_costs(costs: CostsParams, whitelist: tuple[str, ...]) -> None:
    """Refuse a whitelist with a symbol that would trade for free."""
    for name in ("half_spread_ticks", "tick_size"):
        if missing := sorted(set(whitelist) - set(getattr(costs, name))):
            raise ConfigurationError(
                f"costs.{name} says nothing about {', '.join(missing)}, which universe.whitelist lets trade: "
                f"state it in conf/costs/ or take the symbol off the whitelist."
            )


# Distance between the quartiles of the standard normal, to five decimals.
QUARTILE_DISTANCE = 1.34898


def normal_of(q25: Floats, q50: Floats, q75: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the normal that three quantiles suggest."""
    return (q25 + q50 + q75) / 3.0, (q75 - q25) / QUARTILE_DISTANCE


def saved_by_stop(mu: Floats, sd: Floats, stop: Floats) -> Floats:
    """E[max(-stop - X, 0)]: the part of the losses that the stop cuts off."""
    return _mean_above_zero(-stop - mu, sd)


def lost_to_target(mu: Floats, sd: Floats, take: Floats) -> Floats:
    """E[max(X - take, 0)]: the part of the gains that the target cuts off."""
    return _mean_above_zero(mu - take, sd)


def _mean_above_zero(mean: Floats, sd: Floats) -> Floats:
    """E[max(N(mean, sd), 0)]; a certain move where `sd` is zero."""
    certain = sd <= 0.0
    z = mean / np.where(certain, 1.0, sd)
    spread = mean * ndtr(z) + sd * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.where(certain, np.maximum(mean, 0.0), spread)


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
