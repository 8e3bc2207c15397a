"""Params section `gates`: thresholds, and how much evidence a verdict needs."""

from typing import Annotated, Literal

from pydantic import Field

from stages.params.section import Closed, Section

Share = Annotated[float, Field(ge=0, le=1)]
Confidence = Annotated[float, Field(ge=0.5, lt=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class ChooseCalibration(Closed):
    """How a calibration method is proposed: lowest loss, or the simplest method within `within_se` standard errors."""

    by: Literal["crps_bp", "interval_score_50_bp", "interval_score_90_bp"]
    within_se: Annotated[float, Field(ge=0, le=1_000)]


class Fdr(Closed):
    """The share of the passing symbols that may be luck: `q`, by the method of Benjamini and Hochberg."""

    method: Literal["bh"]
    q: Annotated[float, Field(gt=0, lt=1)]


class GatesParams(Section, section="gates"):
    """Forecast gates judge cells on the search span, trading gates the opened holdout.

    `policy: ci` requires evidence in addition to the point estimate, `point` only compares values with thresholds.
    `coverage_rule` says which of the two errors about coverage is avoided. `worse_confidence` is the confidence at
    which a forecast counts as worse than persistence and FAILs, even before there is enough evidence for anything else
    (docs/EVALUATION.md).
    """

    policy: Literal["ci", "point"]
    inconclusive: Literal["fail", "warn"]
    rmae_lt: Annotated[float, Field(gt=0, le=1_000)]
    rrmse_lt: Annotated[float, Field(gt=0, le=1_000)]
    coverage_tol: Share
    coverage_rule: Literal["reject", "point", "equivalence"]
    skill_confidence: Confidence
    coverage_confidence: Confidence
    worse_confidence: Confidence
    fdr: Fdr | None
    min_forecast_days: Count
    min_forecast_outcomes: Count
    choose_calibration: ChooseCalibration
    shifted_oracle_rmae_gt: Annotated[float, Field(ge=0, le=1_000)]
    oos_sharpe_gte: Annotated[float, Field(ge=-1_000, le=1_000)]
    oos_sharpe_confidence: Confidence
    hit_rate_gte: Share
    pnl_at_1p5x_costs_gte: Annotated[float, Field(ge=-1_000_000_000, le=1_000_000_000)]
    min_trading_sessions: Count
    min_trades: Count
    min_ci_days: Annotated[int, Field(ge=2, le=1_000_000_000)]  # one day, and one draw, have no deviation
    block_bootstrap_days: Annotated[int, Field(ge=10, le=1_000_000_000)]
    bootstrap_reps: Annotated[int, Field(ge=2, le=100_000)]
    bootstrap_seed: Annotated[int, Field(ge=0, le=2**32 - 1)]


class StatedKind(Section, section="rules", partial=True):
    """The kind of forecast that the stated rule trades: all that stage `score_forecasts` declares of the section."""

    horizon_min: Count
    horizon_min_by_symbol: dict[str, Count]
    history_days: Count
