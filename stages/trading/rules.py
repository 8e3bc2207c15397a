"""The rules of one trade: side, strength, expected value, costs, time stop, and the order of the tests.

From a forecast: the side is long or short where a quartile clears the costs, the strength is the median move in sigmas.
The expected value is that of a barrier trade: a normal move that ends at the stop or the target if it reaches them.
With X ~ N(mu, sd), a stop at -S and a target at T, as for a bought put and a sold call under the normal model,

    E[clip(X, -S, T)] = mu + E[max(-S - X, 0)] - E[max(X - T, 0)],
    E[max(N(m, sd), 0)] = m Phi(m / sd) + sd phi(m / sd),

so a grid of stops and targets needs one term a stop and one a target. Without the clipping, the test "EV > 0" would
follow from the quantile rule and never refuse anything. Costs are fees in bp of notional and half the spread, each on
both sides. Positions are closed at the stated time in New York, earlier on half days.

*Units*: quantiles arrive in bp of log return from `last` and are turned into simple returns, in which stops, targets,
costs and P&L are stated; signed so that a gain is positive. `sigma` is a fraction per five minutes; `half_spread_px`
and `tick_px` in price; `*_bp` in bp of `last` or of the price that the function names.
*Time*: everything is known at the snapshot.
*Source*: docs/TRADING_RULES.md; Bachelier (1900) for the closed form.
"""

from dataclasses import dataclass
from datetime import time
from enum import IntEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.errors import ConfigurationError
from stages.params.rules import CostsParams, RulesParams
from stages.tables.market import NEW_YORK

LONG, SHORT = "long", "short"


class Reason(IntEnum):
    """Why a signal was not traded; `ENTER` where every test passed.

    The lines are in the order of the tests. A number is a code, which `kernels` repeats: a new reason takes the next
    that is free. Each line names what the test reads. Tests of the forecast alone are here (`early_tests`,
    `late_tests`), with what they need of params in `Views`. Tests that depend on the day's earlier trades are in
    `kernels.py` (`_refusal_today`). `first_refusal` in `tests/trading/loop.py` says the same plainly.
    """

    ENTER = 0
    SYMBOL_GATE = 1  # universe.whitelist and the forecast gates: the symbol may not trade
    NOT_CALIBRATED = 2  # calibration.min_outcomes: too few outcomes were known to correct this forecast
    IN_POSITION = 3  # an earlier position, or its order, is still open
    AFTER_TIME_STOP = 4  # rules.time_stop_et, entry_delay_bars: the entry would come at or after the time stop
    DAILY_CAP = 5  # rules.daily_trade_cap: enough entries in this symbol today
    COOLDOWN = 6  # rules.cooldown_bars: too soon after the last exit
    NO_SIGMA = 7  # no trailing volatility, so no barriers (`early_tests`)
    QUANTILE_RULE = 8  # costs: the quartile on the losing side does not clear them (`early_tests`)
    K_SIGMA = 9  # rules.k_sigma: the median move is small against volatility
    EV = 10  # rules.s_stop, s_take, risk_aversion, costs: the expected value is not positive (`late_tests`)
    NO_BAR = 11  # rules.max_entry_delay_bars: no real bar to enter at in time (`late_tests`)

    @property
    def label(self) -> str:
        """The reason as tables and reports write it."""
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
    """The costs of one symbol; `mult` scales both fees and spread."""

    fees_bps: float
    half_spread_px: float
    tick_px: float
    mult: float

    def round_trip_bp(self, last: Floats) -> Floats:
        """Cost of entering and leaving at `last`, in bp of `last`: the hurdle of the rules."""
        side_bp = self.fees_bps + 1e4 * self.half_spread_px / last
        return 2.0 * side_bp * self.mult


def symbol_costs(costs: CostsParams, symbol: str) -> SymbolCosts | None:
    """The costs of `symbol`, or None where params state none."""
    if symbol not in costs.half_spread_ticks or symbol not in costs.tick_size:
        return None
    tick = costs.tick_size[symbol]
    return SymbolCosts(costs.fees_bps, costs.half_spread_ticks[symbol] * tick, tick, costs.cost_mult)


def require_costs(costs: CostsParams, whitelist: tuple[str, ...]) -> None:
    """Refuse a whitelist with a symbol that has no costs."""
    for name in ("half_spread_ticks", "tick_size"):
        if missing := sorted(set(whitelist) - set(getattr(costs, name))):
            raise ConfigurationError(
                f"costs.{name} has no value for {', '.join(missing)}, which universe.whitelist allows to trade: set it "
                "in conf/costs/, or remove the symbol from the whitelist."
            )


# Distance between the quartiles of the standard normal, to five decimals.
QUARTILE_DISTANCE = 1.34898


def normal_of(q25: Floats, q50: Floats, q75: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the normal distribution with these three quantiles."""
    return (q25 + q50 + q75) / 3.0, (q75 - q25) / QUARTILE_DISTANCE


def saved_by_stop(mu: Floats, sd: Floats, stop: Floats) -> Floats:
    """E[max(-stop - X, 0)]: the part of the losses that the stop cuts off."""
    return _mean_above_zero(-stop - mu, sd)


def lost_to_target(mu: Floats, sd: Floats, take: Floats) -> Floats:
    """E[max(X - take, 0)]: the part of the gains that the target cuts off."""
    return _mean_above_zero(mu - take, sd)


def _mean_above_zero(mean: Floats, sd: Floats) -> Floats:
    """E[max(N(mean, sd), 0)]; a certain move where `sd` is zero."""
    from scipy.special import ndtr  # slow to load, and the report imports this module without calling it

    certain = sd <= 0.0
    z = mean / np.where(certain, 1.0, sd)
    spread = mean * ndtr(z) + sd * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.where(certain, np.maximum(mean, 0.0), spread)


Sides = NDArray[np.int8]
Reasons = NDArray[np.int64]


@dataclass(frozen=True)
class Views:
    """What each forecast says about a trade. *Shapes*: (n,); `side` is +1, -1 or 0 (no quartile clears the costs)."""

    side: Sides
    strength: Floats  # |median move| in sigmas: must be at least k_sigma
    mu_bp: Floats  # signed by side: a short is a long on the negated moves
    sd_bp: Floats
    cost_bp: Floats  # round trip
    spread_charge_bp: Floats  # for the width of the forecast


def views(
    quartiles: tuple[Floats, Floats, Floats], last: Floats, sigma: Floats, costs: SymbolCosts, rules: RulesParams
) -> Views:
    """Long if q25 is above `last` plus costs, short if q75 is below `last` minus costs (both strictly)."""
    q25, q50, q75 = (_simple_bp(quartile) for quartile in quartiles)
    cost_bp = costs.round_trip_bp(last)
    side = (q25 > cost_bp).astype(np.int8) - (q75 < -cost_bp).astype(np.int8)
    mu, sd = normal_of(q25, q50, q75)
    return Views(side, np.abs(q50) / (1e4 * sigma), side * mu, sd, cost_bp, rules.risk_aversion * sd)


def early_tests(view: Views, sigma: Floats) -> Reasons:
    """The tests of the forecast alone that come before `k_sigma`."""
    clears_costs = np.where(view.side == 0, Reason.QUANTILE_RULE, Reason.ENTER)
    return np.where(np.isnan(sigma), Reason.NO_SIGMA, clears_costs)


def late_tests(ev_bp: Floats, in_time: NDArray[np.bool_]) -> Reasons:
    """The last tests: a positive expected value, and a bar to enter at."""
    return np.where(ev_bp > 0.0, np.where(in_time, Reason.ENTER, Reason.NO_BAR), Reason.EV)


def expected_value_bp(view: Views, sigma: Floats, barriers: tuple[float, float]) -> Floats:
    """Average result of the trade after costs and a charge for the width of the forecast; must be above zero."""
    stop, take = (barrier * (1e4 * sigma) for barrier in barriers)
    kept = view.mu_bp + saved_by_stop(view.mu_bp, view.sd_bp, stop) - lost_to_target(view.mu_bp, view.sd_bp, take)
    return kept - view.cost_bp - view.spread_charge_bp


def _simple_bp(log_bp: Floats) -> Floats:
    """A log return in bp as a simple return in bp: the move of the price itself."""
    return 1e4 * np.expm1(log_bp / 1e4)
