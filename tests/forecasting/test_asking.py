"""From answers to the table: whole or not at all, every horizon from one answer, the benchmark beside it."""

from dataclasses import dataclass, replace
from functools import cache
from math import exp

import numpy as np
import polars as pl
import pytest

from stages.errors import DataContractError
from stages.forecasting.answering import (
    answers_summary,
    ask_all,
    ask_backends,
    benchmark_backend,
    quantile_table,
    require_past_moves,
    require_scheduled,
)
from stages.forecasting.backend import Answer
from stages.forecasting.local_backend import local_backend
from stages.tables.forecasts import QUANTILES, Quantiles, Schedule
from tests.features.made_bars import made_calendar
from tests.forecasting.windows import forecaster_params
from tests.questions.markets import model_spec, plan, random_market, requests_params

MARKET = random_market(made_calendar(4, n_bars=60), "A", "B")
REQUESTS = requests_params()
SCHEDULE, QUESTIONS = plan(MARKET)
TIMEGPT = forecaster_params(name="timegpt", model="timegpt-2.1", base_url="https://api.example")


@dataclass(frozen=True)
class Scripted:
    """A backend that says `level + step / 100` bp, changed by `twist`."""

    twist: object = staticmethod(lambda answers: answers)

    def answer(self, asked):
        steps = np.array([5, 25, 50, 75, 95])[:, None] + np.arange(1, 11) / 100
        return self.twist({one.question.key: Answer(one.question.key, "made@up", steps) for one in asked})


def ask(twist=lambda answers: answers):
    return ask_all(QUESTIONS, MARKET, Scripted(twist))


def ask_with_benchmark(forecaster=TIMEGPT):
    beside = benchmark_backend(forecaster, REQUESTS)
    found = ask_backends(QUESTIONS, MARKET, {"asked": Scripted()} | ({"beside": beside} if beside else {}))
    return found["asked"], found.get("beside", {})


def table(answers, benchmark=None, forecaster=TIMEGPT, schedule=SCHEDULE):
    return Quantiles.of(quantile_table(schedule, answers, benchmark or {}, REQUESTS, forecaster))


def test_every_horizon_is_a_step_of_the_same_answer():
    rows = table(ask())
    assert rows.height == 2 * len(QUESTIONS)
    assert set(rows.filter(pl.col("horizon_min") == 5).select("q05", "q50").rows()) == {(5.05, 50.05)}
    assert set(rows.filter(pl.col("horizon_min") == 10).select("q05", "q50").rows()) == {(5.1, 50.1)}


def test_a_price_is_last_times_the_exponential():
    for row in table(ask()).head(4).rows(named=True):
        for name in QUANTILES:
            assert row[f"{name}_px"] == pytest.approx(row["last"] * exp(row[name] / 1e4), abs=1e-6)


def test_levels_out_of_order_stand_as_answered_and_are_marked():
    def swap(answers):
        key = QUESTIONS[0].key
        return answers | {key: replace(answers[key], values_bp=answers[key].values_bp[[0, 3, 2, 1, 4]])}

    marked = table(ask(swap)).filter("crossed")
    assert marked["key"].to_list() == [QUESTIONS[0].key] * 2
    assert marked["q25"].to_list() == pytest.approx([75.05, 75.1])


def test_levels_that_are_equal_do_not_cross():
    answers = {key: replace(one, values_bp=np.full((5, 10), 3.0)) for key, one in ask().items()}
    assert not table(answers)["crossed"].any()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_largest_move_that_has_a_price_is_an_answer_and_one_value_beyond_is_none(sign):
    def saying(most):
        values = np.zeros((5, 10))
        values[-1, -1] = sign * most
        return ask(lambda answers: {key: replace(one, values_bp=values) for key, one in answers.items()})

    assert np.isfinite(table(saying(100_000.0))["q95_px"].to_numpy()).all()
    with pytest.raises(DataContractError, match="says 100001 bp"):
        saying(100_001.0)


def test_histories_that_are_one_question_stand_in_the_table_as_two_rows_with_one_key():
    cut = model_spec(input_size=20, model_horizon=5)
    schedule, questions = plan(MARKET, who=cut, history_days=[2, 3])
    rows = table(ask_all(questions, MARKET, Scripted()), schedule=schedule)
    asked = Schedule.of(schedule).filter(pl.col("status") == "ok")
    assert rows.select("symbol", "snapshot_utc", "history_days").n_unique() == asked.height > asked["key"].n_unique()
    assert rows.group_by("key", "horizon_min").agg(pl.col("q50").n_unique())["q50"].max() == 1


def test_persistence_stands_beside_every_forecast_without_a_key():
    rows = table(*ask_with_benchmark())
    benchmark = rows.filter(pl.col("model") == "persistence")
    assert rows.filter(pl.col("model") == "timegpt-2.1").height == benchmark.height
    assert set(benchmark.select("key", "source", "q50").rows()) == {(None, "local:persistence", 0.0)}
    assert set(rows.filter(pl.col("model") == "timegpt-2.1")["source"]) == {"made@up"}


def test_persistence_as_the_forecaster_is_asked_once_and_has_keys():
    forecaster = forecaster_params(name="persistence", model="persistence")
    assert ask_with_benchmark(forecaster)[1] == {}
    assert table(ask(), {}, forecaster)["key"].null_count() == 0


def test_a_local_forecaster_and_the_benchmark_say_beside_each_other_what_they_say_alone():
    names = ("seasonal", "persistence")
    backends = {name: local_backend(name, TIMEGPT, REQUESTS.horizons_min) for name in names}
    beside = ask_backends(QUESTIONS, MARKET, backends)
    for name in names:
        alone = ask_all(QUESTIONS, MARKET, backends[name])
        assert {key: one.values_bp.tolist() for key, one in beside[name].items()} == {
            key: one.values_bp.tolist() for key, one in alone.items()
        }


def test_the_summary_counts_answers_and_says_nothing_of_their_price():
    answers, benchmark = ask_with_benchmark()
    assert answers_summary(answers, table(answers, benchmark)) == {
        "schema_version": 1,
        "questions": len(QUESTIONS),
        "distinct_keys": len(QUESTIONS),
        "by_source": {"made@up": len(QUESTIONS)},
        "crossed_rows": 0,
    }


SOME_NAN = np.where(np.eye(5, 10), np.nan, 0.0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda answers: dict(list(answers.items())[1:]), "has no answer"),
        (
            lambda answers: {k: replace(a, values_bp=a.values_bp[:, :9]) for k, a in answers.items()},
            r"shape \(5, 9\), not \(5, 10\)",
        ),
        (
            lambda answers: {k: replace(a, values_bp=a.values_bp + SOME_NAN) for k, a in answers.items()},
            "not finite",
        ),
        (
            lambda answers: {k: replace(a, values_bp=a.values_bp + 1e300) for k, a in answers.items()},
            r"says 1e\+300 bp, and no price moves by more than 100000: `make drop KEY=\w{32}`",
        ),
        (
            lambda answers: {
                k: replace(a, values_bp=a.values_bp + 1e300, source="local:har") for k, a in answers.items()
            },
            "local:har says .* no price moves by more .*: change its windows in section forecaster, or leave it out",
        ),
    ],
)
def test_an_answer_that_is_not_whole_stops_the_table(damage, message):
    with pytest.raises(DataContractError, match=message):
        ask(damage)


def test_questions_and_schedule_must_be_of_one_run():
    with pytest.raises(DataContractError, match=r"1 scheduled question\(s\) have no request file and 0"):
        require_scheduled(QUESTIONS[1:], SCHEDULE)


def held_moves(market, question, sessions, horizon_min):
    """Of the complete sessions that the window holds, counted one by one."""
    past = market.window(question).past.latest(sessions)
    return sum(max(0, int(bars) - horizon_min) for bars in np.diff(past.starts)) if len(past) else 0


@cache
def planned(input_size: int | None):
    market = random_market(made_calendar(4, n_bars=60), "A", "B")
    spec = model_spec(input_size=input_size, model_horizon=None if input_size is None else 1)
    return market, *plan(market, who=spec)


@pytest.mark.parametrize("horizon_min", [10, 39, 41, 45, 61])
@pytest.mark.parametrize("sessions", [1, 2, 9])
@pytest.mark.parametrize("input_size", [None, 20, 45])
def test_a_past_too_short_for_the_benchmark_is_refused_before_an_answer_is_bought(horizon_min, sessions, input_size):
    market, schedule, questions = planned(input_size)
    held = {one.snapshot_utc: held_moves(market, one, sessions, horizon_min) for one in questions}
    given = schedule, market.usable, market.calendar, horizon_min, sessions

    if min(held.values()) >= 20:
        require_past_moves(*given)
    else:
        first = min(at for at, moves in held.items() if moves < 20)
        said = f"A at {first:%Y-%m-%dT%H:%MZ} has {held[first]} past moves of {horizon_min} min"
        with pytest.raises(DataContractError, match=said):
            require_past_moves(*given)


def test_a_session_that_lacks_its_first_minute_gives_no_past_moves():
    market, schedule, _ = planned(None)  # two complete sessions of 60 minutes: 15 moves of 45 min in each
    require_past_moves(schedule, market.usable, market.calendar, 45, 2)
    one_less = schedule.with_columns(pl.col("rows_sent") - 1)
    with pytest.raises(DataContractError, match="has 15 past moves of 45 min"):
        require_past_moves(one_less, market.usable, market.calendar, 45, 2)
