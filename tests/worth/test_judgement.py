"""The verdict on a study: what decides, what only stands beside it, and what counts for nothing."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from stages.tables.forecasts import is_untrained
from stages.worth.judgement import _round, _weakest, judge_worth, last_weights
from stages.worth.price_of_evidence import sessions_to_know
from stages.worth.series import cells_of, terms_of
from stages.worth.verdict import judge
from tests.scoring.simulated import FIRST_DAY
from tests.worth.studies import DAYS, SYMBOLS, sides_of, study_with


def cell_of(document: dict[str, Any], question: str, name: str) -> dict[str, Any]:
    (found,) = (cell for cell in document["cells"] if (cell["question"], cell["cell"]) == (question, name))
    return found


def test_the_verdict_is_that_of_the_primary_days_and_counts_their_calls():
    study = study_with(forecaster__model="seasonal")
    document, days = judge_worth(study, "w1", sides_of(r2=0.5))
    primary = days.filter(question="shape", cell="primary")
    alone = judge(primary["x"].to_numpy(), terms_of(study))
    assert (document["state"], document["sessions"]) == (str(alone.state), alone.days)
    assert document["decided_on"] == str(primary["session"][alone.days - 1])
    assert document["more_sessions"] is None, "there is a verdict"
    assert document["calls"] == 4 * alone.days
    assert document["calls_a_session"] == 4
    assert document["step"] == 5, "as `make study` does without STEP"
    assert document["horizon_min"] == 10
    assert document["free_weights"] == {"har": 0.75, "ewma_fhs": 0.25}


def test_a_cell_has_the_evidence_of_its_last_day_also_behind_the_one_that_decides():
    document, days = judge_worth(study_with(), "w1", sides_of(r2=0.5))
    its, found = days.filter(question="shape", cell="primary"), cell_of(document, "shape", "primary")
    assert document["sessions"] < its.height == found["sessions"]
    last = 10 ** its.select("log10_e_better", "log10_e_small").tail(1).to_numpy()[0]
    assert [found["e_better"], found["e_small"]] == pytest.approx(last, rel=1e-4)
    assert found["most_better"] == pytest.approx(10 ** its["log10_e_better"].max(), rel=1e-4)


def test_the_days_of_a_shorter_study_are_those_of_a_longer_one_to_the_bit():
    study = study_with()
    longer, shorter = (judge_worth(study, "w1", sides_of(n))[1].sort("question", "cell", "session") for n in (40, 23))
    common = longer.join(shorter.select("question", "cell", "session"), on=["question", "cell", "session"], how="semi")
    common = common.sort("question", "cell", "session")
    assert common.drop("lower", "upper").equals(shorter.drop("lower", "upper"))
    bounds = [days.filter(cell="primary").select("lower", "upper") for days in (common, shorter)]
    assert bounds[0].equals(bounds[1]), "other cells have bounds on their last days alone"


def test_one_of_three_symbols_alone_brings_no_day_of_the_verdict_and_evidence_of_its_own():
    """As on the first days of a study whose other symbols are listed later."""
    sides = sides_of(12)
    alone = {one: rows.filter(symbol="WEAK") for one, rows in sides.days.items()}
    document, days = judge_worth(study_with(), "w1", replace(sides, days=alone))
    assert (document["state"], document["sessions"], document["left_out"]["days_set_aside"]) == ("NOT YET KNOWN", 0, 12)
    assert days.filter(question="shape")["cell"].unique().to_list() == ["symbol=WEAK"]
    assert cell_of(document, "shape", "symbol=WEAK")["sessions"] == 12


def test_days_that_the_model_may_have_been_trained_on_count_for_nothing():
    until = FIRST_DAY + timedelta(14)
    document, days = judge_worth(study_with(forecaster__trained_until=str(until)), "w1", sides_of())
    alone, its_days = judge_worth(study_with(), "w1", sides_of(first_day=15))
    after = days.filter(~pl.col("before"))
    assert after.drop("before").equals(its_days.drop("before"))
    assert {name: document[name] for name in ("state", "estimate", "e_better")} == {
        name: alone[name] for name in ("state", "estimate", "e_better")
    }
    assert (document["training"]["sessions_before"], document["training"]["sessions_after"]) == (15, DAYS - 15)
    assert document["seen"]["up_to"]["sessions"] == 15
    assert document["seen"]["after"]["sessions"] == DAYS - 15
    before = days.filter("before")
    assert before["session"].max() == until
    assert before["log10_e_better"].null_count() == before.height


def test_what_lies_wholly_in_the_training_days_is_not_known():
    document, days = judge_worth(study_with(forecaster__trained_until="2030-01-01"), "w1", sides_of())
    told = [document[name] for name in ("state", "sessions", "estimate", "more_sessions")]
    assert told == ["NOT YET KNOWN", 0, None, None]
    assert days["before"].all()


def test_money_decides_only_where_params_say_so():
    by_money = {"worth__decide_by": "money", "worth__notional": 1e4}
    document, days = judge_worth(study_with(**by_money), "w1", sides_of(r2=0.0))
    assert document["decide_by"] == "money"
    money = days.filter(question="money")
    assert money["x"].to_list() == [2.0 if day.day % 2 else 0.0 for day in money["session"]]
    assert document["estimate"] == pytest.approx(money["mean"][document["sessions"] - 1])
    assert judge_worth(study_with(), "w1", sides_of(r2=0.0))[0]["state"] != document["state"]


def test_the_break_even_price_is_what_is_earned_more_by_the_calls_of_a_day():
    # 2 a day on average before the price, 4 calls a day; 10,000 of notional: 1 a day is 1 bp.
    priced = study_with(worth__notional=1e4, worth__price_per_call=0.25, worth__planned_sessions=10)
    money = judge_worth(priced, "w1", sides_of(10))[0]["money"]
    assert money["break_even"] == pytest.approx(0.5)
    assert money["bp_a_call"] == pytest.approx(0.5)
    assert money["break_even_interval"] == money["bp_interval"]
    assert None not in money["bp_interval"]
    assert money["price_per_call"] == 0.25
    half = judge_worth(study_with(worth__notional=2e4), "w1", sides_of(10))[0]["money"]
    assert half["bp_a_call"] == pytest.approx(0.25), "the same money is half as many bp of twice the notional"
    in_bp = judge_worth(study_with(worth__notional=None), "w1", sides_of(10))[0]["money"]
    assert (in_bp["bp_a_call"], in_bp["break_even"]) == (pytest.approx(0.5), None), "without a notional days are in bp"
    by_tokens = study_with(worth__notional=1e4, worth__price_per_million_tokens=25.0)  # 10,000 tokens a call
    assert judge_worth(by_tokens, "w1", sides_of())[0]["money"]["price_per_call"] == pytest.approx(0.25)


def test_what_a_call_earned_is_of_the_days_that_decided_alone():
    sides, priced = sides_of(), study_with(worth__notional=1e4, worth__price_per_call=0.1)
    money = judge_worth(priced, "w1", sides)[0]["money"]
    assert money["state"] == "WORTH IT"
    decided = judge(sides.money.net, replace(terms_of(priced), delta=0.0, s0=sides.money.sd)).days
    assert decided < DAYS
    net = sides.money.net[:decided]
    assert money["sessions_needed"] == sessions_to_know(net.mean(), net.std(ddof=1))
    later = pl.int_range(pl.len()) >= decided
    calls = sides.money.calls.with_columns(calls=pl.when(later).then(400).otherwise("calls"))
    gross = sides.money.gross.copy()
    gross[decided:] = -1000.0
    other = replace(sides, money=replace(sides.money, calls=calls, gross=gross))
    assert judge_worth(priced, "w1", other)[0]["money"] == money


def test_what_the_next_sessions_cost_is_known_from_those_that_are_calibrated():
    """Before a longer history can be asked too, a session makes fewer calls."""
    sides = sides_of(10)
    early = pl.DataFrame({"session": [FIRST_DAY - timedelta(day) for day in range(30, 0, -1)]})
    early = early.with_columns(calls=pl.lit(1), tokens=pl.lit(10_000))
    document, _ = judge_worth(study_with(), "w1", replace(sides, calls=pl.concat([early, sides.calls])))
    assert document["calls_a_session"] == 4


def test_where_nothing_was_asked_yet_a_session_has_no_calls():
    sides = sides_of(0)
    none = replace(sides, calls=sides.calls.clear(), money=replace(sides.money, calls=sides.money.calls.clear()))
    assert judge_worth(study_with(), "w1", none)[0]["calls_a_session"] == 0


def test_days_without_a_call_have_no_money_a_call():
    sides = sides_of(10)
    none = sides.money.calls.with_columns(calls=pl.lit(0), tokens=pl.lit(0))
    priced = study_with(worth__notional=1e4, worth__price_per_million_tokens=1.0)
    money = judge_worth(priced, "w1", replace(sides, money=replace(sides.money, calls=none)))[0]["money"]
    assert [money[name] for name in ("bp_a_call", "price_per_call", "break_even")] == [None, None, None]


def test_the_calls_so_far_are_also_those_of_sessions_that_are_no_evidence():
    """Four calls on each of forty sessions: ten that calibrate, or all of them in the training, are paid too."""
    sides = sides_of(calibrated_from=30)
    seen = judge_worth(study_with(forecaster__trained_until="2024-12-31"), "w1", sides_of())[0]
    assert (seen["state"], seen["sessions"], seen["calls"]) == ("NOT YET KNOWN", 0, 160)
    few = judge_worth(study_with(worth__min_days=11), "w1", sides)[0]
    assert (few["state"], few["sessions"], few["calls"]) == ("NOT YET KNOWN", 10, 160)
    trailing = replace(
        sides,
        days={one: days.filter(pl.col("session") < FIRST_DAY + timedelta(35)) for one, days in sides.days.items()},
    )
    assert judge_worth(study_with(), "w1", trailing)[0]["calls"] == 160, "the last days have no outcome"
    ended = judge_worth(
        study_with(worth__planned_sessions=10, worth__min_days=10, worth__prior_studies=10**6), "w1", sides_of()
    )[0]
    assert (ended["state"], ended["sessions"], ended["calls"]) == ("NOT SHOWN", 10, 40), "the plan ended there"


def test_earlier_studies_ask_more_of_what_holds_beside_the_verdict_too():
    """NULL alone has the evidence of 120 that six comparisons need at 5 %; one earlier study asks for 240."""
    for prior, held in ((0, True), (1, True), (10**6, False)):
        cell = cell_of(
            judge_worth(study_with(worth__prior_studies=prior), "w1", sides_of(r2=0.5))[0], "shape", "symbol=NULL"
        )
        assert cell["holds"] is held is (cell["e_better"] >= 6 * (1 + prior) / 0.05)


def test_horizons_and_symbols_hold_together_or_not_and_nothing_else_is_asked_to():
    document, _ = judge_worth(study_with(), "w1", sides_of(r2=0.5))
    # Of six, the largest E must reach 6 / 0.05 = 120 and the second 60: one is far above, the others are below 15.
    held = {(cell["question"], cell["cell"]): cell["holds"] for cell in document["cells"]}
    assert {name for (_, name), holds in held.items() if holds is not None} == {
        "horizon=5", "horizon=15", "horizon=20", *(f"symbol={symbol}" for symbol in SYMBOLS),
    }  # fmt: skip
    most = {symbol: cell_of(document, "shape", f"symbol={symbol}")["most_better"] for symbol in SYMBOLS}
    assert most["NULL"] > 120
    assert max(most["STRONG"], most["WEAK"]) < 60
    assert [symbol for symbol in SYMBOLS if held["shape", f"symbol={symbol}"]] == ["NULL"]
    assert cell_of(document, "shape", "horizon=5")["sessions"] == 0, "the world has one horizon"


def test_a_result_whose_evidence_is_gone_does_not_hold():
    sides = sides_of(r2=0.5)
    middle = FIRST_DAY + timedelta(DAYS // 2)
    later = pl.when(pl.col("session") > middle).then(-pl.col("x")).otherwise("x")
    turned = replace(sides, days={one: days.with_columns(x=later) for one, days in sides.days.items()})
    cell = cell_of(judge_worth(study_with(), "w1", turned)[0], "shape", "symbol=NULL")
    assert cell["most_better"] > 120 > cell["e_better"]
    assert not cell["holds"]


@pytest.mark.parametrize(("symbols", "alone"), [(["NULL"], []), (["WEAK", "NULL"], ["symbol=NULL", "symbol=WEAK"])])
def test_symbols_are_compared_one_by_one_in_order_where_there_are_several(symbols, alone):
    cells = cells_of(study_with(universe__symbols=symbols, universe__whitelist=symbols), ["free_mix"])
    assert [cell.name for cell in cells if cell.name.startswith("symbol=")] == alone


def test_a_candidate_that_is_asked_is_not_compared_with_itself():
    document, _ = judge_worth(study_with(), "w1", sides_of())
    assert [cell["cell"] for cell in document["cells"] if cell["cell"].startswith("free=")] == ["free=har"]
    assert document["beats_each_free"]["free"] == "har"


def test_the_free_forecast_hardest_to_beat_is_the_one_with_least_evidence_against_it():
    terms = terms_of(study_with())
    easy, hard = (judge(np.full(30, mean), terms) for mean in (0.06, 0.02))
    found = _weakest({("shape", "free=ewma_fhs"): (None, easy), ("shape", "free=har"): (None, hard)})
    assert found == {
        "free": "har",
        "most_better": pytest.approx(float(np.exp(max(hard.by_day.log_e_better))), rel=1e-6),
    }


def test_what_either_side_could_not_calibrate_leaves_both_and_is_counted():
    document, days = judge_worth(study_with(), "w1", sides_of(calibrated_from=5))
    assert document["left_out"]["uncalibrated"] == 5 * 4 * len(SYMBOLS)
    assert days.filter(question="shape", cell="primary")["session"].min() == date(2024, 1, 6)


@pytest.mark.parametrize(
    ("source", "until", "unseen"),
    [
        ("local:seasonal", None, True),
        ("local:seasonal", "2024-01-15", False),
        ("command:chronos", None, False),
        ("timegpt-2.1@api.nixtla.io", None, False),
    ],
)
def test_only_the_projects_own_forecasters_have_surely_seen_nothing(source, until, unseen):
    """The weights of a user's program may have been trained on anything, though it costs nothing."""
    sides = replace(sides_of(learns_here=True), untrained=is_untrained([source]))
    document, _ = judge_worth(study_with(forecaster__trained_until=until), "w1", sides)
    assert document["training"]["unseen"] is unseen


def test_one_day_says_what_a_call_earned_and_how_many_more_it_takes_and_no_interval():
    document, _ = judge_worth(study_with(worth__notional=1e4), "w1", sides_of(1))
    assert document["more_sessions"] is not None
    money = document["money"]
    assert (money["bp_a_call"], money["bp_interval"], money["break_even_interval"]) == (
        0.75,
        [None, None],
        [None, None],
    )


def test_the_weights_of_the_free_forecasts_are_those_of_the_last_session_at_the_primary_horizon():
    days = [date(2024, 1, day) for day in (2, 3) for _ in range(4)]
    free = {"session": days, "horizon_min": [10, 10, 5, 5] * 2, "model": ["free:seasonal", "free:har"] * 4}
    weights = pl.DataFrame(free | {"weight": [0.5, 0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8]})
    assert list(last_weights(weights, study_with()).items()) == [("har", 0.7), ("seasonal", 0.3)]
    stated = study_with(worth__horizon_min=5)
    assert last_weights(weights, stated) == {"har": 0.8, "seasonal": 0.2}
    traded = {"worth__horizon_min": 5, "worth__notional": 1e4, "worth__decide_by": "money"}
    assert last_weights(weights, study_with(**traded)) == {"har": 0.7, "seasonal": 0.3}, "the rule's own horizon"


def test_figures_have_nine_decimals_and_what_is_not_finite_is_null():
    assert [str(_round(value)) for value in (1 / 3, -1e-12, float("inf"))] == ["0.333333333", "0.0", "None"]
