"""What a question sends where a feature is unknown: its policy, on rows that are sent and on no other."""

import hashlib
import struct
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.errors import ConfigurationError
from stages.features.catalogue import build_features
from stages.features.context import Context
from stages.questions.market import Market, carried, first_row
from stages.questions.schedule import asked_further
from stages.questions.window import exogenous_digest
from tests.features.made_bars import features_params, made_calendar, made_events, random_bars, usable_of
from tests.questions.markets import model_spec, plan, requests_params

CALENDAR = made_calendar(5, n_bars=60)
NAN = np.nan


def market_with(names, symbols=("A",), events=None, **params) -> Market:
    bars = {symbol: random_bars(CALENDAR, seed) for seed, symbol in enumerate((*symbols, "CTX"))}
    usable = usable_of(CALENDAR, *bars)
    around = Context("CTX", events) if events is not None else Context("CTX")
    built = features_params(names=[*names, "sigma_5m"], required=[], sigma_window_min=30, sigma_min_obs=10, **params)
    features = build_features(bars, usable, CALENDAR, built, around)
    return Market({"A": bars["A"]}, features, usable, CALENDAR)


def test_by_hand_the_last_known_value_stands_in():
    values = np.array([[1.0, NAN], [NAN, NAN], [3.0, 7.0], [NAN, NAN]])
    np.testing.assert_array_equal(carried(values), [[1, NAN], [1, NAN], [3, 7], [3, 7]])


def test_the_digest_of_the_columns_by_hand():
    """Rows of the history, then those ahead, as eight bytes a number; a zero has one sign."""
    found = exogenous_digest(np.array([[1.5, -0.0], [2.0, 3.0]]), np.array([[0.25]]))
    assert found == hashlib.sha256(struct.pack("<5d", 1.5, 0.0, 2.0, 3.0, 0.25)).hexdigest()


@pytest.mark.parametrize(
    ("shrinks", "carries", "begin"),
    [
        ([False, False], [False, False], 0),  # void: nothing is cut, the question falls
        ([False, False], [True, False], 1),  # the first row on which it is known
        ([True, False], [False, False], 4),  # behind the last one on which it is not
        ([False, True], [True, False], 4),  # row 3 would begin with an unknown value of the first
        ([False, False], [True, True], 2),  # both are known there for the first time
    ],
)
def test_by_hand_where_a_history_begins(shrinks, carries, begin):
    unknown = np.array([[1, 0], [0, 1], [0, 0], [1, 0], [0, 0]], dtype=bool)
    if shrinks[1]:
        unknown[2, 1] = True
    assert first_row(unknown, np.array(shrinks), np.array(carries)) == begin


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_where_all_columns_are_carried_no_value_from_the_first_row_on_stays_unknown(rows):
    unknown = np.array(rows)
    begin = first_row(unknown, np.array([False, False]), np.array([True, True]))
    sent = carried(np.where(unknown, NAN, 1.0)[begin:])
    assert not np.isnan(sent).any()
    assert begin == 0 or unknown[:begin].any(axis=1).all()  # no row is left out that could begin


@pytest.mark.parametrize("name", ["context_ret_1m", "rv_5m", "sigma_5m", "ret_15m", "parkinson", "atr_rel", "z_vwap"])
def test_a_feature_unknown_at_every_open_travels_by_default(name):
    """Rows before its first value are not sent; the value of the session before stands at each later open."""
    market = market_with([] if name == "sigma_5m" else [name])
    schedule, questions = plan(market, hist_exog=[name])
    assert set(schedule["status"]) == {"insufficient_history", "ok"}
    question = questions[-1]
    known = market.features["A"].filter(pl.col("known_at") <= question.snapshot_utc)
    opening = known.filter(pl.col("session") == question.start_utc.date())
    assert question.start_utc == opening.filter(pl.col(name).is_not_null())["ts"][0] > opening["ts"][0]
    assert market.window(question).hist_exog[:, 0].tolist() == known[name].forward_fill()[-question.rows :].to_list()


def test_a_sectors_return_travels_like_the_markets():
    bars = {symbol: random_bars(CALENDAR, seed) for seed, symbol in enumerate(("A", "XLK"))}
    usable, names = usable_of(CALENDAR, *bars), ["context_ret_1m@XLK", "sigma_5m"]
    around = Context(None, others=("XLK",))
    features = build_features(bars, usable, CALENDAR, features_params(names=names, required=[]), around)
    _, questions = plan(Market({"A": bars["A"]}, features, usable, CALENDAR), hist_exog=names[:1])
    assert {question.hist_exog for question in questions} == {("context_ret_1m@XLK",)}


def test_a_history_that_shrinks_begins_today_where_a_feature_is_unknown_at_every_open():
    _, questions = plan(market_with(["rv_5m"]), hist_exog=["rv_5m"], exog_policy={"rv_5m": "shrink"})
    assert {(question.rows, question.start_utc.date() == question.end_utc.date()) for question in questions} == {
        (11, True),  # 15 bars at 09:45, of which the first 4 have no rv_5m
        (26, True),
    }


def test_a_question_that_falls_names_feature_and_minute():
    policy = {"context_ret_1m": "carry", "rv_5m": "void"}
    market = market_with(["context_ret_1m", "rv_5m"])
    with pytest.raises(ConfigurationError, match=r"'null_exog_rv_5m@09:31': 6"):
        plan(market, hist_exog=["context_ret_1m", "rv_5m"], exog_policy=policy)


@pytest.mark.parametrize(("policy", "status"), [("void", "null_exog_ret_1m@10:07"), ("carry", "ok"), ("shrink", "ok")])
def test_a_value_unknown_in_the_middle_of_the_history_is_met_by_the_policy_too(policy, status):
    market, session = market_with(["ret_1m"]), CALENDAR["session"][3]
    hole = (pl.col("session") == session) & (pl.col("m") == 37)
    holed = market.features["A"].with_columns(ret_1m=pl.when(~hole).then("ret_1m"))
    market = Market(market.bars, {"A": holed}, market.usable, CALENDAR)
    schedule, questions = plan(market, hist_exog=["ret_1m"], exog_policy={"ret_1m": policy})
    behind = schedule.filter(session=CALENDAR["session"][4])
    assert set(behind["status"]) == {status}
    if policy == "carry":
        row = market.window(questions[-1]).hist_exog[60 + 36 : 60 + 38, 0]
        assert row[0] == row[1]
    if policy == "shrink":
        assert behind["rows_sent"].to_list() == [22 + 15, 22 + 30]


def test_a_value_unknown_in_the_minutes_ahead_is_named_with_its_minute():
    """Of 09:45 the ten minutes from 09:45 on are asked; at 10:00 the hole is in the history, and carried."""
    market, session = market_with(["minute"]), CALENDAR["session"][4]
    hole = (pl.col("session") == session) & (pl.col("m") == 20)
    holed = market.features["A"].with_columns(minute=pl.when(~hole).then("minute"))
    market = Market(market.bars, {"A": holed}, market.usable, CALENDAR)
    schedule, _ = plan(market, futr_exog=["minute"], exog_policy={"minute": "carry"})
    assert schedule.filter(session=session)["status"].to_list() == ["null_exog_minute@09:50", "ok"]


@pytest.mark.parametrize("policy", ["shrink", "carry"])
def test_a_history_of_which_nothing_is_known_is_cut_to_its_last_minute_and_not_asked(policy):
    market = market_with(["ret_1m"])
    blind = market.features["A"].with_columns(ret_1m=pl.lit(None, pl.Float64))
    unknown = r"'null_exog_ret_1m@09:44': 3, 'null_exog_ret_1m@09:59': 3"
    with pytest.raises(ConfigurationError, match=unknown):
        plan(
            Market(market.bars, {"A": blind}, market.usable, CALENDAR),
            hist_exog=["ret_1m"],
            exog_policy={"ret_1m": policy},
        )


def test_a_question_without_columns_sends_none():
    market = market_with(["ret_1m"])
    question = plan(market)[1][-1]
    window = market.window(question)
    assert (window.hist_exog.shape, window.futr_exog.shape) == ((question.rows, 0), (question.horizon_min, 0))
    assert question.features_sha256 is None


def test_columns_for_the_minutes_ahead_are_sent_in_one_order_whatever_the_order_in_params():
    names = ["minutes_to_close", "minute"]
    market = market_with(names)
    one, other = (plan(market, futr_exog=order)[1] for order in (names, names[::-1]))
    assert [question.key for question in one] == [question.key for question in other] != []


def test_a_policy_changes_nothing_where_every_value_is_known():
    columns = {"hist_exog": ["ret_1m"], "futr_exog": ["minutes_to_close"]}
    market = market_with(["ret_1m", "minutes_to_close"])
    plain = [question.key for question in plan(market, **columns)[1]]
    for policy in ("shrink", "carry", "void"):
        told = plan(market, **columns, exog_policy=dict.fromkeys(("ret_1m", "minutes_to_close"), policy))[1]
        assert [question.key for question in told] == plain


@pytest.mark.parametrize(
    ("announced", "told", "rows"), [(20, 1.0, 41), (29.5, 1.0, 31), (30, 1.0, 31), (30.5, 0.0, 30)]
)
def test_an_event_is_sent_ahead_as_it_is_known_at_the_snapshot(announced, told, rows):
    """Announced at 09:50: at 09:45 nobody knows, though it is in the table from 09:50 on; at 10:00 it is known."""
    last = CALENDAR.row(-1, named=True)["open_utc"]
    events = made_events((last + timedelta(minutes=50), "*", last + timedelta(minutes=announced), "FOMC"))
    market = market_with(["event_fomc"], events=events)
    _, questions = plan(market, futr_exog=["event_fomc"])
    today = [question for question in questions if question.snapshot_utc > last]
    assert [set(market.window(question).futr_exog[:, 0]) for question in today] == [{0.0}, {told}]
    assert market.features["A"]["event_fomc"].sum() == rows


def test_a_rule_for_a_feature_that_is_known_ahead_and_no_clock_for_whoever_answers_here():
    market = market_with(["minute"])
    for remote, clock in ((True, "none"), (False, "artificial")):
        _, questions = plan(market, who=model_spec(remote=remote), futr_exog=["minute"], clock="none")
        assert {question.clock for question in questions} == {clock}


def test_a_horizon_beyond_the_asked_one_is_refused_and_one_below_is_free():
    assert requests_params(horizons_min=[5, 10], asked_horizon_min=20).question_horizon_min == 20
    assert requests_params(horizons_min=[5, 10]).question_horizon_min == 10
    with pytest.raises(ValidationError, match=r"\[5, 10\] go beyond requests.asked_horizon_min 9"):
        requests_params(horizons_min=[5, 10], asked_horizon_min=9)


def test_asked_further_is_what_params_would_ask():
    """Also where the cut depends on how far is asked, and where columns are known ahead."""
    market, who = market_with(["minute"]), model_spec(input_size=20, model_horizon=5)
    for columns in ({}, {"futr_exog": ["minute"]}):
        schedule, _ = plan(market, who=who, **columns)
        rows = schedule.filter(status="ok")[-2:]
        found = asked_further(market, rows, requests_params(**columns), who)
        keys = {question.key for question in found if question.horizon_min == 17}
        asked = plan(market, who=who, asked_horizon_min=17, **columns)[0]
        assert keys == set(asked.join(rows, on=["symbol", "snapshot_utc", "history_days"], how="semi")["key"])
