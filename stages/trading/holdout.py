"""The holdout: which parts are open for a strategy, and how good its forecasts are there.

The holdout is one part named `all`, or one part a month. Gates judge it as a whole, once every part is open.
As the record grows, its oldest holdout months join the search span; opening such a month has no effect.
*Errors*: `ConfigurationError` when `split.open_holdout` names another month that is not held out.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.errors import ConfigurationError, shorten
from stages.params.gates import GatesParams
from stages.trading.strategy import Strategy

if TYPE_CHECKING:
    from stages.scoring.metrics import PartScores, RunningScores

Document = dict[str, Any]
OpenFor = str | Mapping[str, str | None] | None
SHOWN = ("rmae", "coverage_50", "crps_skill")
NOT_BEGUN = "The holdout has not begun: no session with forecasts lies in it yet."


def open_parts(held: Mapping[str, int], open_for: OpenFor, name: str) -> list[str]:
    """The parts that `split.open_holdout` opens for strategy `name`; none of them is empty.

    `held` is the number of sessions of each part.
    """
    ids = dict.fromkeys(held, open_for) if open_for is None or isinstance(open_for, str) else open_for
    if unknown := sorted(part for part in set(ids) - set(held) if part > min(held)):
        raise ConfigurationError(
            f"split.open_holdout names {shorten(unknown)}, but split.holdout_months holds out {shorten(list(held))}: "
            "correct the month, or remove it."
        )
    return [part for part, sessions in held.items() if sessions and ids.get(part) == name]


def sealed_words(held: Mapping[str, int], opened: Mapping[str, object]) -> str | None:
    """Why the book is not judged on the holdout; None if it is open."""
    if not any(held.values()):
        return NOT_BEGUN
    closed = [part for part in held if part not in opened]
    if not closed:
        return None
    if not opened:
        return "The holdout is closed for this strategy."
    return f"Open: {shorten(list(opened))}; closed: {shorten(closed)}. The book is judged when every month is open."


def traded_kind(forecasts: pl.DataFrame, strategy: Strategy) -> pl.DataFrame:
    """The rows that judge this strategy: its symbols' forecasts of the kind it trades, with the benchmark."""
    kind = pl.col("method") == strategy.method, pl.col("history_days") == strategy.rules.history_days
    horizons = [
        (pl.col("symbol") == symbol) & (pl.col("horizon_min") == strategy.horizon_min(symbol))
        for symbol in strategy.whitelist
    ]
    return forecasts.filter(*kind, pl.any_horizontal(pl.lit(value=False), *horizons))


def traded_scores(forecasts: pl.DataFrame, strategy: Strategy) -> "PartScores | None":
    """Scores of the forecasts that symbols which may trade use; None if there is no such forecast."""
    from stages.scoring.metrics import pooled_scores  # a slow import that only an opened holdout needs

    traded = traded_kind(forecasts, strategy).filter(pl.col("symbol").is_in(strategy.trading))
    return pooled_scores(traded) if traded.height else None


def forecast_figures(scores: "RunningScores | None", params: GatesParams) -> list[Document]:
    """Quality of these forecasts, one entry a horizon, symbols pooled."""
    return [
        {name: entry[name] for name in ("horizon_min", "n", "n_days")}
        | {name: entry["metrics"][name]["calibrated"] for name in SHOWN}
        for entry in (scores.document(params)["pooled"] if scores else [])
    ]
