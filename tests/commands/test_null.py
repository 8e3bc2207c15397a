"""`make null`: the gates of the run judge on both null markets, whatever params the null study composes to."""

from types import SimpleNamespace

from stages.commands import null
from stages.params.gates import GatesParams
from stages.trading.luck import Passed
from stages.worth.verdict import State


def test_random_walks_are_judged_by_the_gates_of_the_run(project, monkeypatch):
    project.apply_experiment("gates=point", "gates.rmae_lt=0.99")
    judged: list[GatesParams] = []

    def replay(_, strategy, gates):
        judged.append(gates)
        return Passed(False, False, False)

    span = SimpleNamespace(forecasts=None)
    kept: list[dict] = []
    stand_ins = {
        "require_evidence": lambda *_: None,
        "_judged_strategy": lambda _: "s0",
        "keep_span": lambda *_: span,
        "traded_kind": lambda *_: None,
        "at_other_dates": lambda *_: None,
        "replace": lambda one, **changes: SimpleNamespace(**vars(one) | changes),
        "null_market": lambda _: (span, State.NOT_YET_KNOWN),
        "replay": replay,
        "keep_luck": lambda _, found: kept.append(found),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(null, name, stand_in)
    null.null(times=1, seeds=1)
    assert [(one.policy, one.rmae_lt) for one in judged] == [("point", 0.99), ("point", 0.99)]
    assert (kept[0]["gates"]["policy"], kept[0]["gates"]["rmae_lt"]) == ("point", 0.99)
