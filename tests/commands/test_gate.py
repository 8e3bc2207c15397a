"""`make gate`: the verdict names what made it, and nobody is sent to the holdout after a failure."""

import pytest

from stages.errors import GateNotMet
from tests.worth.test_verdict_lines import NOT_WORTH, WORTH

VERDICTS = {"controls": "PASS", "forecast": "PASS", "oos_sharpe": "PASS", "hit_rate": "PASS", "pnl_at_1p5x": "PASS"}
SEALED = dict.fromkeys(("oos_sharpe", "hit_rate", "pnl_at_1p5x"), "SEALED")
ENDINGS = [
    ("FAIL", SEALED | {"forecast": "FAIL", "controls": "INCONCLUSIVE"}, "forecast"),
    ("INCONCLUSIVE", SEALED | {"controls": "INCONCLUSIVE"}, "controls"),
    ("FAIL", {"hit_rate": "FAIL", "oos_sharpe": "INCONCLUSIVE", "pnl_at_1p5x": "FAIL"}, "hit_rate, pnl_at_1p5x"),
    ("SEALED", SEALED, "oos_sharpe, hit_rate, pnl_at_1p5x"),
]


def judge(project, verdict, gates, *, words="", **stated):
    """What a finished run leaves: `gates` by name with their verdicts, and the card that says it was worth it."""
    figures = dict.fromkeys(("value", "threshold", "n", "n_days"), 0) | {"required": True, "words": words}
    judged = {name: figures | {"verdict": one} for name, one in gates.items()}
    document = {"verdict": verdict, "holds": False, "gates": judged} | stated
    project.write_json("artifacts/evaluate/gates.json", document)
    project.write_json("artifacts/judge_worth/worth.json", WORTH)


@pytest.mark.parametrize(("verdict", "said", "named"), ENDINGS)
def test_the_gate_names_only_what_made_the_verdict_and_offers_the_holdout_only_where_that_alone_is_missing(
    project, verdict, said, named
):
    judge(project, verdict, VERDICTS | said)
    with pytest.raises(GateNotMet) as told:
        project.run("gate")

    assert f"the verdict is {verdict}: {named}. " in str(told.value)
    assert ("make open-holdout" in str(told.value)) == (verdict == "SEALED")
    assert str(told.value).endswith("The page is artifacts/report/index.html.")


def test_where_params_only_warn_of_little_evidence_the_sealed_holdout_stops(project):
    gates = VERDICTS | SEALED | {"forecast": "INCONCLUSIVE"}
    judge(project, "INCONCLUSIVE", gates, words="It is closed.", inconclusive="warn")
    with pytest.raises(GateNotMet, match=r"sample: oos_sharpe, hit_rate, pnl_at_1p5x\. It is closed\. `make open"):
        project.run("gate")


def test_the_card_stands_below_the_gates_and_says_why_the_two_differ(project, capsys):
    judge(project, "FAIL", {"forecast": "FAIL"})
    with pytest.raises(GateNotMet):
        project.run("gate")
    said = capsys.readouterr().out
    assert said.index("forecast") < said.index("WORTH IT (decided 12 March 2024")
    assert "The gates say FAIL because they ask another question" in said
    assert max(map(len, said.partition("WORTH IT")[2].splitlines())) <= 80


def test_a_pass_beside_a_forecaster_that_is_not_worth_its_price_is_explained(project):
    project.write_json("artifacts/evaluate/gates.json", {"verdict": "PASS", "holds": True, "gates": {}})
    project.write_json("artifacts/judge_worth/worth.json", NOT_WORTH)
    said = " ".join(project.run("gate").split())
    assert "NOT WORTH IT (decided 3 May 2024, after 86 sessions, 688 calls)" in said
    assert "Worth asks whether a free one is as good." in said
    assert said.endswith("gate: PASS. The page is artifacts/report/index.html.")


def test_worth_shows_the_card_alone_and_ends_well_in_every_state(project):
    project.write_json("artifacts/judge_worth/worth.json", NOT_WORTH)
    said = " ".join(project.run("worth").split())
    assert said.startswith("NOT WORTH IT (decided 3 May 2024, after 86 sessions, 688 calls). Nothing you would pay for")
