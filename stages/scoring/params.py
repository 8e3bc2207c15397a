"""Params section `gates`: thresholds, and how much evidence a verdict needs."""

from typing import Annotated, Literal

from pydantic import Field

from stages.tables.section import Section

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class GatesParams(Section):
    """Forecast gates judge cells on the search span, trading gates the opened holdout.

    `policy: ci` wants evidence beside the point estimate, `point` reads the thresholds literally; `coverage_rule` says
    which of the two errors about coverage is guarded (docs/EVALUATION.md).
    """

    section = "gates"

    policy: Literal["ci", "point"]
    inconclusive: Literal["fail", "warn"]
    rmae_lt: Annotated[float, Field(gt=0)]
    rrmse_lt: Annotated[float, Field(gt=0)]
    coverage_tol: Share
    coverage_rule: Literal["reject", "point", "equivalence"]
    skill_confidence: Share
    coverage_confidence: Share
    min_forecast_days: Count
    min_forecast_outcomes: Count
    shifted_oracle_rmae_gt: Annotated[float, Field(ge=0)]
    oos_sharpe_gte: float
    oos_sharpe_confidence: Share
    hit_rate_gte: Share
    pnl_at_1p5x_costs_gte: float
    min_trading_sessions: Count
    min_trades: Count
    min_ci_days: Count
    block_bootstrap_days: Count
    bootstrap_reps: Count
    bootstrap_seed: Annotated[int, Field(ge=0)]
