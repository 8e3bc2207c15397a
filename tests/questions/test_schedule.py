"""The schedule: how far back a question reaches, and every reason why one is not asked."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stages.errors import ConfigurationError, DataContractError
from stages.questions.market import Market
from stages.questions.schedule import PerSymbol, lines_of, plan_questions
from stages.questions.timetable import REASONS
from stages.questions.window import Past
from stages.tables.contract import unpacked
from stages.tables.forecasts import Schedule
from tests.architecture.dependencies import ROOT
from tests.features.made_bars import features_params, made_calendar, random_bars, usable_of
from tests.questions.markets import QUALITY, market_of, model_spec, plan, random_market, requests_params

SKIP_REASONS = REASONS | {
    "not_sound_*": "today's bars so far break the named rule of the data gate, or trading is halted (halt)",
    "no_price": "the last bar is missing, too long after the last trade to be filled",
    "insufficient_history": "fewer usable sessions than history_days within requests.max_lookback_ratio times as many",
    "too_few_rows": "fewer rows to send than forecaster.min_rows",
    "null_exog_*": "the named exogenous column is unknown at the named minute, and its policy is void",
}

CALENDAR = made_calendar(8, n_bars=60)
DAYS = CALENDAR["session"].to_list()


def market(calendar=CALENDAR, dropped=(), seed=1):
    usable = tuple(day for number, day in enumerate(calendar["session"]) if number not in dropped)
    return market_of({"A": random_bars(calendar, seed)}, calendar, {"A": usable})


def at(schedule, day, clock="09:45"):
    return schedule.row(by_predicate=(pl.col("session") == day) & (pl.col("snapshot_et") == clock), named=True)


def test_history_is_whole_sessions_before_today_and_today_until_the_snapshot():
    row = at(plan(market(), history_days=[2])[0], DAYS[2])
    assert (row["status"], row["m0"], row["history_first"], row["rows_sent"]) == ("ok", 14, DAYS[0], 2 * 60 + 15)


def test_last_and_sigma_are_those_of_the_last_known_bar():
    made = market()
    row = at(plan(made)[0], DAYS[3], "10:00")
    bar = made.bars["A"].row(by_predicate=pl.col("known_at") == row["snapshot_utc"], named=True)
    feature = made.features["A"].row(by_predicate=pl.col("known_at") == row["snapshot_utc"], named=True)
    assert (row["m0"], row["last"], row["sigma_5m"]) == (29, bar["close"], feature["sigma_5m"])


def test_sessions_that_the_gate_dropped_are_stepped_over_as_far_as_the_lookback_allows():
    """Four sessions of history may lie in the five before; a second hole is one too many."""
    calendar = made_calendar(12, n_bars=60)
    one_hole, two_holes = (plan(market(calendar, dropped), history_days=[4])[0] for dropped in ((3,), (3, 4)))
    assert at(one_hole, DAYS[5])["history_first"] == DAYS[0]
    assert at(two_holes, DAYS[5])["status"] == "insufficient_history"


@pytest.mark.parametrize(("days", "ratio", "reach"), [(50, 1.1, 55), (3, 1.5, 5), (4, 1.0, 4)])
def test_the_lookback_is_rounded_up_to_whole_sessions_and_not_for_the_rounding_of_floats(days, ratio, reach):
    """1.1 * 50 is 55.00000000000001; so many sessions may be dropped, and not one more."""
    calendar = made_calendar(60, n_bars=1)
    sessions = tuple(calendar["session"])
    for dropped, found in ((reach - days, sessions[59 - reach : 59 - reach + days]), (reach - days + 1, None)):
        made = Market({}, {}, {"A": sessions[: 59 - dropped]}, calendar)
        assert made.history("A", sessions[59], days, ratio) == found


def test_a_session_that_was_dropped_later_is_still_asked_on():
    """Its full verdict was not known at the snapshot; what counts is whether it was sound so far."""
    assert at(plan(market(dropped=(5,)))[0], DAYS[5])["status"] == "ok"


def test_too_few_sessions_before():
    schedule = plan(market(), history_days=[3])[0]
    assert [at(schedule, day)["status"] for day in DAYS[:4]] == ["insufficient_history"] * 3 + ["ok"]


def test_a_session_that_is_not_sound_so_far_is_not_asked_on_and_says_why():
    bars = market().bars["A"]
    hole = (pl.col("session") == DAYS[4]) & pl.col("m").is_between(5, 9)
    holed = bars.with_columns(is_filled=hole, gap_len=pl.when(hole).then(pl.col("m") - 4).otherwise(0).cast(pl.Int32))
    schedule = plan(market_of({"A": holed}, CALENDAR))[0]
    assert at(schedule, DAYS[4])["status"] == "not_sound_incomplete"
    assert at(schedule, DAYS[5])["status"] == "ok"


@pytest.mark.parametrize(("first", "why"), [(14, "no_price"), (5, "not_sound_incomplete")])
def test_a_snapshot_without_a_price_says_so_unless_today_is_unsound_anyway(first, why):
    hole = (pl.col("session") == DAYS[4]) & pl.col("m").is_between(first, 14)
    holed = (
        market()
        .bars["A"]
        .with_columns(
            *(pl.when(~hole).then(name).alias(name) for name in ("open", "high", "low", "close", "volume")),
            gap_len=pl.when(hole).then(pl.col("m") - first + 1).otherwise(0).cast(pl.Int32),
        )
    )
    generous = QUALITY.model_copy(update={"min_session_completeness": 14 / 15})
    schedule = plan_questions(market_of({"A": holed}, CALENDAR), ("A",), requests_params(), model_spec(), generous)[0]
    assert at(schedule, DAYS[4])["status"] == why


@pytest.mark.parametrize(("min_rows", "early"), [(135, "ok"), (136, "too_few_rows"), (150, "too_few_rows")])
def test_fewer_rows_than_the_model_wants(min_rows, early):
    """Two sessions of 60 minutes, and today's 15 or 30."""
    schedule = plan(market(), who=model_spec(min_rows=min_rows))[0]
    assert [at(schedule, DAYS[3], clock)["status"] for clock in ("09:45", "10:00")] == [early, "ok"]


def test_where_nothing_can_be_asked_the_reasons_are_counted_in_order_of_their_names():
    with pytest.raises(
        ConfigurationError, match=r"skipped: \{'insufficient_history': 4, 'too_few_rows': 12\}\. Lengthen"
    ):
        plan(market(), who=model_spec(min_rows=151))


def test_an_exogenous_value_that_is_unknown_on_a_sent_row_is_never_sent():
    with pytest.raises(ConfigurationError, match=r"no question can be asked.*'null_exog_ret_5m@09:30': 12"):
        plan(market(), hist_exog=["ret_5m"], exog_policy={"ret_5m": "void"})


def test_every_reason_that_appears_is_explained():
    schedule = plan(market(), who=model_spec(min_rows=140), max_snapshots_per_day=2, skip_sessions=[DAYS[6]])[0]
    assert {"ok", "insufficient_history", "too_few_rows", "skip_session"} == set(schedule["status"])
    assert set(schedule["status"]) - {"ok"} <= set(SKIP_REASONS)


def test_the_schedule_keeps_its_contract_and_names_each_question_once():
    schedule, questions = plan(random_market(CALENDAR, "B", "A"), history_days=[2, 3])
    asked = Schedule.of(schedule).filter(pl.col("status") == "ok")
    assert sorted(asked["key"]) == sorted(question.key for question in questions)
    assert questions == sorted(questions, key=lambda one: (one.symbol, one.snapshot_utc, one.key))


CAUSAL = made_calendar(6, n_bars=40)


@given(row=st.integers(1, CAUSAL["n_bars"].sum() - 1), seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_scrambling_the_future_moves_no_row_and_no_key_of_the_past(row, seed):
    names = features_params(names=["ret_1m", "sigma_5m", "vwap_30m"], sigma_window_min=5, sigma_min_obs=2)
    past = random_bars(CAUSAL, seed)
    other = pl.concat([past[:row], random_bars(CAUSAL, seed + 1, missing=0.3)[row:]])
    instant = past["ts"][row]
    known = tuple(day for day, close in CAUSAL.select("session", "close_utc").iter_rows() if close <= instant)
    later = tuple(CAUSAL["session"])[len(known) :]
    plans = []
    for bars, usable in ((past, known + later), (other, known)):  # verdicts on later sessions may fall otherwise
        verdicts = {"A": usable, "B": tuple(CAUSAL["session"])}
        made = market_of({"A": bars, "B": past}, CAUSAL, verdicts, names)
        schedule = plan(made, snapshots_et=["09:40", "10:00"], hist_exog=["vwap_30m"], history_days=[1])[0]
        plans.append(schedule.filter(pl.col("symbol") == "A", pl.col("snapshot_utc") <= instant))
    assert_frame_equal(*plans, check_exact=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hist_exog": ["rv_7m", "rv_6m"]}, r"\['rv_6m', 'rv_7m'\], which are not in the catalogue"),
        ({"exog_policy": {"rv_6m": "carry"}}, r"\['rv_6m'\], which are not in the catalogue"),
        (
            {"futr_exog": ["rv_5m", "ret_1m"]},
            r"futr_exog names \['ret_1m', 'rv_5m'\], whose future .* known ahead are \['bucket_close', 'bucket_mid', ",
        ),
        ({"hist_exog": ["minute"], "futr_exog": ["minute"]}, "name a feature twice"),
        ({"hist_exog": ["cos_13"]}, "'cos_13' is needed but not built: add it to features.names"),
        ({"history_days": [30]}, r"no question can be asked.*'insufficient_history': 16\}\. Shorten"),
    ],
)
def test_what_cannot_be_asked_is_reported_in_one_sentence(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        plan(market(), **changes)


def test_a_symbol_planned_alone_gives_its_rows_and_the_bytes_of_its_questions():
    two = random_market(CALENDAR, "A", "B")
    schedule, questions = plan(two)
    alone = PerSymbol(requests_params(), model_spec(), QUALITY, CALENDAR)
    for symbol in ("A", "B"):
        rows, lines = alone(symbol, two.bars[symbol], two.features[symbol], two.usable[symbol])
        assert_frame_equal(unpacked(rows), schedule.filter(symbol=symbol))
        assert lines_of(lines) == [one.canonical() for one in questions if one.symbol == symbol] != []


def test_a_symbol_without_bars_is_named():
    made = market()
    with pytest.raises(DataContractError, match="no bars of ZZZ"):
        made.series("ZZZ")


def test_bars_that_changed_since_the_question_was_written_are_noticed():
    question = plan(market(seed=1))[1][-1]
    with pytest.raises(DataContractError, match=f"no longer hold the {question.rows} rows of question {question.key}"):
        market(seed=2).window(question)
    with pytest.raises(DataContractError, match="no longer hold"):
        market(calendar=made_calendar(3, n_bars=60)).window(question)
    assert question.snapshot_utc - question.end_utc == timedelta(minutes=1)


def test_the_windows_of_a_day_share_their_complete_sessions():
    made, sessions = market(), [DAYS[2]] * 2 + [DAYS[3]] * 2
    windows = [made.window(question) for question in plan(made)[1][:4]]
    assert [one.snapshot_utc.date() for one in plan(made)[1][:4]] == sessions
    first, second, next_day, _ = (window.past for window in windows)
    assert first is second
    assert first is not next_day
    for window in windows:
        assert np.array_equal(window.past.returns, Past.of(window.minute, window.returns).returns)
        assert np.array_equal(window.past.starts, [0, 60, 120])
        assert window.today == slice(120, None)


def test_sigma_is_needed():
    made = market_of(
        {"A": random_bars(CALENDAR, 1)},
        CALENDAR,
        usable_of(CALENDAR, "A"),
        features_params(names=["ret_1m"], required=[]),
    )
    with pytest.raises(ConfigurationError, match="'sigma_5m' is needed but not built"):
        plan(made)


def test_the_docs_explain_every_reason_in_the_words_of_the_code():
    page = (ROOT / "docs" / "FORECASTING.md").read_text()
    for reason, meaning in SKIP_REASONS.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{reason}`"))
        assert line.replace("`", "").startswith(f"| {reason} | {meaning}")
