"""What the trades of an opened holdout say about the book, with bounds from days drawn anew.

*Units*: shares of trades; totals in bp of the whole capital.
*Time*: bounds are one-sided, at `gates.oos_sharpe_confidence`; under `gates.min_ci_days` sessions there are none, nor
for a share of trades where some draw of the days holds no trade.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.backtesting.summary import DECIMALS, book_of, kpis
from stages.portfolio.book import Span, break_even, repriced
from stages.scoring.figures import ratio
from stages.scoring.params import GatesParams
from stages.scoring.resampling import block_length, bounds, day_weights

Floats = NDArray[np.float64]
STRESS = 1.5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The figures that trading gates judge; null where a figure is not defined or days are too few for a bound."""

    sessions: int
    trades: int
    sharpe: float | None
    sharpe_se: float | None
    wins: int
    hit_rate_bound: float | None
    stressed_bp: float | None
    stressed_bound: float | None
    break_even: float | None

    @property
    def hit_rate(self) -> float | None:
        """Share of trades that won, to be shown; whole numbers are judged."""
        return round(self.wins / self.trades, DECIMALS) if self.trades else None


def evidence(span: Span, whitelist: Sequence[str], params: GatesParams) -> Evidence:
    """The holdout's evidence on the book of the whitelist."""
    traded, capital = span.trades.height > 0, max(len(whitelist), 1)
    stated = book_of(span.trades, span.calendar)
    stressed = book_of(repriced(span.trades, STRESS), span.calendar)
    figures = kpis(stated, span.calendar, capital)
    wins, trades = _wins_and_trades(span)
    net_bp = stressed.net_bp(capital)
    weights = _draws(net_bp, params) if traded else None
    return Evidence(
        sessions=span.calendar.height,
        trades=span.trades.height,
        sharpe=figures["sharpe"],
        sharpe_se=figures["sharpe_se"],
        wins=stated.wins,
        hit_rate_bound=None if weights is None else _lower(ratio(weights @ wins, weights @ trades), params),
        stressed_bp=kpis(stressed, span.calendar, capital)["net_bp"] if traded else None,
        stressed_bound=None if weights is None else _lower(weights @ net_bp, params),
        break_even=break_even(span),
    )


def _wins_and_trades(span: Span) -> tuple[Floats, Floats]:
    """Trades that won, and all trades, of each session."""
    by_day = span.trades.group_by("session").agg(won=(pl.col("net_bp") > 0).sum(), all=pl.len())
    days = span.calendar.select("session").join(by_day, on="session", how="left").sort("session").fill_null(0)
    return days["won"].cast(pl.Float64).to_numpy(), days["all"].cast(pl.Float64).to_numpy()


def _draws(daily: Floats, params: GatesParams) -> Floats | None:
    if len(daily) < params.min_ci_days:
        return None
    block_days = block_length(daily) if len(daily) >= params.block_bootstrap_days else 1
    return day_weights(len(daily), block_days, params.bootstrap_reps, params.bootstrap_seed)


def _lower(drawn: Floats, params: GatesParams) -> float | None:
    (bound,) = bounds(drawn, [1.0 - params.oos_sharpe_confidence])
    return round(float(bound), 6) if np.isfinite(bound) else None
