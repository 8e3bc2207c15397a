"""A key moves when something that can change the answer moves, and only then."""

from dataclasses import replace
from math import log

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.questions import market as market_module
from stages.questions.market import Market
from stages.questions.window import UNITS_PER_BP
from tests.features.made_bars import bars_of, features_params, made_calendar, random_bars, usable_of
from tests.questions.digests import digest_of
from tests.questions.markets import keys, market_of, model_spec, plan, random_market

CALENDAR = made_calendar(5, n_bars=60, half=(2,))
MARKET = random_market(CALENDAR, "A", "B")
ROWS = CALENDAR["n_bars"].sum()


def with_a_nudge(market: Market, symbol: str, row: int) -> Market:
    """The same bars, one close a tenth of a cent higher (and the open of the same bar, if it opens the session)."""
    up = pl.when(pl.int_range(pl.len()) == row).then(0.001).otherwise(0.0)
    nudged = market.bars[symbol].with_columns(pl.col("close") + up, pl.col("high") + up)
    return market_of({**market.bars, symbol: nudged}, CALENDAR)


@given(row=st.integers(0, ROWS - 1))
@settings(max_examples=8, deadline=None)
def test_a_revised_bar_moves_exactly_the_keys_whose_sent_values_hold_it(row):
    before = plan(MARKET)[1]
    after = {question.key for question in plan(with_a_nudge(MARKET, "A", row))[1]}
    ts = MARKET.bars["A"]["ts"][row]
    for question in before:
        # The close of the first row is where y begins: it shifts every y. Only a return that ends before it is unsent.
        holds = question.symbol == "A" and question.start_utc <= ts <= question.end_utc
        assert (question.key not in after) == holds


def test_the_opening_return_of_the_first_row_is_not_sent_and_moves_nothing():
    first = CALENDAR["session"][0]
    opens = (
        pl.when((pl.col("session") == first) & (pl.col("m") == 0)).then(pl.col("open") - 0.5).otherwise(pl.col("open"))
    )
    lowered = MARKET.bars["A"].with_columns(open=opens, low=pl.min_horizontal("low", opens))
    changed = market_of({**MARKET.bars, "A": lowered}, CALENDAR)
    starts_there = [question for question in plan(MARKET)[1] if question.start_utc.date() == first]
    assert starts_there
    assert {question.key for question in starts_there} <= keys(changed)
    for question in starts_there:  # whoever answers sees no more than the key covers
        assert changed.window(question).returns.tolist() == MARKET.window(question).returns.tolist()


def test_level_splits_and_nights_do_not_matter_because_only_moves_are_sent():
    halved = MARKET.bars["A"].with_columns(pl.col("open", "high", "low", "close") * 2.0)  # exact in binary
    assert keys(market_of({**MARKET.bars, "A": halved}, CALENDAR)) == keys(MARKET)


def test_neither_other_symbols_nor_their_order_move_a_key():
    alone = {question.key for question in plan(MARKET)[1] if question.symbol == "A"}
    assert keys(market_of({"A": MARKET.bars["A"]}, CALENDAR)) == alone
    assert keys(market_of(dict(reversed(MARKET.bars.items())), CALENDAR)) == keys(MARKET)


def test_neither_column_order_nor_chunks_nor_features_that_are_not_sent_move_a_key():
    shuffled = {s: pl.concat([f[:33], f[33:]], rechunk=False).select(sorted(f.columns)) for s, f in MARKET.bars.items()}
    fewer = features_params(names=["ret_1m", "sigma_5m"], sigma_window_min=9)
    assert keys(market_of(shuffled, CALENDAR, params=fewer)) == keys(MARKET)


def test_shorter_horizons_are_read_from_the_same_answer():
    assert keys(MARKET, horizons_min=[10]) == keys(MARKET, horizons_min=[2, 5, 10]) != keys(MARKET, horizons_min=[9])


def test_other_snapshots_spans_and_caps_ask_less_but_never_otherwise():
    everything = keys(MARKET)
    for fewer in ({"snapshots_et": ["09:45"]}, {"last_session": CALENDAR["session"][3]}, {"max_snapshots_per_day": 1}):
        assert keys(MARKET, **fewer) < everything


@pytest.mark.parametrize("name", ["model", "model_epoch", "deployment"])
def test_the_forecaster_is_part_of_every_key(name):
    assert keys(MARKET).isdisjoint(keys(MARKET, who=model_spec(**{name: "another"})))


def test_options_move_every_key_and_the_least_number_of_rows_none():
    assert keys(MARKET).isdisjoint(keys(MARKET, who=model_spec(options={"a": 2})))
    assert keys(MARKET, who=model_spec(min_rows=40)) == keys(MARKET)


def test_histories_that_send_the_same_rows_are_one_question():
    """Cut first, then hash: 3 * 20 + max(5, 10) = 70 rows are less than two sessions."""
    cut = model_spec(input_size=20, model_horizon=5)
    schedule, questions = plan(MARKET, who=cut, history_days=[2, 3])
    asked = schedule.filter(pl.col("status") == "ok", pl.col("snapshot_utc") >= max(q.snapshot_utc for q in questions))
    assert asked["rows_sent"].to_list() == [70] * 4
    assert asked.group_by("symbol").agg(pl.col("key").n_unique())["key"].to_list() == [1, 1]
    assert asked["history_first"].n_unique() == 1


def test_a_minute_without_a_known_return_counts_nothing():
    calendar = made_calendar(1, n_bars=5)
    bars = bars_of(calendar, [90.0, None, None, 101.0, 101.0 * 1.0001])
    returns = market_of({"A": bars}, calendar).series("A").returns
    assert returns.tolist() == [0, 0, 0, round(1e10 * log(101 / 90)), round(1e10 * log(1.0001))]


@pytest.mark.parametrize(("model_horizon", "rows", "days"), [(15, 75, 1), (16, 76, 2), (14, 74, 1)])
def test_a_cut_at_the_open_of_a_session_begins_with_that_session(model_horizon, rows, days):
    """3 * 20 rows and the model's horizon; 15 are of today, 60 of the session before."""
    row = plan(MARKET, who=model_spec(input_size=20, model_horizon=model_horizon))[0].filter(snapshot_et="09:45")[-1]
    sessions = CALENDAR["session"].to_list()
    assert row.select("rows_sent", "history_first").row(0) == (rows, sessions[-1 - days])


def test_history_that_is_not_sent_moves_nothing():
    cut = model_spec(input_size=1, model_horizon=1)  # 3 + 10 rows: less than today's 15 bars
    assert keys(with_a_nudge(MARKET, "A", 0), who=cut) == keys(MARKET, who=cut)
    assert all(question.start_utc.date() == question.end_utc.date() for question in plan(MARKET, who=cut)[1])


@given(
    seed=st.integers(0, 10_000),
    half=st.integers(0, 5),
    dropped=st.integers(0, 5),
    input_size=st.none() | st.integers(1, 60),
)
@settings(max_examples=8, deadline=None)
def test_the_fast_digest_is_the_digest_of_the_rows_sent(seed, half, dropped, input_size):
    calendar = made_calendar(6, n_bars=40, half=(half,))
    usable = tuple(day for k, day in enumerate(calendar["session"]) if k != dropped)
    market = market_of({"A": random_bars(calendar, seed)}, calendar, {"A": usable})
    who = model_spec(input_size=input_size, model_horizon=None if input_size is None else 3)
    for question in plan(market, who=who, history_days=[1, 2], max_lookback_ratio=2.0)[1]:
        rows = market.window(question)
        assert digest_of(rows) == question.y_sha256
        assert rows.rows == question.rows
        assert rows.ts_us[[0, -1]].tolist() == [
            int(at.timestamp()) * 10**6 for at in (question.start_utc, question.end_utc)
        ]
        assert (question.snapshot_utc - question.end_utc).total_seconds() == 60


EXOGENOUS = {"hist_exog": ["session_share", "ret_1m"], "futr_exog": ["minutes_to_close"]}


def test_exogenous_columns_are_sent_by_name_in_one_order_and_switch_trimming_off():
    cut = model_spec(input_size=20, model_horizon=5)
    asked = plan(MARKET, who=cut, **EXOGENOUS)[1]
    assert keys(MARKET, who=cut, hist_exog=["ret_1m", "session_share"], futr_exog=["minutes_to_close"]) == {
        q.key for q in asked
    }
    rows = MARKET.window(asked[0])
    assert asked[0].rows > 70
    assert rows.hist_exog.shape == (asked[0].rows, 3)
    returns = (
        (rows.hist_exog[1:, 0] * 1e4 * UNITS_PER_BP).round().astype(int)
    )  # sorted: ret_1m, session_share; then ahead
    assert abs(returns - rows.returns[1:]).max() <= 1
    assert (
        rows.hist_exog[-1, 2] + rows.minute[-1] + 1
        == CALENDAR.filter(pl.col("session") == asked[0].end_utc.date())["n_bars"][0]
    )


@pytest.mark.parametrize(
    ("columns", "rows"), [({}, 70), ({"hist_exog": ["session_share"]}, 105), ({"futr_exog": ["minutes_to_close"]}, 105)]
)
def test_a_column_of_either_kind_alone_switches_trimming_off(columns, rows):
    """3 * 20 + 10 rows of sessions of 30 and 60 minutes and the first 15 of today."""
    row = plan(MARKET, who=model_spec(input_size=20, model_horizon=5), **columns)[0].filter(snapshot_et="09:45")[-1]
    assert row.select("status", "rows_sent").row(0) == ("ok", rows)


def test_values_ahead_are_those_of_the_real_session_clock():
    question = plan(MARKET, **EXOGENOUS)[1][0]
    n_bars = CALENDAR.filter(pl.col("session") == question.end_utc.date())["n_bars"][0]
    m0 = MARKET.window(question).minute[-1]
    assert MARKET.window(question).futr_exog[:, 0].tolist() == [n_bars - 1 - (m0 + step) for step in range(1, 11)]


def test_a_changed_exogenous_value_moves_the_keys_that_send_it():
    """Volume is in no return, but in the VWAP."""
    params = features_params(names=["ret_1m", "sigma_5m", "vwap_30m"], sigma_window_min=5, sigma_min_obs=2)
    louder = MARKET.bars["A"].with_columns(
        volume=pl.col("volume") + (pl.int_range(pl.len()) == ROWS - 60).cast(pl.Float64)
    )
    before, after = (market_of({"A": bars}, CALENDAR, params=params) for bars in (MARKET.bars["A"], louder))
    assert keys(before) == keys(after)
    moved = {
        q.snapshot_utc.date()
        for q in plan(before, hist_exog=["vwap_30m"])[1]
        if q.key not in keys(after, hist_exog=["vwap_30m"])
    }
    assert moved == {CALENDAR["session"][4]}


def test_usable_symbols_elsewhere_do_not_matter():
    verdicts = usable_of(CALENDAR, "A") | {"B": ()}
    market = market_of(dict(MARKET.bars), CALENDAR, verdicts)
    assert keys(market) == {question.key for question in plan(MARKET)[1] if question.symbol == "A"}


@given(asked=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 29)), min_size=2, max_size=12))
@settings(max_examples=25, deadline=None)
def test_the_digest_of_a_window_does_not_depend_on_what_was_asked_before(asked):
    """(session, days of history, minute) in any order, also backwards within a session."""
    market, sessions = market_of(MARKET.bars, CALENDAR), CALENDAR["session"].to_list()
    for day, days, minute in asked:
        cut = market.cut("A", tuple(sessions[max(0, day - days) : day]), sessions[day], minute)
        series = market.series("A")
        assert series.digest(cut) == replace(series).digest(cut)


def test_the_digest_does_not_depend_on_the_order_in_which_sessions_are_listed():
    series, sessions = MARKET.series("A"), CALENDAR["session"].to_list()
    turned = replace(series, blocks={day: series.blocks[day] for day in (sessions[k] for k in (1, 0, 3, 2, 4))})
    for days in (sessions[:4], sessions[1:4], [sessions[0], *sessions[2:4]]):
        cut = MARKET.cut("A", tuple(days), sessions[4], 10)
        assert turned.digest(cut) == replace(series).digest(cut)


def test_a_market_of_many_symbols_keeps_the_arrays_of_some_and_says_the_same(monkeypatch):
    expected = {question.key: digest_of(MARKET.window(question)) for question in plan(MARKET)[1]}
    monkeypatch.setattr(market_module, "SERIES_AT_ONCE", 1)
    market = market_of(MARKET.bars, CALENDAR)
    by_time = sorted(plan(market)[1], key=lambda question: question.snapshot_utc)
    assert {question.key: digest_of(market.window(question)) for question in by_time} == expected
    assert len(market._series) == 1
