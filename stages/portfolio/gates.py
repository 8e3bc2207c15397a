"""Trading gates: what an opened holdout says of the book, judged.

Three figures of the book are judged: its Sharpe ratio, the share of trades that won, and its total with all costs half
as high again. With `gates.policy: ci` a figure needs enough sessions and trades to be judged at all, and the Sharpe
ratio needs its lower bound above 0 besides: significance is asked once, of the figure that holds the whole daily
record; the other two are judged at the point, their bounds are shown. `point` is the literal reading: value against
threshold, nothing else.

*Units*: Sharpe ratios are annual; totals in bp of the whole capital.
*Source*: Lo (2002) for the error of a Sharpe ratio; docs/EVALUATION.md for every rule.
"""

from math import ceil, sqrt

from scipy.special import bdtrc, ndtr, ndtri

from stages.backtesting.statistics import SESSIONS_PER_YEAR
from stages.portfolio.evidence import Evidence
from stages.scoring.params import GatesParams
from stages.scoring.verdict import Judgement, Verdict

POWER = 0.8
NO_TRADE = "There is no trade to judge."
SEALED_WORDS = "The holdout is closed for this strategy."
TRADING = ("oos_sharpe", "hit_rate", "pnl_at_1p5x")


def trading_gates(found: Evidence | None, params: GatesParams) -> dict[str, Judgement]:
    """The three judgements; all SEALED without evidence."""
    if found is None:
        thresholds = (params.oos_sharpe_gte, params.hit_rate_gte, params.pnl_at_1p5x_costs_gte)
        return {name: _sealed(threshold) for name, threshold in zip(TRADING, thresholds, strict=True)}
    return {
        "oos_sharpe": _sharpe(found, params),
        "hit_rate": _hit_rate(found, params),
        "pnl_at_1p5x": _stressed(found, params),
    }


def _sharpe(found: Evidence, params: GatesParams) -> Judgement:
    z = float(ndtri(params.oos_sharpe_confidence))
    threshold, value = params.oos_sharpe_gte, found.sharpe
    bound = None if value is None or found.sharpe_se is None else round(value - z * found.sharpe_se, 6)
    verdict = _against(value, threshold, found, params)
    if verdict is Verdict.PASS and params.policy == "ci" and (bound is None or bound <= 0):
        verdict = Verdict.INCONCLUSIVE
    words = _sharpe_words(found.sessions, threshold, z) if found.sessions else "There is no session to judge."
    return _judgement(verdict, (value, threshold, bound), found, words)


def _sharpe_words(sessions: int, threshold: float, z: float) -> str:
    se = sqrt(SESSIONS_PER_YEAR / sessions)
    hurdle = max(threshold, z * se)
    return (
        f"Over {sessions} sessions the standard error of a Sharpe ratio is about {se:.2f}: a book without skill "
        f"reaches {threshold:g} {ndtr(-threshold / se):.0%} of the time, and also has its lower bound above 0 "
        f"{ndtr(-hurdle / se):.0%} of the time; to pass both {POWER:.0%} of the time a book's true Sharpe ratio must "
        f"be {hurdle + ndtri(POWER) * se:.1f}."
    )


def _hit_rate(found: Evidence, params: GatesParams) -> Judgement:
    n, threshold = found.trades, params.hit_rate_gte
    verdict = _against(found.hit_rate, threshold, found, params)
    luck = float(bdtrc(ceil(threshold * n) - 1, n, 0.5)) if n else 0.0
    words = f"With {n} trades a fair coin reaches {threshold:g} {luck:.0%} of the time." if n else NO_TRADE
    return _judgement(verdict, (found.hit_rate, threshold, found.hit_rate_bound), found, words)


def _stressed(found: Evidence, params: GatesParams) -> Judgement:
    threshold = params.pnl_at_1p5x_costs_gte
    verdict = _against(found.stressed_bp, threshold, found, params)
    words = NO_TRADE if found.break_even is None else _break_even_words(found.break_even)
    return _judgement(verdict, (found.stressed_bp, threshold, found.stressed_bound), found, words)


def _break_even_words(multiple: float) -> str:
    if multiple <= 0:
        return "The trades lose even before costs."
    return f"The same trades break even at {multiple:.2f} times the stated costs."


def _against(value: float | None, threshold: float, found: Evidence, params: GatesParams) -> Verdict:
    too_few = found.sessions < params.min_trading_sessions or found.trades < params.min_trades
    if value is None or (params.policy == "ci" and too_few):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if value >= threshold else Verdict.FAIL


def _judgement(
    verdict: Verdict, figures: tuple[float | None, float, float | None], found: Evidence, words: str
) -> Judgement:
    value, threshold, bound = figures
    return Judgement(
        verdict=verdict,
        value=value,
        threshold=threshold,
        bound=bound,
        n=found.trades,
        n_days=found.sessions,
        words=words,
    )


def _sealed(threshold: float) -> Judgement:
    return Judgement(
        verdict=Verdict.SEALED, value=None, threshold=threshold, bound=None, n=0, n_days=0, words=SEALED_WORDS
    )
