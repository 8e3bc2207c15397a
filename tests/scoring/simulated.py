"""Forecasts with known truth: y = mu + noise, the forecaster told mu and the noise's spread (times `spread`)."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
import polars as pl
import yaml
from scipy.stats import norm

from stages.calibration.methods import calibrate
from stages.params.calibration import CalibrationParams
from stages.params.gates import GatesParams
from stages.scoring.discoveries import Stated
from stages.tables.forecasts import LEVELS, QUANTILES, Scored
from tests.architecture.dependencies import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
GATES = GatesParams.model_validate(PARAMS["gates"] | {"bootstrap_reps": 200})  # fewer draws than a run takes
CALIBRATION = CalibrationParams.model_validate(PARAMS["calibration"])
NORMAL = norm.ppf(np.array(LEVELS) / 100)
SIGMA_5M = 15e-4
FIRST_DAY = date(2024, 1, 1)
METHOD = "identity"  # the calibration that is stated


def stated(*symbols: str, horizon_min: int = 10, method: str = METHOD) -> Stated:
    """A rule that trades these symbols by the simulated kind of forecast."""
    return Stated(40, method, dict.fromkeys(symbols, horizon_min))


@cache
def with_truth(
    n_days: int,
    *,
    symbols: tuple[str, ...] = ("A",),
    clocks: tuple[str, ...] = ("09:45", "10:30", "13:30", "14:45"),
    horizon_min: int = 10,
    r2: float = 0.0,
    spread: float = 1.0,
    seed: int = 1,
    models: tuple[str, ...] = ("asked", "persistence"),
) -> pl.DataFrame:
    """Quantiles beside outcomes, as `with_outcomes` leaves them; a share `r2` of the variance can be forecast."""
    rng = np.random.default_rng(seed)
    keys = [
        (symbol, FIRST_DAY + timedelta(days=d), clock) for symbol in symbols for d in range(n_days) for clock in clocks
    ]
    n, sd = len(keys), SIGMA_5M * 1e4 * np.sqrt(horizon_min / 5)
    mu = np.sqrt(r2) * sd * rng.standard_normal(n)
    y = mu + np.sqrt(1 - r2) * sd * rng.standard_normal(n)
    times = {clock: time.fromisoformat(clock) for clock in clocks}
    snapshots = [datetime.combine(day, times[clock], tzinfo=UTC) for _, day, clock in keys]
    about = {
        "symbol": [key[0] for key in keys],
        "session": [key[1] for key in keys],
        "snapshot_et": [key[2] for key in keys],
        "snapshot_utc": snapshots,
        "target_ts": [snapshot + timedelta(minutes=horizon_min) for snapshot in snapshots],
        "y_bp": y,
    }
    return pl.concat(
        _answers(about, model, *((np.zeros(n), sd) if model == "persistence" else (mu, sd * spread * np.sqrt(1 - r2))))
        for model in models
    ).with_columns(
        horizon_min=pl.lit(horizon_min, pl.Int32),
        history_days=pl.lit(40, pl.Int32),
        last=pl.lit(100.0),
        sigma_5m=pl.lit(SIGMA_5M),
        void=pl.lit(False),
        crossed=pl.lit(False),
        source=pl.lit("local:simulated"),
    )


def _answers(about: dict[str, object], model: str, middle: np.ndarray, sd: float) -> pl.DataFrame:
    key = pl.lit(None, pl.String) if model == "persistence" else pl.format("{}-{}", "symbol", "snapshot_utc")
    return pl.DataFrame(
        about | {name: middle + sd * z for name, z in zip(QUANTILES, NORMAL, strict=True)}
    ).with_columns(pl.col("snapshot_utc", "target_ts").cast(pl.Datetime("us", "UTC")), model=pl.lit(model), key=key)


def as_answered(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `Scored` under the method that changes nothing."""
    return Scored.of(calibrate(frame, CALIBRATION.model_copy(update={"methods": ("identity",)})).whole.rows)


def by_every_method(frame: pl.DataFrame, **changes: object) -> pl.DataFrame:
    """Rows of table `Scored` under all methods of params, with some params changed."""
    return Scored.of(calibrate(frame, CALIBRATION.model_copy(update=changes)).whole.rows)
