"""Luck: forecasts put to other dates keep everything but their match with outcomes, and then nothing passes."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stages.scoring.discoveries import Stated
from stages.scoring.gates import forecast_gates
from stages.scoring.metrics import score
from stages.tables.forecasts import Scored
from stages.tables.market import Bars
from stages.trading.book import SpanInputs
from stages.trading.luck import LEVELS, Passed, at_other_dates, luck, replay, traded_kind
from stages.trading.strategy import Strategy, eligible_cells
from tests.scoring.simulated import FIRST_DAY, as_answered, by_every_method, with_truth
from tests.trading.books import HISTORY, HORIZON, METHOD, WHITELIST, calendar, gates, session, strategy
from tests.trading.made_markets import bars

MODEL = {"models": ("seasonal", "persistence")}


def two_instants() -> pl.DataFrame:
    """One symbol; a calm instant and one with three times the volatility."""
    rows = as_answered(with_truth(1, clocks=("09:45", "10:30"), models=("seasonal",)))
    calm_first = pl.when(pl.col("snapshot_et") == "09:45")
    said = [calm_first.then(1.0 + n).otherwise(20.0 + n).alias(name) for n, name in enumerate(LEVELS)]
    return Scored.of(rows.with_columns(*said, sigma_5m=calm_first.then(0.001).otherwise(0.003)))


def seed_that_swaps() -> int:
    """Of two instants half of all seeds exchange them."""
    frame = two_instants()
    return next(seed for seed in range(20) if at_other_dates(frame, seed)["q05"][0] != frame["q05"][0])


def test_of_two_instants_exchanged_each_gets_the_others_forecast_in_units_of_its_own_volatility():
    frame = two_instants()
    other = at_other_dates(frame, seed_that_swaps())
    for name in LEVELS:
        early, late = frame[name]
        assert other[name].to_list() == [round(late / 3, 6), early * 3]
    kept = [name for name in frame.columns if name not in LEVELS]
    assert_frame_equal(other.select(kept), frame.select(kept))


def test_outcomes_stay_and_every_forecast_is_used_once():
    frame = by_every_method(with_truth(12, symbols=("A", "B"), r2=0.3))
    other = at_other_dates(frame, 7)
    untouched = ["symbol", "snapshot_utc", "method", "model", "y_bp", "void", "last", "sigma_5m", "n_cal"]
    key = ["symbol", "snapshot_utc", "method", "model"]
    assert_frame_equal(other.select(untouched).sort(key), frame.select(untouched).sort(key))
    of = ["symbol", "method", "model", *LEVELS, "calibrated"]
    assert_frame_equal(other.select(of).sort(of), frame.select(of).sort(of))
    assert other["q50"].to_list() != frame["q50"].to_list()


def test_all_forecasts_of_one_instant_move_together():
    frame = by_every_method(with_truth(12, r2=0.3)).with_columns(said_at=pl.col("snapshot_utc").dt.epoch("ms") / 1e6)
    stamped = frame.with_columns(pl.col("said_at").alias(name) for name in LEVELS).drop("said_at")
    moved = at_other_dates(stamped, 3).group_by("symbol", "snapshot_utc").agg(pl.col(LEVELS).n_unique())
    assert moved.select(pl.max_horizontal(LEVELS).max()).item() == 1


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    frame = by_every_method(with_truth(12, r2=0.3))
    assert_frame_equal(at_other_dates(frame, 1), at_other_dates(frame.reverse(), 1))
    assert not at_other_dates(frame, 1).equals(at_other_dates(frame, 2))


def skilled(n_days: int, r2: float) -> tuple[SpanInputs, Strategy]:
    """Forecasts that know a share of the variance, of every symbol of the whitelist; no bar to trade on."""
    frame = with_truth(n_days, symbols=WHITELIST, horizon_min=HORIZON, r2=r2, **MODEL)
    rows = as_answered(frame).with_columns(method=pl.lit(METHOD), history_days=pl.lit(HISTORY, pl.Int32))
    without = {symbol: Bars.create_empty() for symbol in WHITELIST}
    return SpanInputs(without, Scored.of(rows), calendar(30)), strategy()


def forecast_passes(forecasts: pl.DataFrame, rule: Strategy) -> bool:
    """Whether some symbol passes its forecast gates."""
    metrics = score([traded_kind(forecasts, rule)], gates(), METHOD)
    stated = Stated(HISTORY, METHOD, dict.fromkeys(WHITELIST, HORIZON))
    return bool(eligible_cells(forecast_gates(metrics, {"verdict": "PASS"}, gates(), stated)))


def test_skill_passes_its_gates_and_the_same_forecasts_at_other_dates_do_not():
    inputs, rule = skilled(60, r2=0.4)
    assert forecast_passes(inputs.forecasts, rule)
    assert not any(forecast_passes(at_other_dates(inputs.forecasts, seed), rule) for seed in range(5))


def test_only_the_traded_kind_of_forecast_is_judged():
    inputs, rule = skilled(2, r2=0.0)
    others = [
        inputs.forecasts.with_columns(horizon_min=pl.lit(HORIZON + 5, pl.Int32)),
        inputs.forecasts.with_columns(method=pl.lit("other")),
        inputs.forecasts.with_columns(symbol=pl.lit("STRANGER")),
        inputs.forecasts.with_columns(history_days=pl.lit(HISTORY + 1, pl.Int32)),
    ]
    everything = pl.concat([inputs.forecasts, *others])
    assert_frame_equal(traded_kind(everything, rule), inputs.forecasts)


def test_a_span_without_forecasts_passes_nothing():
    without = {symbol: Bars.create_empty() for symbol in WHITELIST}
    empty = SpanInputs(without, Scored.create_empty(), calendar(30))
    assert replay(empty, strategy(), gates()) == Passed(forecast=False, trading=False, verdict=False, fdr=False)


def test_the_share_has_the_exact_interval_of_clopper_and_pearson():
    """None of 100: 1 - 0.025^(1/100) = 3.62 %. Five of 100: 1.64 to 11.28 % (Clopper and Pearson's published chart)."""
    never, seldom = Passed(False, False, False), Passed(True, False, False)
    none = luck([never] * 100)["forecast"]
    assert none["ci"] == pytest.approx([0.0, 1 - 0.025**0.01], abs=1e-6)
    five = luck([never] * 95 + [seldom] * 5)
    assert (five["forecast"]["passed"], five["forecast"]["n"], five["forecast"]["share"]) == (5, 100, 0.05)
    assert five["forecast"]["ci"] == pytest.approx([0.0164, 0.1128], abs=1e-4)
    assert five["trading"]["passed"] == five["verdict"]["passed"] == 0
    assert luck([never] * 3)["forecast"]["ci"] == [0.0, 0.707598], "1 - 0.025^(1/3), in six decimals"
    assert luck([seldom, never, never])["forecast"]["share"] == 0.333333


def test_the_rate_of_false_discoveries_is_reported_where_there_is_such_a_gate():
    replays = [Passed(False, False, False, fdr=k < 1) for k in range(20)]
    rate = luck(replays)["fdr"]
    assert (rate["passed"], rate["n"]) == (1, 20)
    assert rate["ci"] == pytest.approx([0.0013, 0.2487], abs=1e-4)  # Clopper and Pearson's published chart
    assert "fdr" not in luck([Passed(False, False, False)] * 20)


def test_a_replay_judges_the_whitelist_together():
    inputs, rule = skilled(60, r2=0.4)
    later = timedelta(days=(session(0) - FIRST_DAY).days, hours=5)  # into the calendar's days and hours
    moved = inputs.forecasts.with_columns(pl.col("session", "snapshot_utc", "target_ts") + later)
    flat = dict.fromkeys(WHITELIST, bars(session(0), np.full((390, 4), 200.0)))
    for forecasts, passes in ((moved, True), (at_other_dates(moved, 1), False)):
        span = SpanInputs(flat, Scored.of(forecasts), calendar(60))
        found = replay(span, rule, gates())
        assert (found.forecast, found.trading, found.verdict, found.fdr) == (passes, False, False, passes)  # no trade
        assert replay(span, rule, gates(fdr=None)).fdr is None


@pytest.mark.parametrize("own", [dict.fromkeys(WHITELIST, HORIZON), {WHITELIST[0]: HORIZON, "OFF THE LIST": HORIZON}])
def test_a_replay_trades_symbols_by_their_own_horizons(own):
    """Nobody trades `rules.horizon_min`, or a symbol off the whitelist has a horizon: only traded kinds are there."""
    inputs, rule = skilled(60, r2=0.4)
    stated = rule.with_rules(horizon_min=HORIZON if "OFF THE LIST" in own else HORIZON + 5, horizon_min_by_symbol=own)
    flat = {symbol: bars(session(0), np.full((390, 4), 200.0)) for symbol in WHITELIST}
    later = timedelta(days=(session(0) - FIRST_DAY).days, hours=5)
    moved = inputs.forecasts.with_columns(pl.col("session", "snapshot_utc", "target_ts") + later)
    span = SpanInputs(flat, traded_kind(Scored.of(moved), stated), calendar(60))
    assert replay(span, stated, gates()) == replay(span, rule, gates())
    assert replay(span, stated, gates()).forecast
