"""Free candidates answer what is asked, once, from every bar known there, and some sessions before it."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from stages.forecasting.answering import ask_all, quantile_table
from stages.forecasting.free import FreeSettings, Known, Packed, PerSymbol
from stages.forecasting.local_backend import local_backend
from stages.params.worth import FreeParams
from stages.quality.halts import NO_HALTS
from stages.questions.market import Market
from stages.questions.schedule import plan_questions, plan_symbol
from stages.tables.contract import unpacked
from stages.tables.forecasts import QUANTILES
from tests.features.made_bars import made_calendar, random_bars
from tests.forecasting.windows import forecaster_params
from tests.questions.markets import QUALITY, market_of, requests_params

CALENDAR = made_calendar(14, n_bars=80)
SESSIONS = CALENDAR["session"].to_list()
HISTORY = 6
PARAMS = forecaster_params(lookback_sessions=HISTORY, fhs_paths=100, min_rows=1)
ALL = ("persistence", "seasonal", "ewma_fhs", "har")


def market(since: int = 0, seed: int = 1) -> Market:
    """A symbol whose bars begin with a later session of the calendar."""
    bars = random_bars(CALENDAR, seed)
    usable = tuple(SESSIONS[since:])
    prices = [
        pl.when(pl.col("session") >= usable[0]).then(name).alias(name) for name in ("open", "high", "low", "close")
    ]
    gap = pl.when(pl.col("session") >= usable[0]).then("gap_len").otherwise(pl.col("m") + 1).cast(pl.Int32)
    return market_of({"A": bars.with_columns(*prices, gap_len=gap)}, CALENDAR, {"A": usable})


def answered(
    of: Market, candidates: tuple[str, ...] = ALL, warmup: int = 3, params=PARAMS, **asked
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The free answers, and the schedule."""
    requests = requests_params(**{"history_days": [HISTORY]} | asked)
    schedule, _ = plan_symbol(of, "A", requests, params.model_spec, QUALITY)
    free = FreeParams.model_validate({"candidates": candidates, "warmup_sessions": warmup})
    task = PerSymbol.of(FreeSettings(free, params, requests, QUALITY), of.calendar, schedule)
    known = Known(of.usable["A"], NO_HALTS, schedule)
    quantiles, planned = task("A", of.bars["A"], of.features["A"], known)
    assert quantiles.select("symbol", "snapshot_utc").n_unique() == planned.snapshots.height
    return quantiles, schedule


def sessions_of(quantiles: pl.DataFrame) -> list[date]:
    return quantiles["session"].unique().sort().to_list()


def test_every_candidate_answers_every_asked_snapshot_once_whatever_its_histories():
    quantiles, schedule = answered(market(), warmup=0, history_days=[4, 6])
    asked = schedule.filter(status="ok").select("snapshot_utc").unique().sort("snapshot_utc")

    assert schedule.filter(status="ok").height > asked.height
    for name in ALL:
        for horizon in (5, 10):
            mine = quantiles.filter(model=f"free:{name}", horizon_min=horizon)
            assert mine.select("snapshot_utc").equals(asked)
            assert set(mine["source"]) == {f"local:{name}"}
    assert set(quantiles["history_days"]) == {HISTORY}
    assert quantiles["key"].null_count() == quantiles.height


@pytest.mark.parametrize("name", ALL)
def test_with_the_same_past_a_candidate_answers_as_the_asked_forecaster_of_its_name(name):
    of, params = market(), PARAMS.model_copy(update={"name": name, "model": name})
    requests = requests_params(history_days=[HISTORY])
    schedule, questions = plan_questions(of, ("A",), requests, params.model_spec, QUALITY)
    backend = local_backend(name, params, requests.horizons_min)
    asked = quantile_table(schedule, ask_all(questions, of, backend), {}, requests, params)
    quantiles, _ = answered(of, (name,), warmup=0, params=params)

    key = ["snapshot_utc", "horizon_min"]
    assert quantiles.sort(key).select(QUANTILES).to_numpy() == pytest.approx(
        asked.sort(key).select(QUANTILES).to_numpy(), abs=1e-6
    )


def test_what_is_free_looks_back_as_far_as_it_may_where_the_asked_history_is_short():
    """Seven sessions are known at the last asked ones; a history of two would see two."""
    far, _ = answered(market(), ("persistence",), warmup=0, history_days=[2])
    other = market()
    early = pl.col("session") == SESSIONS[-7]
    louder = other.bars["A"].with_columns(
        close=pl.when(early & (pl.col("m") % 2 == 0)).then(pl.col("close") * 1.01).otherwise("close")
    )
    moved, _ = answered(
        market_of({"A": louder}, CALENDAR, {"A": tuple(SESSIONS)}), ("persistence",), warmup=0, history_days=[2]
    )
    last = pl.col("session") == SESSIONS[-1]
    assert not far.filter(last).select(QUANTILES).equals(moved.filter(last).select(QUANTILES))


def test_the_warm_up_is_the_sessions_before_the_first_asked_one():
    quantiles, schedule = answered(market(), warmup=1)
    assert schedule.filter(status="ok")["session"].min() == SESSIONS[6]
    assert sessions_of(quantiles) == SESSIONS[5:]
    assert quantiles.filter(session=SESSIONS[5])["snapshot_et"].unique().sort().to_list() == ["09:45", "10:00"]


@pytest.mark.parametrize("since", [0, 3])
def test_a_warm_up_begins_where_four_sessions_lie_before_it(since):
    """Bars that begin late leave fewer of the sessions that are asked for."""
    quantiles, schedule = answered(market(since), warmup=6)
    assert schedule.filter(status="ok")["session"].min() == SESSIONS[since + HISTORY]
    assert sessions_of(quantiles) == SESSIONS[since + 4 :]


def test_there_is_no_warm_up_where_persistence_would_find_too_few_moves():
    """Sessions of 80 minutes hold 4 moves of 76: four sessions 16, where 20 are needed, and five have enough."""
    quantiles, _ = answered(market(), ("persistence",), warmup=6, snapshots_et=["09:45"], asked_horizon_min=64)
    assert sessions_of(quantiles)[0] == SESSIONS[4]
    long, _ = answered(market(), ("persistence",), warmup=6, snapshots_et=["09:31"], asked_horizon_min=76)
    assert sessions_of(long)[0] == SESSIONS[5]


def test_snapshots_that_are_not_asked_are_not_asked_in_the_warm_up_either():
    quantiles, _ = answered(market(), warmup=2, skip_sessions=[SESSIONS[4]], max_snapshots_per_day=1)
    assert sessions_of(quantiles) == SESSIONS[5:]
    assert set(quantiles["snapshot_et"]) == {"09:45"}


def test_another_future_moves_no_answer_and_no_warm_up():
    of = market()
    cut = pl.col("session") <= SESSIONS[8]
    other = random_bars(CALENDAR, 9).with_columns(close=pl.col("close") * 2)
    bars = pl.concat([of.bars["A"].filter(cut), other.filter(~cut)])
    moved, _ = answered(market_of({"A": bars}, CALENDAR, {"A": tuple(SESSIONS)}), warmup=2)
    quantiles, _ = answered(of, warmup=2)

    assert quantiles.filter(cut).equals(moved.filter(cut))
    assert not quantiles.filter(~cut).select(QUANTILES).equals(moved.filter(~cut).select(QUANTILES))


def test_the_forecasts_of_one_symbol_do_not_depend_on_the_other_candidates():
    every, _ = answered(market())
    for name in ALL:
        alone, _ = answered(market(), (name,))
        assert alone.equals(every.filter(model=f"free:{name}"))


def test_a_symbol_that_is_never_asked_and_has_no_bars_before_has_no_rows():
    quantiles, schedule = answered(market(12), warmup=0)
    assert schedule.filter(status="ok").is_empty()
    assert quantiles.is_empty()


def task_of(of: Market) -> tuple[PerSymbol, tuple, int]:
    """A task without a warm-up, what it is given, and how many snapshots are asked."""
    requests = requests_params(history_days=[HISTORY])
    schedule, _ = plan_symbol(of, "A", requests, PARAMS.model_spec, QUALITY)
    free = FreeParams.model_validate({"candidates": ALL, "warmup_sessions": 0})
    task = PerSymbol.of(FreeSettings(free, PARAMS, requests, QUALITY), of.calendar, schedule)
    given = "A", of.bars["A"], of.features["A"], Known(of.usable["A"], NO_HALTS, schedule)
    return task, given, schedule.filter(status="ok").height


def test_packed_answers_are_the_answers():
    task, given, asked = task_of(market())
    packed, planned = Packed(task)(*given)

    assert unpacked(packed).equals(task(*given)[0])
    assert planned.snapshots.height == asked


def test_a_replay_answers_the_same_question_once():
    remembered = {}
    task, given, asked = task_of(market())
    first, second = (replace(task, remembered=remembered)(*given)[0] for _ in range(2))

    assert first.equals(second)
    assert first.equals(task(*given)[0])
    assert len(remembered) == len(ALL) * asked
