"""The asked model beside the free ones: the same questions on both sides, and figures that independent sums give."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from utilsforecast import losses as of_library

from stages.scoring.metrics import score
from stages.tables.forecasts import FREE_MIX, LEVELS, NEVER, QUANTILES
from tests.scoring.in_parts import free_scores, scores_by_training
from tests.scoring.simulated import FIRST_DAY, GATES, METHOD, as_answered, stated, with_truth

FEW_DRAWS = GATES.model_copy(update={"bootstrap_reps": 200})
PERSISTENCE = "free:persistence"
TAU = np.array(LEVELS) / 100


def pair(
    n_days: int = 40, symbols: tuple[str, ...] = ("A", "B"), **changes: object
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Asked and free forecasts of the same outcomes: the asked model knows the middle, the free ones do not."""
    whole = as_answered(with_truth(n_days, symbols=symbols, r2=0.3, **changes))
    benchmark = whole.filter(model="persistence").with_columns(history_days=pl.lit(60, pl.Int32))
    wider = [(pl.col(name) * 1.5).alias(name) for name in QUANTILES]
    free = pl.concat([
        benchmark.with_columns(model=pl.lit(PERSISTENCE)),
        benchmark.with_columns(*wider, model=pl.lit(FREE_MIX)),
    ])  # fmt: skip
    return whole, free


def scored(pairs, **changes: object):
    found = free_scores(pairs, FEW_DRAWS.model_copy(update=changes), stated())
    return {(one["symbol"], one["model"]): one for one in found}


def crps(rows: pl.DataFrame) -> float:
    """Source of the expected values: utilsforecast."""
    series = rows.select(pl.lit(0).alias("unique_id"), pl.col("y_bp").alias("y"), *QUANTILES)
    return 2 * float(of_library.mqloss(series, {"loss": list(QUANTILES)}, TAU)["loss"].item())


def test_every_model_stands_once_by_symbol_and_once_for_all_the_asked_one_first():
    found = free_scores([pair()], FEW_DRAWS, stated())
    models = ["asked", FREE_MIX, PERSISTENCE]
    assert [(one["symbol"], one["model"]) for one in found] == [(s, m) for s in (None, "A", "B") for m in models]
    assert {one["horizon_min"] for one in found} == {10}


def test_entries_are_in_order_in_whatever_order_symbols_come():
    pairs = [pair(2, ("B",), horizon_min=30), pair(2, ("A",), horizon_min=10)]
    found = [(one["symbol"], one["horizon_min"]) for one in free_scores(pairs, FEW_DRAWS, stated())]
    assert found[::3] == [(None, 10), (None, 30), ("A", 10), ("B", 30)]


def test_crps_and_skills_are_those_of_an_independent_library():
    asked, free = pair()
    found = scored([(asked, free)])
    rows = {"asked": asked.filter(model="asked")} | {name: free.filter(model=name) for name in (FREE_MIX, PERSISTENCE)}

    for symbol in (None, "A", "B"):
        losses = {name: crps(one if symbol is None else one.filter(symbol=symbol)) for name, one in rows.items()}
        for name, loss in losses.items():
            entry = found[symbol, name]
            assert entry["crps_bp"] == pytest.approx(loss, abs=1e-6)
            assert entry["over_persistence_pct"]["value"] == pytest.approx(
                100 * (1 - loss / losses[PERSISTENCE]), abs=1e-5
            )
            assert entry["over_free_mix_pct"]["value"] == pytest.approx(100 * (1 - loss / losses[FREE_MIX]), abs=1e-5)
    assert found[None, PERSISTENCE]["over_persistence_pct"] == {"value": 0.0, "ci": [0.0, 0.0]}


def test_the_asked_models_figures_are_those_of_the_metrics_where_all_answered_everything():
    asked, free = pair()
    metrics = score([asked], FEW_DRAWS, METHOD)["pooled"][0]
    entry = scored([(asked, free)])[None, "asked"]

    assert (entry["n"], entry["n_days"]) == (metrics["n"], metrics["n_days"]) == (320, 40)
    for name in ("crps_bp", "rmae", "coverage_50", "coverage_90"):
        assert entry[name] == metrics["metrics"][name]["calibrated"]["value"]
    assert entry["over_persistence_pct"]["value"] == pytest.approx(
        100 * metrics["metrics"]["crps_skill"]["calibrated"]["value"], abs=1e-4
    )


@pytest.mark.parametrize("lacks", ["no answer", "not calibrated"])
@pytest.mark.parametrize("side", ["asked", FREE_MIX])
def test_a_question_that_one_model_lacks_counts_for_none(side, lacks):
    """On the first day one model lacks its answers, and every model's quantiles are absurd there."""
    first = pl.col("session") == FIRST_DAY
    absurd = [pl.when(first).then(pl.col(name) + 1e5).otherwise(name).alias(name) for name in QUANTILES]
    asked, free = (one.with_columns(absurd) for one in pair())
    there = first & (pl.col("model") == side)
    if lacks == "no answer":
        asked, free = asked.filter(~there), free.filter(~there)
    else:
        asked, free = (one.with_columns(calibrated=pl.col("calibrated") & ~there) for one in (asked, free))

    found = scored([(asked, free)])
    rest = scored([tuple(one.filter(~first) for one in pair())])

    assert found == rest
    assert found[None, "asked"]["n_days"] == 39


def test_void_outcomes_are_not_scored():
    first = pl.col("session") == FIRST_DAY
    void = {"void": pl.col("void") | first, "y_bp": pl.when(~first).then("y_bp")}
    found = scored([tuple(one.with_columns(**void) for one in pair())])
    assert {one["n"] for (symbol, _), one in found.items() if symbol} == {4 * 39}


def test_only_the_stated_history_and_method_are_compared():
    asked, free = pair()
    others = [asked.with_columns(history_days=pl.lit(20, pl.Int32)), asked.with_columns(method=pl.lit("widen"))]
    assert scored([(pl.concat([asked, *others]), free)]) == scored([(asked, free)])


def test_a_symbol_without_the_stated_history_counts_for_no_model():
    """Its free forecasts answer questions of a shorter history, which the asked model answered too."""
    asked, free = pair()
    short = asked.filter(symbol="B").with_columns(history_days=pl.lit(20, pl.Int32))
    found = scored([(asked.filter(symbol="A"), free.filter(symbol="A")), (short, free.filter(symbol="B"))])
    assert found == scored([tuple(one.filter(symbol="A") for one in pair())])


def test_bounds_enclose_the_value_and_need_enough_days():
    value, ci = scored([pair(60)])[None, "asked"]["over_free_mix_pct"].values()
    assert ci[0] < value < ci[1]
    assert scored([pair(19)])[None, "asked"]["over_free_mix_pct"]["ci"] is None


def test_bounds_hold_the_true_skill_about_nine_times_in_ten():
    """The asked model knows 30 % of the variance of a normal market: its CRPS is the root of 0.7 of the free one's."""
    true, whole, days = 100 * (1 - np.sqrt(0.7)), pair(800, ("A",), clocks=("09:45", "14:45")), timedelta(days=40)
    starts = [FIRST_DAY + n * days for n in range(20)]
    parts = [
        [one.filter(pl.col("session").is_between(start, start + days, closed="left")) for one in whole]
        for start in starts
    ]
    found = [scored([part])[None, "asked"]["over_persistence_pct"]["ci"] for part in parts]
    assert 0.75 < np.mean([low <= true <= high for low, high in found]) <= 0.99


def test_scores_come_out_alike_whatever_the_parts_and_the_order_of_rows():
    asked, free = pair()
    parts = [tuple(one.filter(symbol=symbol) for one in (asked, free)) for symbol in "AB"]
    shuffled = tuple(one.sample(fraction=1, shuffle=True, seed=1) for one in (asked, free))
    assert scored(parts) == scored([shuffled]) == scored([(asked, free)])


def test_without_free_persistence_there_is_no_skill_over_it():
    asked, free = pair()
    entry = scored([(asked, free.filter(model=FREE_MIX))])[None, "asked"]
    assert entry["over_persistence_pct"] == {"value": None, "ci": None}
    assert entry["over_free_mix_pct"]["value"] > 0


def test_before_any_common_question_there_is_no_score():
    asked, free = pair()
    assert free_scores([(asked.clear(), free.clear())], FEW_DRAWS, stated()) == []
    assert free_scores([(asked, free.with_columns(calibrated=pl.lit(False)))], FEW_DRAWS, stated()) == []


def split(until, sources=("timegpt-1@api.nixtla.io",)):
    return scores_by_training([pair()], until, sources, FEW_DRAWS, stated())


def test_a_last_day_of_training_splits_every_score_into_the_days_up_to_it_and_after_it():
    until = FIRST_DAY + timedelta(days=24)
    before = [tuple(one.filter(pl.col("session") <= until) for one in pair())]
    found = split(until)

    assert found["until"] == "2024-01-25"
    assert [[one["n_days"] for one in found[side]["pooled"]] for side in ("before", "after")] == [[25], [15]]
    assert {one["n"] for one in found["after"]["cells"]} == {60}
    assert found["before"]["free"] == free_scores(before, FEW_DRAWS, stated())
    metrics = score([before[0][0]], FEW_DRAWS, METHOD)
    assert (found["before"]["pooled"], found["before"]["cells"]) == (metrics["pooled"], metrics["cells"])


def test_a_side_without_a_day_holds_nothing():
    found = split(FIRST_DAY - timedelta(days=1))
    assert found["before"] == {"pooled": [], "cells": [], "free": []}
    assert found["after"]["pooled"][0]["n_days"] == 40


@pytest.mark.parametrize(
    ("sources", "until"),
    [(["timegpt-1@api.nixtla.io"], None), (["local:har"], NEVER), (["local:har", "timegpt-1@api.nixtla.io"], None)],
)
def test_without_a_date_nothing_is_split_and_only_the_projects_own_forecasters_are_never_trained(sources, until):
    assert split(None, sources) == {"until": until, "before": None, "after": None}
