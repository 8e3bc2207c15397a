"""The pipeline from delivered bars to decisions as functions, and what each stage knew at which instant.

*Tables*: `Known`, one a stage: a key, `known_at`, and every column that must not depend on the future.
*Time*: a bar and its features are known at the bar's `known_at`; a question, its answer and its correction at the
snapshot; weights of free forecasts at the first snapshot of their session; a verdict on a session, an offset and an
outcome once the session is over; a decision after the last bar at which its order could have been filled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from stages.audit.world import World
from stages.errors import DataContractError
from stages.quality.gate import Checked
from stages.quality.verdicts import HardFailure
from stages.questions.market import Market
from stages.questions.question import Question
from stages.tables.forecasts import OFFSETS
from stages.tables.market import EVERYBODY

Frames = Mapping[str, pl.DataFrame]
Usable = Mapping[str, tuple[date, ...]]
BAR = ("symbol", "ts")
OUTCOME = ["y_bp", "void"]
FORECAST = ["symbol", "snapshot_utc", "horizon_min", "history_days", "model"]
ASKED = ["symbol", "snapshot_utc", "history_days"]
GROUP = ["symbol", "group", "model", "history_days", "horizon_min", "method", "session"]
WEIGHT = ["session", "horizon_min", "model"]
CORRECTED = [*FORECAST, "method"]
DECIDED = [*CORRECTED, "decision", "ev_bp", "cost_bp"]


@dataclass(frozen=True)
class Replay:
    """Each stage as a function with its params; a decision is known `wait_min` minutes after its snapshot."""

    check: Callable[[Frames], Mapping[str, Checked]]
    build: Callable[[Frames, Usable, pl.DataFrame], Frames]
    plan: Callable[[Market], tuple[pl.DataFrame, list[Question]]]
    answer: Callable[[pl.DataFrame, list[Question], Market], pl.DataFrame]
    answer_free: Callable[[pl.DataFrame, Market], pl.DataFrame]
    correct: Callable[[pl.DataFrame, Frames, Usable], tuple[pl.DataFrame, pl.DataFrame]]
    mix: Callable[[pl.DataFrame, pl.DataFrame, Frames, Usable], tuple[pl.DataFrame, pl.DataFrame]]
    decide: Callable[[Frames, pl.DataFrame], pl.DataFrame]
    calendar: pl.DataFrame
    wait_min: int


@dataclass(frozen=True)
class Known:
    """Rows of one stage with the instant at which each was known; `stage` is its name in `dvc.yaml`."""

    stage: str
    key: tuple[str, ...]
    rows: pl.DataFrame


def run(replay: Replay, world: World, until: datetime | None = None) -> list[Known]:
    """Everything the pipeline knew in this world, stage by stage; free forecasts only `until` an instant, if given."""
    checked = replay.check(world.bars)
    for symbol, check in checked.items():
        if check.failure is not None and not (until and _not_yet_listed(world.bars[symbol], check.failure)):
            raise DataContractError(f"{symbol}, check {check.failure.check}: {check.failure.detail}")
    bars = {symbol: check.bars for symbol, check in checked.items()}
    days = stacked({symbol: check.days for symbol, check in checked.items()}).select(
        "symbol", "session", dropped=pl.col("verdict") == "fail"
    )
    usable = {
        symbol: tuple(check.days.filter(pl.col("verdict") != "fail")["session"].sort())
        for symbol, check in checked.items()
    }
    features = replay.build(bars, usable, world.events)
    halts = {symbol: check.halts for symbol, check in checked.items()}
    market = Market(bars=bars, features=features, usable=usable, calendar=replay.calendar, halts=halts)
    schedule, questions = replay.plan(market)
    quantiles = replay.answer(schedule, questions, market)
    past = schedule if until is None else schedule.filter(pl.col("snapshot_utc") <= until)
    free_quantiles = replay.answer_free(past, market)
    calibrated, offsets = replay.correct(quantiles, bars, usable)
    free, weights = replay.mix(free_quantiles, quantiles, bars, usable)
    signals = replay.decide(bars, calibrated)

    at_snapshot, over = pl.col("snapshot_utc"), replay.calendar.select("session", known_at="close_utc")
    first_asked = free_quantiles.group_by("session").agg(known_at=pl.col("snapshot_utc").min())
    outcomes = calibrated.select("symbol", "snapshot_utc", "horizon_min", "session", *OUTCOME).unique()
    return [
        bars_known(checked),
        Known("check_data", ("symbol", "session"), days.join(over, on="session")),
        Known("build_features", BAR, stacked(features)),
        _known("build_requests", ASKED, schedule.with_columns(known_at=at_snapshot)),
        _known("forecast", FORECAST, quantiles.with_columns(known_at=at_snapshot)),
        _known("forecast_free", FORECAST, free_quantiles.with_columns(known_at=at_snapshot)),
        _known("calibrate", GROUP, offsets.select(*GROUP, *OFFSETS, "n_cal").join(over, on="session")),
        _known("calibrate", CORRECTED, calibrated.drop(OUTCOME).with_columns(known_at=at_snapshot)),
        _known("calibrate", WEIGHT, weights.join(first_asked, on="session").with_columns(symbol=pl.lit(EVERYBODY))),
        _known("calibrate", CORRECTED, free.drop(OUTCOME).with_columns(known_at=at_snapshot)),
        _known("calibrate", FORECAST[:3], outcomes.join(over, on="session")),
        _known("backtest", CORRECTED, signals.select(DECIDED).with_columns(
            known_at=at_snapshot + pl.duration(minutes=replay.wait_min))),
    ]  # fmt: skip


def _not_yet_listed(delivered: pl.DataFrame, failure: HardFailure) -> bool:
    """Whether the symbol has no row in any session so far: the gate's bars of it are the empty grid."""
    return delivered.is_empty() or failure.check == "TS7"


def bars_known(checked: Mapping[str, Checked]) -> Known:
    """The bars that the gate writes."""
    return Known("check_data", BAR, stacked({symbol: one.bars for symbol, one in checked.items()}))


def _known(stage: str, key: list[str], rows: pl.DataFrame) -> Known:
    return Known(stage, tuple(key), rows.sort(key))


def stacked(frames: Frames) -> pl.DataFrame:
    """Frames of all symbols as one, with a `symbol` column."""
    return pl.concat(frame.select(pl.lit(symbol).alias("symbol"), pl.all()) for symbol, frame in sorted(frames.items()))
