"""`make gate`: the verdict names what made it, and nobody is sent to the holdout after a failure."""

import pytest

from stages.errors import GateNotMet

VERDICTS = {"controls": "PASS", "forecast": "PASS", "oos_sharpe": "PASS", "hit_rate": "PASS", "pnl_at_1p5x": "PASS"}
SEALED = dict.fromkeys(("oos_sharpe", "hit_rate", "pnl_at_1p5x"), "SEALED")
ENDINGS = [
    ("FAIL", SEALED | {"forecast": "FAIL", "controls": "INCONCLUSIVE"}, "forecast"),
    ("INCONCLUSIVE", SEALED | {"controls": "INCONCLUSIVE"}, "controls"),
    ("FAIL", {"hit_rate": "FAIL", "oos_sharpe": "INCONCLUSIVE", "pnl_at_1p5x": "FAIL"}, "hit_rate, pnl_at_1p5x"),
    ("SEALED", SEALED, "oos_sharpe, hit_rate, pnl_at_1p5x"),
]


@pytest.mark.parametrize(("verdict", "said", "named"), ENDINGS)
def test_the_gate_names_only_what_made_the_verdict_and_offers_the_holdout_only_where_that_alone_is_missing(
    project, verdict, said, named
):
    figures = dict.fromkeys(("value", "threshold", "n", "n_days"), 0) | {"required": True, "words": ""}
    judged = {name: figures | {"verdict": one} for name, one in (VERDICTS | said).items()}
    project.write_json("artifacts/evaluate/gates.json", {"verdict": verdict, "holds": False, "gates": judged})

    with pytest.raises(GateNotMet) as told:
        project.run("gate")

    assert f"the verdict is {verdict}: {named}. " in str(told.value)
    assert ("make open-holdout" in str(told.value)) == (verdict == "SEALED")
