"""Free forecasts and their mix know nothing of the future, and the audit would see it if they did."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from stages.calibration import mix
from stages.errors import DataContractError
from stages.runs.replayed_study import replay_of
from stages.tables.forecasts import QUANTILES
from tests.audit.small_study import CALENDAR, Audited, honest, leaking, record_of, study_of, unchanged
from tests.audit.test_honest_replays import table

HONEST = honest()


def test_the_weights_of_the_small_study_move():
    """Otherwise its audit would prove nothing about them."""
    weights = table(unchanged().base, "calibrate", "weight")

    assert weights["weight"].n_unique() > 20
    assert set(weights["model"]) == {"free:ewma_fhs", "free:persistence"}


@pytest.mark.journey  # a study of its own, replayed
def test_a_warm_up_stands_the_audit():
    """Histories of six sessions leave the fifth and the sixth to warm up, four after the first."""
    study = study_of(
        requests={"history_days": [6]}, rules={"history_days": 6}, worth={"warmup_sessions": 5},
        sweep={"grid": study_of().document()["sweep"]["grid"] | {"history_days": [6]}},
    )  # fmt: skip
    audited = Audited(replay_of(study, record_of()))
    answered = table(audited.base, "forecast_free", "q05")

    assert answered["session"].min() == CALENDAR["session"][4]
    assert [one.future for one in audited.passes(count=2)] == ["scrambled", "cut"]


def test_weights_that_know_the_outcomes_of_their_own_day_are_caught(monkeypatch):
    def told(losses, prior, eta):
        return sound(np.vstack([losses, losses[-1:]]), prior, eta)[1:]

    sound = mix.weights_by_day
    monkeypatch.setattr(mix, "weights_by_day", told)
    with pytest.raises(DataContractError, match="stage calibrate, column weight, "):
        Audited().passes()  # a replay of its own: what it says here is remembered nowhere


def test_a_free_answer_that_looks_ten_minutes_ahead_is_caught():
    def answer_free(schedule, market):
        closes = (
            bars.select("close", snapshot_utc=pl.col("known_at") - timedelta(minutes=10), symbol=pl.lit(symbol))
            for symbol, bars in market.bars.items()
        )
        quantiles = HONEST.answer_free(schedule, market)
        ahead = quantiles.join(pl.concat(closes), on=["symbol", "snapshot_utc"])
        return ahead.with_columns(q50=1e4 * (pl.col("close") / pl.col("last")).log()).drop("close")

    audited = Audited(leaking(HONEST, unchanged().world, answer_free=answer_free))
    with pytest.raises(DataContractError, match="stage forecast_free, column q50, "):
        audited.passes()


PROGRAM = {"command": ["python", "mine.py"], "files": ["mine.py"], "files_sha256": "0" * 64}


@pytest.mark.journey  # a study of its own, replayed
def test_the_answers_of_a_program_among_the_candidates_are_taken_by_key_and_it_is_never_run():
    """What it said, here persistence 3 bp higher, weighs in the mix and stays; a new question has a stand-in."""
    study = study_of(worth={"candidates": ["persistence", "command"]}, forecaster=PROGRAM)
    stand_in = table(Audited(replay_of(study, record_of())).base, "forecast_free", "q05")
    said = stand_in.filter(model="free:command").drop("known_at").with_columns((pl.col(QUANTILES) + 3.0).round(6))
    audited = Audited(replay_of(study, replace(record_of(), of_program=said)))
    base = audited.base

    found = table(base, "forecast_free", "q05").filter(model="free:command").drop("known_at")
    assert found.equals(said)
    assert set(table(base, "calibrate", "weight")["model"]) == {"free:command", "free:persistence"}
    assert [one.future for one in audited.passes(count=2)] == ["scrambled", "cut"]


def test_an_asked_program_leaves_the_mix_though_it_is_a_candidate():
    asked = PROGRAM | {"name": "command", "model": "mine"}
    study = study_of(worth={"candidates": ["persistence", "command"]}, forecaster=asked)
    weights = table(Audited(replay_of(study, record_of())).base, "calibrate", "weight")
    assert set(weights["model"]) == {"free:persistence"}
