"""What an oracle of the artificial market can know, worked out and measured on five simulated years."""

from datetime import date
from functools import cache
from math import sqrt

import numpy as np
import polars as pl
import pytest

from stages.sessions.calendar import minute_grid, snapshots, trading_calendar
from stages.sources.oracle import BP, move_and_noise, planted
from stages.sources.synthetic import PLANTS, synthetic_bars
from tests.sources.test_synthetic import PARAMS

CLOCKS = ("09:45", "10:30", "13:30", "14:45")
FIVE_YEARS = trading_calendar(date(2020, 1, 2), date(2024, 12, 31))
CALM = PARAMS.model_copy(update={"jumps_per_session": 0.0})
PULLED = CALM.model_copy(update={"plant": "ou", "amplitude_bp": {"STRONG": 20.0, "FACTOR": 0.0}})
COARSE = CALM.model_copy(update={"base_price": 10.0})  # a tick is 10 bp
MARKETS = {"wave": CALM, "ou": PULLED, "coarse": COARSE}


@cache
def bars_of(symbol: str, plant: str) -> pl.DataFrame:
    bars = synthetic_bars(symbol, MARKETS[plant], FIVE_YEARS).select("ts", "close")
    return minute_grid(FIVE_YEARS).join(bars, on="ts").with_columns(known_at=pl.col("ts") + pl.duration(minutes=1))


@cache
def answered(symbol: str, horizon_min: int, plant: str = "wave") -> pl.DataFrame:
    """The oracle's answers beside the outcomes of five years of snapshots, 10:30 on half days included."""
    asked = snapshots(FIVE_YEARS, CLOCKS).filter(pl.col("is_open") & (pl.col("minutes_to_close") >= horizon_min))
    asked = asked.with_columns(
        symbol=pl.lit(symbol),
        horizon_min=pl.lit(horizon_min, pl.Int32),
        target_ts=pl.col("snapshot_utc") + pl.duration(minutes=horizon_min),
    )
    bars = bars_of(symbol, plant)
    closes = bars.select("known_at", "close")
    asked = asked.join(closes.rename({"close": "last"}), left_on="snapshot_utc", right_on="known_at")
    return (
        asked.join(closes, left_on="target_ts", right_on="known_at")
        .with_columns(y_bp=1e4 * (pl.col("close") / pl.col("last")).log())
        .join(
            planted(asked, {symbol: bars}, MARKETS[plant]), on=["symbol", "snapshot_utc", "horizon_min"], validate="1:1"
        )
    )


def moves(minutes: list[int], horizon_min: int) -> np.ndarray:
    """What is planted of STRONG, from the end of each minute on."""
    path = PLANTS["wave"].path("STRONG", PARAMS, date(2024, 11, 22), 390)
    move, _, _ = move_and_noise("STRONG", PARAMS, path, np.array(minutes), np.full(len(minutes), horizon_min))
    return BP * move


def test_the_planted_move_is_the_one_worked_out_by_hand():
    """10:30 knows m0 = 59: 12 bp * (sin(2 pi 69/30 + phase) - sin(2 pi 59/30 + phase)) = 12 * sqrt(3) bp."""
    assert moves([59], 10) == pytest.approx([12 * sqrt(3)], abs=1e-9)


@pytest.mark.parametrize(("horizon_min", "height"), [(5, 10.392), (10, 20.785), (15, 20.785), (20, 10.392)])
def test_the_wave_helps_at_half_past_and_hurts_at_a_quarter_to(horizon_min, height):
    assert moves([14, 59, 239, 314], horizon_min) == pytest.approx([-height, height, height, -height], abs=1e-3)


# a market of many sessions each: the others at length
@pytest.mark.parametrize(
    ("symbol", "horizon_min"),
    [("WEAK", 10), *(pytest.param("STRONG", horizon, marks=pytest.mark.journey) for horizon in (5, 10, 20))],
)
def test_an_oracle_errs_at_each_clock_time_as_much_as_the_closed_form_says(symbol, horizon_min):
    # 1,250 outcomes a clock time; days share a persistent volatility, so the two means move together by some 4 %.
    rows = answered(symbol, horizon_min)
    by_clock = rows.group_by("snapshot_et").agg(
        measured=(pl.col("y_bp") - pl.col("planted_bp")).abs().sum() / pl.col("y_bp").abs().sum(),
        worked_out=pl.col("oracle_mae_bp").sum() / pl.col("persistence_mae_bp").sum(),
        size=pl.col("y_bp").abs().mean() / pl.col("persistence_mae_bp").mean(),
    )

    assert by_clock.height == len(CLOCKS)
    assert by_clock["measured"].to_numpy() == pytest.approx(by_clock["worked_out"].to_numpy(), abs=0.04)
    assert by_clock["size"].to_numpy() == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("symbol", ["STRONG", "WEAK"])
def test_the_default_gate_is_within_the_oracles_reach_where_something_is_planted(symbol):
    rows = answered(symbol, 10)

    assert rows["oracle_mae_bp"].sum() / rows["persistence_mae_bp"].sum() < 0.85


@pytest.mark.journey  # a thousand sessions are drawn
def test_of_what_is_pulled_back_even_the_oracle_knows_little_more_than_the_default_gate_asks():
    rows = answered("STRONG", 10, "ou")
    gain = (rows["y_bp"].abs() - (rows["y_bp"] - rows["planted_bp"]).abs()) / rows["y_bp"].abs().mean()
    worked_out = rows["oracle_mae_bp"].sum() / rows["persistence_mae_bp"].sum()
    measured = (rows["y_bp"] - rows["planted_bp"]).abs().sum() / rows["y_bp"].abs().sum()

    assert measured == pytest.approx(worked_out, abs=3 * gain.std() / sqrt(rows.height))
    assert 0.90 < worked_out < 0.95


def test_where_ticks_are_coarse_the_median_is_the_planted_move_to_a_tick():
    """Of 10 bp ticks and moves of one minute: to stand still is better than a move of less than half a tick."""
    rows = answered("STRONG", 1, "coarse")
    ticks = rows["last"] * (rows["on_tick_bp"] / BP).exp() / 0.01
    assert (ticks - ticks.round()).abs().max() < 1e-5
    wanted = (rows["last"] * (rows["planted_bp"] / BP).exp() / 0.01).round()
    assert (ticks.round() == wanted).all()
    errors = {name: (rows["y_bp"] - rows[name]).abs().mean() for name in ("planted_bp", "on_tick_bp")}
    still = rows["y_bp"].abs().mean()
    assert errors["on_tick_bp"] <= still < errors["planted_bp"]


@pytest.mark.journey  # a market of many sessions
def test_of_a_pure_random_walk_the_oracle_knows_nothing():
    rows = answered("NULL", 10)
    outcome = rows["y_bp"].to_numpy()

    assert (rows["planted_bp"] == 0).all()
    assert rows["oracle_mae_bp"].equals(rows["persistence_mae_bp"])
    assert abs(outcome.mean()) < 3 * outcome.std() / sqrt(len(outcome))


def test_no_forecaster_can_expect_less_than_the_oracle():
    rng = np.random.default_rng(2)
    rows = answered("STRONG", 10)
    best = (rows["y_bp"] - rows["planted_bp"]).abs().mean()

    for shift in rng.normal(0, 10, 5):
        assert (rows["y_bp"] - rows["planted_bp"] - shift).abs().mean() > best
