"""The three lines of every state, word for word, and the document that they are written from."""

import json
import re
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from stages.worth.judgement import e_value, plain, verdict_fields
from stages.worth.verdict import Terms, judge
from stages.worth.verdict_lines import card, line, odds

UNKNOWN: dict[str, Any] = {"unseen": False, "trained_until": None, "sessions_before": 0, "sessions_after": 49}
NOTHING_TO_SAY = UNKNOWN | {"unseen": True}
MONEY: dict[str, Any] = {
    "state": "NOT YET KNOWN", "bp_a_call": 0.8, "bp_interval": [-1.9, 3.5], "price_per_call": 0.01, "break_even": None,
    "break_even_interval": [None, None], "sessions_needed": None,
}  # fmt: skip
WORTH: dict[str, Any] = {
    "state": "WORTH IT", "decided_on": "2024-03-12", "sessions": 49, "estimate": 0.044, "interval": [0.003, 0.089],
    "e_better": 28.4, "e_small": 0.2, "most_better": 28.4, "most_small": 1.1, "threshold": 20.0, "delta": 0.03,
    "prior_studies": 0, "min_days": 10, "planned_sessions": 120, "study_id": "0f3c9a1e", "model": "TimeGPT",
    "symbols": ["AAPL"], "horizon_min": 20, "decide_by": "shape", "rehearsal": False, "calls": 392,
    "calls_a_session": 8, "step": 5, "training": UNKNOWN, "money": MONEY, "more_sessions": None,
    "free_weights": {"ewma_fhs": 0.39, "har": 0.61, "persistence": 0.0, "seasonal": 0.001},
}  # fmt: skip
NOT_WORTH = WORTH | {
    "state": "NOT WORTH IT", "decided_on": "2024-05-03", "sessions": 86, "calls": 688,
    "estimate": 0.0082, "interval": [-0.0093, 0.0297], "most_better": 3.0, "most_small": 22.9,
}  # fmt: skip
OPEN = WORTH | {
    "state": "NOT YET KNOWN", "decided_on": None, "sessions": 38, "calls": 304, "estimate": 0.043,
    "interval": [-0.008, 0.098], "e_better": 10.2, "e_small": 0.51, "most_better": 12.0, "more_sessions": [20, 70],
    "training": NOTHING_TO_SAY,
}  # fmt: skip
ENDED = WORTH | {
    "state": "NOT SHOWN", "decided_on": None, "sessions": 250, "calls": 2000, "planned_sessions": 250,
    "estimate": 0.021, "interval": [0.006, 0.036], "e_better": 500.0, "most_better": 731.6,
}  # fmt: skip


def test_worth_it():
    assert card(WORTH) == (
        "WORTH IT (decided 12 March 2024, after 49 sessions, 392 calls). TimeGPT's distributions beat the best free "
        "forecast on AAPL, 20 min.",
        "Advantage 4.4 % of the loss (surely 0.3 to 8.9 %; you asked for 3 %). Evidence 28 to 1; 20 to 1 was needed, "
        "looks included.",
        "Money: +0.8 bp a call before its price (-1.9 to 3.5), not yet known after it. Training days: unknown, it may "
        "have seen these. You may stop buying evidence.",
    )


def test_not_worth_it():
    assert card(NOT_WORTH) == (
        "NOT WORTH IT (decided 3 May 2024, after 86 sessions, 688 calls). Nothing you would pay for: surely less than "
        "3 % better than what is free.",
        "Advantage 0.82 % (-0.93 to 2.97 %). Evidence against 3 %: 22 to 1. The free forecast is 61 % har, "
        "39 % ewma_fhs.",
        "Stop buying. The 34 sessions left of the plan (272 calls) are saved.",
    )
    better = card(NOT_WORTH | {"most_better": 20.0, "interval": [0.001, 0.0297]})
    assert better[0].endswith("Surely better than what is free, but surely by less than 3 %.")
    assert card(NOT_WORTH | {"sessions": 120})[2] == "Stop buying."


def test_not_yet_known():
    assert card(OPEN) == (
        "NOT YET KNOWN (38 sessions, 304 calls). Advantage 4.3 % (-0.8 to 9.8 %). Evidence 10 to 1 for, 0.5 to 1 "
        "against; 20 to 1 decides.",
        "If it goes on like this: about 20 to 70 more sessions (160 to 560 calls); the plan ends after 82 more.",
        "Next: make study STEP=5 (40 calls).",
    )


@pytest.mark.parametrize(
    ("changes", "line", "says"),
    [
        ({"more_sessions": [20, None]}, 1, "about 20 more sessions or longer (160 calls or more); the plan ends after"),
        ({"more_sessions": [None, None]}, 1, "not before the plan ends, after 82 more (656 calls)."),
        ({"more_sessions": [6, 6]}, 1, "about 6 more sessions (48 calls); the plan ends after 82 more."),
        ({"more_sessions": [1, 1]}, 1, "about 1 more session (8 calls);"),
        ({"more_sessions": None}, 1, "The plan ends after 82 sessions more (656 calls)."),
        ({"step": 1, "calls_a_session": 1}, 2, "Next: make study STEP=1 (1 call)."),
        ({"sessions": 118}, 2, "Next: make study STEP=2 (16 calls)."),
        ({"sessions": 4, "interval": [None, None]}, 0, "4.3 % (no bound yet)."),
        ({"sessions": 9}, 0, "20 to 1 decides, from 10 sessions on."),
        ({"sessions": 10}, 0, "20 to 1 decides."),
        ({"interval": [None, 0.098]}, 0, "(at most 9.8 %)"),
        ({"interval": [0.001, None]}, 0, "(at least 0.1 %)"),
        ({"estimate": -0.00001}, 0, "Advantage 0.0 % ("),
        ({"most_better": 20.0}, 0, "against; better than free, surely, but so far by less than the 3 % you asked for."),
        ({"estimate": None, "sessions": 0, "calls": 0}, 0, "(0 sessions, 0 calls). No complete session counts yet"),
        ({"prior_studies": 1, "threshold": 40.0}, 0, "40 to 1 decides."),
    ],
)
def test_what_is_not_yet_known_says_why_and_what_it_takes(changes: dict[str, object], line: int, says: str):
    assert says in card(OPEN | changes)[line]


def test_not_shown():
    lines = card(ENDED)
    assert lines[0] == (
        "NOT SHOWN (plan ended, 250 sessions). Better than free, surely (0.6 to 3.6 %, 731 to 1), but not known to "
        "reach the 3 % you asked for."
    )
    assert lines[2] == "Stop, or lower worth.delta in a new study."
    assert "Better than free, surely (0.6 to 3.6 %, 20 to 1)" in card(ENDED | {"most_better": 20.0})[0]
    assert "Not known to be better than free (-0.6 to 3.6 %, 3 to 1), nor surely less than 3 % better." in card(
        ENDED | {"interval": [-0.006, 0.036], "most_better": 3.0}
    )[0]  # fmt: skip


def test_a_step_of_a_study_is_reported_in_one_line():
    said = "NOT YET KNOWN. Advantage 4.3 % (-0.8 to 9.8 %), 10 to 1 for, 0.5 to 1 against"
    assert line(OPEN) == f"38 sessions, 304 calls: {said}"
    assert line(OPEN | {"rehearsal": True}) == f"38 sessions, a rehearsal: nothing was paid: {said}"
    assert line(OPEN | {"estimate": None, "sessions": 0, "calls": 0}) == "0 sessions, 0 calls: NOT YET KNOWN"


def test_sessions_that_are_bought_already_are_not_said_to_be_saved():
    """Of 120 planned, 86 decided and 90 are bought; what a rehearsal shows is what a purchase would save."""
    beyond = NOT_WORTH | {"training": UNKNOWN | {"sessions_after": 90}}
    assert card(beyond)[2] == "Stop buying. The 30 sessions left of the plan (240 calls) are saved."
    assert card(beyond | {"rehearsal": True})[2] == "The 34 sessions left of the plan are saved."
    for bought in (120, 125):
        assert card(NOT_WORTH | {"training": UNKNOWN | {"sessions_after": bought}})[2] == "Stop buying."


def test_days_that_the_model_may_have_seen_count_for_nothing_and_the_card_says_so():
    training = UNKNOWN | {"trained_until": "2024-10-01", "sessions_before": 41, "sessions_after": 20}
    says = "41 of 61 sessions lie before the end of its training, 2024-10-01, and do not count."
    assert says in card(OPEN | {"training": training})[1]
    assert says in card(WORTH | {"training": training})[2]
    assert "Training" not in " ".join(card(WORTH | {"training": training | {"sessions_before": 0}}))
    assert "Training" not in " ".join(card(WORTH | {"training": NOTHING_TO_SAY}))


def test_what_cost_nothing_is_called_a_rehearsal_and_speaks_of_no_calls():
    for document in (WORTH, NOT_WORTH, OPEN, ENDED):
        said = " ".join(card(document | {"rehearsal": True, "money": None}))
        assert "a rehearsal: nothing was paid" in said
        assert "call" not in said
        assert "buying" not in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"price_per_call": None}, "Money: +0.8 bp a call, no price stated, not yet known (-1.9 to 3.5)."),
        ({"state": "WORTH IT", "bp_interval": [0.1, None], "break_even_interval": [0.02, None]},
         "before its price (at least 0.1), surely a gain after it."),
        ({"state": "WORTH IT", "break_even_interval": [0.01, None]}, "surely a gain after it by an earlier day"),
        ({"state": "WORTH IT", "bp_interval": [-1.6, 11.0], "price_per_call": None},
         "no price stated, surely a gain by an earlier day (-1.6 to 11.0)."),
        ({"state": "WORTH IT", "bp_interval": [0.5, 11.0], "price_per_call": None},
         "no price stated, surely a gain (0.5 to 11.0)."),
        ({"state": "WORTH IT", "bp_interval": [0.5, 11.0], "break_even_interval": [0.2, 4.0], "price_per_call": 0.0},
         "before its price (0.5 to 11.0), surely a gain after it."),
        ({"state": "NOT WORTH IT", "bp_a_call": -0.04, "bp_interval": [-0.5, 0.4]},
         "Money: 0.0 bp a call before its price (-0.5 to 0.4), surely no gain after it."),
        ({"break_even": 1234.5, "break_even_interval": [-0.00001, 40000.0], "price_per_call": 1500.0},
         "It breaks even at a price of 1,230 a call (-0.00001 to 40,000); yours is 1,500."),
        ({"break_even": 0.0123, "break_even_interval": [-0.01, 0.04]},
         "It breaks even at a price of 0.0123 a call (-0.01 to 0.04); yours is 0.01."),
        ({"sessions_needed": 1764}, "At this size an answer takes about 1,764 sessions."),
    ],
)  # fmt: skip
def test_money_is_reported_beside_the_verdict(changes: dict[str, object], says: str):
    assert says in card(WORTH | {"money": WORTH["money"] | changes})[2]


def test_of_money_that_no_call_could_earn_nothing_is_reported():
    none = {"bp_a_call": None, "bp_interval": [None, None]}
    assert "Money" not in card(WORTH | {"money": MONEY | none})[2]


def test_evidence_of_an_earlier_day_is_reported_with_that_of_the_day_that_decided():
    _, said, _ = card(WORTH | {"most_better": 61.2, "e_better": 10.9, "interval": [-0.084, 0.938]})
    assert "surely -8.4 to 93.8 %" in said
    assert "Evidence 61 to 1 on an earlier day, 10 to 1 on this one; 20 to 1 was needed" in said
    enough = card(WORTH | {"most_better": 61.2, "e_better": WORTH["threshold"]})[1]
    assert "Evidence 61 to 1; 20 to 1 was needed" in enough  # as much as is needed decides


def test_one_of_a_kind_is_no_plural():
    assert "after 49 sessions, 1 call)." in card(WORTH | {"calls": 1})[0]
    assert "The 1 session left of the plan (8 calls) is saved." in card(NOT_WORTH | {"planned_sessions": 87})[2]
    assert "about 1 more session or longer" in card(OPEN | {"more_sessions": [1, None]})[1]


def test_what_is_known_of_money_takes_no_more_sessions():
    known = WORTH["money"] | {"state": "WORTH IT", "sessions_needed": 1764}
    assert "an answer takes" not in card(WORTH | {"money": known})[2]


def test_an_answer_that_did_not_come_in_so_many_sessions_is_not_said_to_take_them():
    """49 sessions did not answer it."""
    for needed in (1, 49):
        money = WORTH["money"] | {"state": "NOT SHOWN", "sessions_needed": needed}
        assert "an answer takes" not in card(WORTH | {"money": money})[2]
    money = WORTH["money"] | {"state": "NOT SHOWN", "sessions_needed": 50}
    assert "an answer takes about 50 sessions" in card(WORTH | {"money": money})[2]


def test_where_money_decides_the_lines_speak_of_gains():
    """The rule trades horizons and symbols of its own, and a gain is after the price only where one is stated."""
    money = {"decide_by": "money", "delta": 0.0, "estimate": 3.2, "interval": [0.4, 6.0]}
    first, second, _ = card(WORTH | money)
    assert first.endswith("TimeGPT's forecasts earn more than they cost.")
    assert second.startswith("Gain 3.20 a session after its price (surely 0.40 to 6.00). Evidence 28 to 1;")
    assert "Evidence against a gain: 22 to 1." in card(NOT_WORTH | money)[1]
    lost = OPEN | money | {"estimate": -0.5, "most_better": 20.4}
    assert "better than free, surely, but so far no gain on average." in card(lost)[0]
    for document in (NOT_WORTH, OPEN, ENDED):
        assert "%" not in " ".join(card(document | money | {"free_weights": {}}))

    unpriced = money | {"money": MONEY | {"price_per_call": None}}
    first, second, _ = card(WORTH | unpriced)
    assert first.endswith("TimeGPT's forecasts earn more than the free ones.")
    assert second.startswith("Gain 3.20 a session before any price (surely 0.40 to 6.00).")
    for document in (NOT_WORTH, OPEN, ENDED):
        assert "cost" not in " ".join(card(document | unpriced))


def test_evidence_is_never_rounded_up_to_what_is_needed():
    said = {19.99: "19 to 1", 9.96: "9.9 to 1", 3.0: "3 to 1", 0.15: "0.1 to 1", 0.1: "0.1 to 1"}
    said |= {
        0.0999: "less than 0.1 to 1",
        12_345.6: "12,345 to 1",
        1e6: "1,000,000 to 1",
        1_000_001.0: "more than a million to 1",
    }
    assert {e: odds(e) for e in said} == said


def test_no_line_speaks_of_significance_or_p_or_breaks():
    for document in (WORTH, NOT_WORTH, OPEN, ENDED):
        for said in card(document):
            assert not re.search(r"signific|\bp\b|p-value|\n|  |nan|None", said), said


def test_a_verdict_becomes_a_document_of_plain_values_and_that_the_lines():
    terms = Terms(delta=0.03, alpha=0.05, prior_studies=1, min_days=10, planned_sessions=120, s0=0.05)
    sessions = [date(2024, 1, 2) + timedelta(days=day) for day in range(40)]
    finding = judge(np.full(40, 0.09), terms)
    fields = verdict_fields(finding, sessions, terms)
    document = json.loads(json.dumps(WORTH | plain(fields)))

    assert document["decided_on"] == str(sessions[finding.decided])
    assert document["e_better"] == pytest.approx(np.exp(finding.log_e_better), rel=1e-6)
    assert document["threshold"] == 40.0
    assert plain({"estimate": 1 / 3, "interval": (None, date(2024, 1, 2))}) == {
        "estimate": 0.333333333,
        "interval": [None, "2024-01-02"],
    }
    assert "40 to 1 was needed, looks and 1 earlier study included." in card(document)[1]
    assert set(fields) < set(WORTH)


def test_evidence_has_six_digits_and_beyond_every_number_is_still_written():
    assert np.isfinite(e_value(5000.0))
    assert e_value(np.log(28.4123456)) == 28.4123
