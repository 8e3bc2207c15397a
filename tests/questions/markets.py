"""Small markets for tests: bars, features and verdicts that fit together."""

from datetime import date
from typing import Any

import polars as pl

from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.params.features import FeaturesParams
from stages.params.model_spec import ModelSpec
from stages.params.quality import QualityParams
from stages.params.requests import RequestsParams
from stages.questions.market import Market
from stages.questions.question import Question
from stages.questions.schedule import plan_questions
from tests.features.made_bars import features_params, random_bars, section, usable_of

QUALITY = QualityParams.model_validate(section("quality"))
FEATURES = features_params(sigma_window_min=5, sigma_min_obs=2, required=[])


def market_of(
    bars: dict[str, pl.DataFrame],
    calendar: pl.DataFrame,
    usable: dict[str, tuple[date, ...]] | None = None,
    params: FeaturesParams = FEATURES,
) -> Market:
    """Bars with the features that belong to them."""
    usable = usable or usable_of(calendar, *bars)
    return Market(bars, build_features(bars, usable, calendar, params, Context()), usable, calendar)


def random_market(calendar: pl.DataFrame, *symbols: str, seed: int = 0) -> Market:
    """A random walk each."""
    return market_of({symbol: random_bars(calendar, seed + sum(map(ord, symbol))) for symbol in symbols}, calendar)


def requests_params(**changes: Any) -> RequestsParams:
    """The committed section `requests` cut to a short history and horizon, on the clock of all earlier questions."""
    short = {"clock": "artificial", "history_days": [2], "horizons_min": [5, 10], "snapshots_et": ["09:45", "10:00"]}
    return RequestsParams.model_validate(section("requests") | short | changes)


def model_spec(**changes: Any) -> ModelSpec:
    """A model that sends everything."""
    return ModelSpec(
        **{"model": "made", "model_epoch": "1", "deployment": "local", "min_rows": 1, "options": {"a": 1}} | changes
    )


def plan(market: Market, *, who: ModelSpec | None = None, **changes: Any) -> tuple[pl.DataFrame, list[Question]]:
    """`plan_questions` for every symbol of the market."""
    return plan_questions(market, tuple(market.bars), requests_params(**changes), who or model_spec(), QUALITY)


def keys(market: Market, **changes: Any) -> set[str]:
    """The keys that are asked."""
    return {question.key for question in plan(market, **changes)[1]}
