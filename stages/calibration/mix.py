"""The best free forecast without look-ahead: candidates averaged, weighted by their losses of earlier days.

Per horizon and day, the weight of a candidate is `prior * exp(-eta * sum of its losses on earlier days)`. A loss is the
mean pinball loss over the levels, relative to the expected loss of a normal forecast as wide as the candidates' mean,
averaged over the day's questions of all symbols; so it is about 1. Quantiles are averaged level by level.

The asked forecaster is not part of the mix, or it would be compared with itself.

*Tables*: `Quantiles` of free forecasts with outcomes, one row a question and candidate -> the same of model
`free:free_mix`, and `FreeWeights`.
*Shapes*: quantiles (questions, candidates, levels); losses and weights (days, candidates).
*Units*: bp; losses and weights are numbers.
*Time*: the weights of a day use outcomes of earlier sessions only, those of the warm-up included. Sums run forward in
time, so another future changes no bit of them.
*Errors*: `DataContractError` when a candidate did not answer a question that another one answered.
*Source*: the exponentially weighted average forecaster, Cesa-Bianchi and Lugosi (2006), Prediction, Learning, and
Games, chapter 2.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stages.calibration.methods import Calibration, calibrate, in_order
from stages.calibration.past import NEVER, Floats, Ints
from stages.errors import DataContractError
from stages.params.calibration import CalibrationParams
from stages.tables.contract import UTC_MICROSECONDS
from stages.tables.forecasts import FREE, FREE_MIX, LEVELS, LOCAL, QUANTILES

PRIOR, PRIOR_OF_OTHERS = {"ewma_fhs": 0.4, "har": 0.4}, 0.1  # before any outcome; scaled to a sum of 1
LOSS_PER_WIDTH = 0.0755  # of a normal forecast: its expected mean pinball loss per distance from q05 to q95
QUESTION = ["symbol", "snapshot_utc", "horizon_min"]
SNAPSHOT = ["symbol", "snapshot_utc"]


def calibrated_free(
    free: pl.DataFrame, forecasts: pl.DataFrame, params: CalibrationParams, asked: str, eta: float
) -> tuple[Calibration, pl.DataFrame]:
    """Candidates and their mix by the stated method, at the snapshots of `forecasts` only; and the weights.

    Their keys are null, since a free forecast is not an answer of the asked forecaster.
    """
    free = free.with_columns(key=pl.lit(None, pl.String))
    mixed, weights = free_mix(free, asked, eta)
    every = pl.concat([free.select(mixed.columns), mixed]).sort(*QUESTION, "model")
    rows = every.join(forecasts.select(SNAPSHOT), on=SNAPSHOT, how="semi", maintain_order="left")
    return calibrate(rows, params.model_copy(update={"methods": (params.method,)})), weights


def free_mix(free: pl.DataFrame, asked: str, eta: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The mix of the candidates other than `asked`, and the weights of every session and horizon."""
    members = sorted(set(free["model"]) - {f"{FREE}{asked}"})
    rows = free.filter(pl.col("model").is_in(members)).sort("horizon_min", *SNAPSHOT, "model")
    parts = [_mixed(part, members, eta) for part in rows.partition_by("horizon_min", maintain_order=True)]
    mixed, weights = (pl.concat(frames) for frames in zip(*parts, strict=True))
    return mixed, weights


def weights_by_day(losses: Floats, prior: Floats, eta: float) -> Floats:
    """Weights before each day's losses are known; the first are the prior, and every row adds up to 1."""
    before = np.vstack([np.zeros_like(prior), np.cumsum(losses, axis=0)[:-1]])
    logs = np.log(prior) - eta * before
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights: Floats = odds / odds.sum(axis=1, keepdims=True)
    return weights


def relative_losses(q: Floats, y: Floats) -> Floats:
    """The loss of each question and candidate, about 1; NaN if void, or if no candidate has a width."""
    levels = np.array(LEVELS) / 100
    error = y[:, None, None] - q
    pinball = np.maximum(levels * error, (levels - 1) * error).mean(axis=2)
    width = (q[:, :, -1] - q[:, :, 0]).mean(axis=1, keepdims=True)
    relative: Floats = np.divide(pinball, LOSS_PER_WIDTH * width, out=np.full_like(pinball, np.nan), where=width > 0)
    return relative


def _mixed(rows: pl.DataFrame, members: list[str], eta: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The mix at one horizon, and its weights. Rows are sorted by question and model."""
    questions = rows.filter(model=members[0])
    if rows["model"].to_list() != members * questions.height:
        raise DataContractError(
            f"the free forecasters {members} did not answer the same questions: run `dvc repro -f forecast_free`."
        )
    q = in_order(rows.select(QUANTILES).to_numpy()).reshape(questions.height, len(members), len(QUANTILES))
    losses = relative_losses(q, questions["y_bp"].to_numpy())
    scored = ~np.isnan(losses[:, 0])
    sessions = questions["session"].unique().sort()
    day = sessions.search_sorted(questions["session"]).to_numpy().astype(np.int64)

    prior = np.array([PRIOR.get(name.removeprefix(FREE), PRIOR_OF_OTHERS) for name in members])
    weights = weights_by_day(_daily(losses[scored], day[scored], len(sessions)), prior / prior.sum(), eta)
    average = (weights[day][:, :, None] * q).sum(axis=1)  # sorted, since every candidate is
    mixed = questions.select(
        pl.exclude(*QUANTILES, "model", "source", "crossed", "^.*_px$"),
        *(pl.Series(name, average[:, level]) for level, name in enumerate(QUANTILES)),
        model=pl.lit(FREE_MIX),
        source=pl.lit(f"{LOCAL}{FREE_MIX.removeprefix(FREE)}"),
        crossed=pl.lit(False),
    )
    return mixed, _table(questions, sessions, members, weights, _last_before(questions, scored, day, len(sessions)))


def _daily(losses: Floats, day: Ints, n_days: int) -> Floats:
    """Mean losses of each day, 0 on a day without any; questions are summed in their order."""
    count = np.maximum(np.bincount(day, minlength=n_days), 1)
    return np.stack([np.bincount(day, weights=one, minlength=n_days) / count for one in losses.T], axis=1)


def _last_before(questions: pl.DataFrame, scored: NDArray[np.bool_], day: Ints, n_days: int) -> Ints:
    """When the last outcome of earlier days was known, in microseconds."""
    latest = np.full(n_days + 1, NEVER)
    np.maximum.at(latest, day[scored] + 1, questions["target_ts"].to_physical().to_numpy()[scored])
    return np.maximum.accumulate(latest)[:-1]


def _table(
    questions: pl.DataFrame, sessions: pl.Series, members: list[str], weights: Floats, last: Ints
) -> pl.DataFrame:
    """Rows of `FreeWeights` at one horizon."""
    n = len(members)
    return pl.DataFrame(
        {
            "session": sessions.to_list() * n,
            "model": [name for name in members for _ in sessions],
            "weight": weights.T.ravel(),
            "last_outcome_used_utc": pl.Series(list(last) * n, dtype=pl.Int64)
            .replace(NEVER, None)
            .cast(UTC_MICROSECONDS),
        }
    ).with_columns(horizon_min=pl.lit(questions["horizon_min"][0], pl.Int32))
