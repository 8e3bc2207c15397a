"""`make whitelist`: the eligible symbols of the stated strategy may trade, and nobody else."""

import pytest

from stages.errors import ConfigurationError, GateNotMet
from tests.support.locks import record_run

GATES = "artifacts/score_forecasts/forecast_gates.json"


def judge(project, *eligible, method="cqr", horizon_min=10):
    cells = [
        {
            "symbol": symbol,
            "history_days": 40,
            "horizon_min": horizon_min,
            "method": method,
            "eligible": symbol in eligible,
        }
        for symbol in ("NULL", "STRONG", "WEAK")
    ]
    project.write_json(GATES, {"cells": cells})


def test_eligible_symbols_are_written_in_the_order_of_the_universe_and_a_commit_is_asked_for(project):
    judge(project, "WEAK", "STRONG")

    said = project.run("whitelist")

    assert (
        "universe.whitelist = ['STRONG', 'WEAK'] (was: ['STRONG', 'WEAK', 'NULL']) -> conf/universe/synthetic.yaml"
        in said
    )
    assert "git commit" in said
    assert project.params()["universe"]["whitelist"] == ["STRONG", "WEAK"]
    project.run("params", "--check")


def test_a_symbol_comes_back_when_it_becomes_eligible(project):
    judge(project, "STRONG")
    project.run("whitelist")
    judge(project, "STRONG", "NULL")

    project.run("whitelist")

    assert project.params()["universe"]["whitelist"] == ["STRONG", "NULL"]
    assert "already" in project.run("whitelist")


def test_the_horizon_stated_for_a_symbol_counts_for_that_symbol(project):
    project.edit("conf/rules/default.yaml", "horizon_min_by_symbol: {}", "horizon_min_by_symbol: {STRONG: 5}")
    project.run("params", "--check")
    judge(project, "STRONG", "WEAK", horizon_min=5)

    project.run("whitelist")

    assert project.params()["universe"]["whitelist"] == ["STRONG"]


def test_cells_that_were_judged_by_other_rules_than_conf_states_are_not_read(project):
    judge(project, "STRONG")
    record_run(project.path, {"gates": project.params()["gates"]})
    project.edit("conf/gates/ci.yaml", "rmae_lt: 0.95", "rmae_lt: 0.9")
    with pytest.raises(ConfigurationError, match=r"gates\.rmae_lt = 0\.9 \(artifacts: 0\.95\): `make run`"):
        project.run("whitelist")


@pytest.mark.parametrize("cells", [{"method": "widen"}, {"horizon_min": 20}])
def test_when_no_cell_of_the_strategy_is_eligible_nothing_is_written(project, cells):
    judge(project, "STRONG", "WEAK", **cells)

    with pytest.raises(GateNotMet, match=r"calibration\.method = cqr"):
        project.run("whitelist")

    assert project.params()["universe"]["whitelist"] == ["STRONG", "WEAK", "NULL"]


def test_an_applied_experiment_is_not_written_over(project):
    judge(project, "STRONG")
    project.apply_experiment("rules.k_sigma=2.0")

    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma"):
        project.run("whitelist")
