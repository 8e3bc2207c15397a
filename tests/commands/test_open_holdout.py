"""`make open-holdout`: one named strategy, after its search result was seen, with the openings before it."""

import pytest

from stages.configuration.compose import compose
from stages.errors import ConfigurationError, GateNotMet
from stages.io.bucket_store import shared_store
from stages.io.object_store import LocalStore
from stages.params.study import Study
from stages.runs.trial_log import TrialLog, openings_of
from stages.trading.strategy import strategy_id
from stages.trading.trials import opened

MANIFEST = {"files": []}
OOS = "artifacts/evaluate/oos.json"


def judge(project, trading=("STRONG",), held=None) -> str:
    """Leave the artifacts of a run that judged what conf/ states, with these sessions held out; the strategy's id."""
    project.write_json("artifacts/list_source/manifest.json", MANIFEST)
    name = strategy_id(Study.parse(compose()).document(), MANIFEST, trading)
    project.write_json(
        OOS, {"strategy_id": name, "trading": list(trading), "status": "SEALED", "held": held or {"all": 30}}
    )
    return name


def test_the_id_is_written_into_conf_and_params_and_a_commit_is_asked_for(project):
    name = judge(project)
    said = project.run("open-holdout")
    assert f"strategy {name}" in said
    assert "git commit" in said
    assert project.params()["split"]["open_holdout"] == name
    assert f"open_holdout: {name}" in project.text("conf/split/single_holdout.yaml")
    project.run("params", "--check")


def test_opening_does_not_change_the_id_it_opens_for(project):
    name = judge(project)
    project.run("open-holdout")
    assert judge(project) == name
    assert "already" in project.run("open-holdout")


def test_the_first_opening_says_that_there_was_none_before(project):
    judge(project)
    assert "before this one: 0. Strategies: none" in project.run("open-holdout")


@pytest.mark.journey  # many openings, each committed
def test_earlier_openings_are_named_with_their_commits_also_from_experiments_and_when_taken_back(project):
    first = judge(project)
    project.run("open-holdout")
    committed = project.commit()
    project.edit("conf/split/single_holdout.yaml", first, "null")
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    project.run("params")
    project.commit()
    project.apply_experiment("split.open_holdout=s00000000abc")
    experiment = project.commit()
    project.git("update-ref", "refs/exps/ab/cdef/sneaky", "HEAD")
    project.git("reset", "-q", "--hard", "HEAD~1")
    second = judge(project)

    said = project.run("open-holdout")

    assert second != first
    assert f"before this one: 2. Strategies: {first} (commit {committed}), s00000000abc (commit {experiment})" in said


def test_an_opening_of_a_colleague_that_only_the_shared_log_holds_is_named(project, tmp_path):
    (project.path / ".dvc/config.local").write_text(
        f"[core]\n    remote = team\n['remote \"team\"']\n    url = {tmp_path}/team\n"
    )
    api = Study.parse(compose()).api
    TrialLog(LocalStore(tmp_path / "colleague"), shared_store(api)).add(opened(project.params(), "s00000000abc"))
    judge(project)
    said = project.run("open-holdout")
    assert "before this one: 1. Strategies: s00000000abc (trial log)" in said


@pytest.mark.journey  # many openings, each committed
def test_an_opening_on_a_branch_that_took_it_back_before_it_was_merged_counts(project):
    first = judge(project)
    project.git("checkout", "-q", "-b", "aside")
    project.run("open-holdout")
    committed = project.commit()
    project.git("revert", "--no-edit", "HEAD")
    project.git("checkout", "-q", "-")
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    project.run("params")
    project.commit()
    project.git("merge", "-q", "--no-ff", "--no-edit", "aside")
    project.git("branch", "-q", "-D", "aside")
    judge(project)
    assert f"before this one: 1. Strategies: {first} (commit {committed})" in project.run("open-holdout")


@pytest.mark.parametrize("command", ["open-holdout", "trials"])
def test_a_clone_that_lacks_earlier_commits_counts_no_openings_and_no_trials(project, command):
    judge(project)
    project.run("open-holdout")
    project.commit()
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    project.run("params")
    judge(project)
    project.commit()
    project.make_shallow()
    with pytest.raises(ConfigurationError, match=r"shallow clone.*`git fetch --unshallow`"):
        project.run(command)


@pytest.mark.journey  # many openings, each committed
def test_openings_of_another_source_do_not_count(project):
    judge(project)
    project.run("open-holdout")
    project.commit()
    project.edit("conf/source/synthetic.yaml", "name: synthetic", "name: other_market")
    project.edit("conf/source/synthetic.yaml", "seed: 20240903", "seed: 7")
    project.run("params")
    judge(project)
    assert "Openings of source 'other_market' before this one: 0." in project.run("open-holdout")


def test_a_strategy_that_the_last_run_did_not_judge_is_not_opened(project):
    name = judge(project)
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    with pytest.raises(ConfigurationError, match=f"judged strategy {name}.*make run"):
        project.run("open-holdout")
    assert project.params()["split"]["open_holdout"] is None


def test_a_strategy_that_may_trade_nothing_stays_sealed(project):
    judge(project, trading=())
    with pytest.raises(GateNotMet, match="stays sealed"):
        project.run("open-holdout")


def test_an_applied_experiment_is_not_opened_in_passing(project):
    judge(project)
    project.apply_experiment("rules.k_sigma=1.0")
    with pytest.raises(ConfigurationError, match="applied experiment"):
        project.run("open-holdout")


MONTHS = {"2025-02": 19, "2025-03": 21}


def cut_months(project) -> str:
    project.edit("conf/split/single_holdout.yaml", "holdout_sessions: 30", "holdout_sessions: null")
    project.edit("conf/split/single_holdout.yaml", "holdout_months: null", "holdout_months: 2")
    project.run("params")
    project.commit()
    return judge(project, held=MONTHS)


@pytest.mark.journey  # many openings, each committed
def test_months_are_opened_one_by_one_each_on_the_record(project):
    name = cut_months(project)

    assert "2025-02 of the holdout" in project.run("open-holdout", "--month", "2025-02")
    committed = project.commit()
    assert project.params()["split"]["open_holdout"] == {"2025-02": name}
    assert "already" in project.run("open-holdout", "--month", "2025-02")

    said = project.run("open-holdout", "--month", "2025-03")

    assert f"before this one: 1. Strategies: {name} for 2025-02 (commit {committed})" in said
    assert project.params()["split"]["open_holdout"] == {"2025-02": name, "2025-03": name}
    project.run("params", "--check")
    both = {f"{name} for 2025-02": f"commit {committed}", f"{name} for 2025-03": f"commit {project.commit()}"}
    assert openings_of("synthetic") == both


@pytest.mark.journey  # many openings, each committed
def test_without_a_month_everything_is_opened_and_then_every_month_is_open_already(project):
    name = cut_months(project)
    project.run("open-holdout", "--month", "2025-02")
    project.run("open-holdout")
    assert project.params()["split"]["open_holdout"] == name
    assert "already" in project.run("open-holdout", "--month", "2025-03")


@pytest.mark.journey  # many openings, each committed
def test_a_month_that_the_record_has_left_behind_is_taken_out(project):
    cut_months(project)
    project.run("open-holdout", "--month", "2025-02")
    name = judge(project, held={"2025-03": 21, "2025-04": 20})
    project.run("open-holdout", "--month", "2025-03")
    assert project.params()["split"]["open_holdout"] == {"2025-03": name}


@pytest.mark.journey  # many openings, each committed
def test_months_may_be_opened_in_a_standing_preset_too(project):
    project.edit("conf/config.yaml", "- preset: none", "- preset: smoke")
    project.edit("conf/preset/smoke.yaml", "holdout_sessions: 1", "holdout_sessions: null\n  holdout_months: 1")
    project.run("params")
    name = judge(project, held={"2024-12": 2})
    project.run("open-holdout", "--month", "2024-12")
    assert project.params()["split"]["open_holdout"] == {"2024-12": name}


@pytest.mark.parametrize("month", ["2025-04", "all", "2025-2", "$(touch mark)"])
def test_a_month_that_is_not_held_out_is_refused_by_those_that_are(project, month):
    cut_months(project)
    with pytest.raises(ConfigurationError, match="is not a month of the holdout, which has 2025-02, 2025-03"):
        project.run("open-holdout", "--month", month)


def test_a_holdout_in_one_part_has_no_month_to_open(project):
    judge(project)
    with pytest.raises(ConfigurationError, match=r"split.holdout_months is null"):
        project.run("open-holdout", "--month", "2025-02")


def test_a_holdout_that_has_not_begun_is_not_opened(project):
    judge(project, held={"all": 0})
    with pytest.raises(GateNotMet, match=r"has not begun.*nothing to open"):
        project.run("open-holdout")
    assert project.params()["split"]["open_holdout"] is None
