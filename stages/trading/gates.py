"""Trading gates: evidence from an opened holdout, with bootstrap bounds, and its judgement.

Three figures of the book are judged: its Sharpe ratio, the share of winning trades, and its total at 1.5 times the
costs. With `gates.policy: ci` a figure needs enough sessions and trades to be judged at all, and the Sharpe ratio also
needs a lower bound above 0. Significance is required once, of the figure that covers the whole daily record; the other
two are judged by their value, and their bounds are shown. `point` compares value and threshold only.

*Units*: Sharpe ratios are annual; totals in bp of the total capital.
*Time*: bounds are one-sided, at `gates.oos_sharpe_confidence`. There are none below `gates.min_ci_days` sessions, nor
for the share of winning trades where some draw of the days holds no trade, or all trades won or all lost.
*Source*: Lo (2002) for the error of a Sharpe ratio; docs/EVALUATION.md for every rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, sqrt
from typing import Any

import polars as pl
from scipy.special import bdtrc, ndtr, ndtri

from stages.errors import count
from stages.params.gates import GatesParams
from stages.scoring.figures import Floats, ratio
from stages.scoring.gates import POWER, unmet
from stages.scoring.inference import Judgement, Verdict, bounds
from stages.scoring.metric_entries import block_days, drawn_days, rounded
from stages.trading.book import Span, break_even, repriced
from stages.trading.performance import DECIMALS, MIN_SESSIONS, SESSIONS_PER_YEAR, book_of, kpis

STRESS = 1.5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The figures that trading gates judge; null where a figure is undefined or there are too few days for a bound."""

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
        """Share of trades that won, for display; the judgement compares counts."""
        return round(self.wins / self.trades, DECIMALS) if self.trades else None


def evidence(span: Span, trading: Sequence[str], params: GatesParams) -> Evidence:
    """The holdout's evidence on the book of the symbols that may trade."""
    traded, capital = span.trades.height > 0, max(len(trading), 1)
    stated, stressed = span.book, book_of(repriced(span.trades, STRESS), span.calendar)
    figures = kpis(stated, span.calendar, capital)
    wins, trades = _wins_and_trades(span)
    net_bp = stressed.net_bp(capital)
    weights = _draws(net_bp, params) if traded else None
    drawn = weights if 0 < stated.wins < span.trades.height else None  # else every draw has the same share
    return Evidence(
        sessions=span.calendar.height,
        trades=span.trades.height,
        sharpe=figures["sharpe"],
        sharpe_se=figures["sharpe_se"],
        wins=stated.wins,
        hit_rate_bound=None if drawn is None else _lower(ratio(drawn @ wins, drawn @ trades), params),
        stressed_bp=kpis(stressed, span.calendar, capital)["net_bp"] if traded else None,
        stressed_bound=None if weights is None else _lower(weights @ net_bp, params),
        break_even=break_even(stated),
    )


def _wins_and_trades(span: Span) -> tuple[Floats, Floats]:
    """Winning trades, and all trades, of each session."""
    by_day = span.trades.group_by("session").agg(won=(pl.col("net_bp") > 0).sum(), all=pl.len())
    days = span.calendar.select("session").join(by_day, on="session", how="left", maintain_order="left").fill_null(0)
    return days["won"].cast(pl.Float64).to_numpy(), days["all"].cast(pl.Float64).to_numpy()


def _draws(daily: Floats, params: GatesParams) -> Floats | None:
    (block,) = block_days(daily[None, None], params)
    return None if block is None else drawn_days(len(daily), block, params)


def _lower(drawn: Floats, params: GatesParams) -> float | None:
    (bound,) = bounds(drawn, [1.0 - params.oos_sharpe_confidence])
    return rounded(bound)


NO_TRADE = "There is no trade to judge."
NO_COSTS = "The trades cost nothing, so the result is the same at any multiple of the costs."
UNDEFINED = f"A Sharpe ratio needs at least {MIN_SESSIONS} sessions, and daily results that differ."
TRADING = ("oos_sharpe", "hit_rate", "pnl_at_1p5x")


def sealed_gates(words: str, params: GatesParams) -> dict[str, Judgement]:
    """The three judgements without evidence: SEALED; `words` is the reason."""
    thresholds = (params.oos_sharpe_gte, params.hit_rate_gte, params.pnl_at_1p5x_costs_gte)
    return {
        name: Judgement(verdict=Verdict.SEALED, value=None, threshold=threshold, words=words)
        for name, threshold in zip(TRADING, thresholds, strict=True)
    }


def trading_gates(holdout: Evidence, params: GatesParams) -> dict[str, Judgement]:
    """The three judgements of an opened holdout."""
    judged = {
        "oos_sharpe": _sharpe(holdout, params),
        "hit_rate": _hit_rate(holdout, params),
        "pnl_at_1p5x": _stressed(holdout, params),
    }
    if holdout.trades and (words := _too_few(holdout, params)):
        return {name: replace(gate, words=words) for name, gate in judged.items()}
    return judged


def _sharpe(holdout: Evidence, params: GatesParams) -> Judgement:
    z = float(ndtri(params.oos_sharpe_confidence))
    threshold, value = params.oos_sharpe_gte, holdout.sharpe
    bound = None if value is None or holdout.sharpe_se is None else round(value - z * holdout.sharpe_se, 6)
    verdict = _against(value, threshold, holdout, params)
    if verdict is Verdict.PASS and params.policy == "ci" and (bound is None or bound <= 0):
        verdict = Verdict.INCONCLUSIVE
    if not holdout.sessions:
        words = "There is no session to judge."
    else:
        words = UNDEFINED if value is None else _sharpe_words(holdout.sessions, threshold, z)
    return _judgement(holdout, verdict=verdict, value=value, threshold=threshold, bound=bound, words=words)


def _sharpe_words(sessions: int, threshold: float, z: float) -> str:
    se = sqrt(SESSIONS_PER_YEAR / sessions)
    hurdle = max(threshold, z * se)
    return (
        f"Over {sessions} sessions the standard error of a Sharpe ratio is about {se:.2f}: a book without skill "
        f"reaches {threshold:g} {_percent(ndtr(-threshold / se))} of the time, and also has its lower bound above 0 "
        f"{_percent(ndtr(-hurdle / se))} of the time; to pass both {_percent(POWER)} of the time a book's true Sharpe "
        f"ratio must be {hurdle + ndtri(POWER) * se:.1f}."
    )


def _hit_rate(holdout: Evidence, params: GatesParams) -> Judgement:
    n, threshold = holdout.trades, params.hit_rate_gte
    needed = ceil(Fraction(str(threshold)) * n)  # as written: in floats 0.07 x 100 is more than 7
    verdict = _against(holdout.wins if n else None, needed, holdout, params)
    words = NO_TRADE
    if n:
        luck = _percent(bdtrc(needed - 1, n, 0.5))
        words = f"With {count(n, 'trade')} a fair coin reaches {threshold:g} {luck} of the time."
    value, bound = holdout.hit_rate, holdout.hit_rate_bound
    return _judgement(holdout, verdict=verdict, value=value, threshold=threshold, bound=bound, words=words)


def _stressed(holdout: Evidence, params: GatesParams) -> Judgement:
    threshold = params.pnl_at_1p5x_costs_gte
    value, bound = holdout.stressed_bp, holdout.stressed_bound
    verdict = _against(value, threshold, holdout, params)
    words = _break_even_words(holdout.break_even) if holdout.trades else NO_TRADE
    return _judgement(holdout, verdict=verdict, value=value, threshold=threshold, bound=bound, words=words)


def _break_even_words(multiple: float | None) -> str:
    if multiple is None:
        return NO_COSTS
    if multiple < 0:
        return "The trades lose even before costs."
    return f"The same trades break even at {multiple:.2f} times the stated costs."


def _percent(share: float) -> str:
    """A probability as text; values near 0 or 1 are never shown as 0 % or 100 %."""
    percent = 100.0 * float(share)
    if not 0.1 <= percent <= 99.9:
        return "under 0.1 %" if percent < 50 else "over 99.9 %"
    return f"{percent:.0f} %" if 10 <= percent <= 99 else f"{percent:.1f} %"


def _against(value: float | None, threshold: float, holdout: Evidence, params: GatesParams) -> Verdict:
    if value is None or _too_few(holdout, params):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if value >= threshold else Verdict.FAIL


def _too_few(holdout: Evidence, params: GatesParams) -> str:
    """The unmet minima of `gates.policy: ci` in words; empty if all are met or the policy is `point`."""
    minima = {"min_trading_sessions": ("session", holdout.sessions), "min_trades": ("trade", holdout.trades)}
    lacking = unmet(minima, params)
    return f"Too little to judge: {lacking}." if lacking and params.policy == "ci" else ""


def _judgement(holdout: Evidence, **judged: Any) -> Judgement:
    return Judgement(n=holdout.trades, n_days=holdout.sessions, **judged)
