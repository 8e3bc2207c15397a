"""What is said where the buyer's verdict and that of the gates seem to contradict each other."""

import pytest

from stages.worth.gates_compared import many_looks, why_gates_differ
from stages.worth.verdict import State


def test_gates_that_were_looked_at_over_several_spans_say_so_and_where_to_judge_them():
    said = "The gates were looked at 2 times, over different spans, and each look is a chance to pass by luck: "
    assert many_looks(2, 120) == said + "judge them at the planned end, session 120."
    assert many_looks(1, 120) == many_looks(0, 120) == ""


@pytest.mark.parametrize(
    ("state", "gates", "begins"),
    [
        (State.WORTH_IT, "FAIL", "The gates say FAIL because they ask another question, once: is the median better"),
        (State.WORTH_IT, "INCONCLUSIVE", "The gates say INCONCLUSIVE because they ask another question, once:"),
        (State.NOT_WORTH_IT, "PASS", "The gates say PASS because they ask another question: are the forecasts good?"),
        (State.NOT_SHOWN, "PASS", "The gates say PASS because they ask another question: are the forecasts good?"),
    ],
)
def test_a_verdict_that_seems_to_contradict_the_gates_says_why(state, gates, begins):
    assert why_gates_differ({"state": state, "decide_by": "shape"}, gates).startswith(begins)


@pytest.mark.parametrize(
    ("state", "gates"),
    [(State.WORTH_IT, "PASS"), (State.WORTH_IT, "SEALED"), (State.NOT_WORTH_IT, "FAIL"),
     (State.NOT_SHOWN, "INCONCLUSIVE"), (State.NOT_YET_KNOWN, "PASS"), (State.NOT_YET_KNOWN, "FAIL")],
)  # fmt: skip
def test_a_verdict_that_contradicts_no_gate_says_nothing_of_them(state, gates):
    assert why_gates_differ({"state": state, "decide_by": "shape"}, gates) == ""


def test_where_money_decides_the_question_beside_the_gates_is_that_of_money():
    money = {"decide_by": "money"}
    assert why_gates_differ(money | {"state": State.WORTH_IT}, "FAIL").endswith(
        "Worth asks whether the rule earns more than with a forecast that is free."
    )
    assert why_gates_differ(money | {"state": State.NOT_SHOWN}, "PASS").endswith(
        "Worth asks whether the rule earns as much with a free one."
    )
