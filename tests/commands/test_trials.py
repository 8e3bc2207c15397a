"""`make trials`: what present tables, commits and experiments evaluated is counted, once, and committed as a number."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from stages.configuration.compose import compose, to_yaml
from stages.errors import ConfigurationError
from stages.io.object_store import LocalStore
from stages.params.study import Study
from stages.runs.evidence import STUDY, Run
from stages.runs.past_runs import MANIFEST, entries_of, log_present_run, present_run
from stages.runs.trial_log import TrialLog, earlier_openings, log_opening, log_study
from stages.trading.grid import combos
from stages.trading.strategy import Strategy, strategy_id
from stages.trading.trials import context_of
from stages.worth.study_id import study_id
from tests.architecture.dependencies import ROOT
from tests.commands.test_open_holdout import judge
from tests.support.repositories import git

RANKING, STATED, VERDICT = (
    "artifacts/sweep/ranking.csv",
    "artifacts/backtest/bt_summary.csv",
    "artifacts/evaluate/oos.json",
)
WORTH = "artifacts/judge_worth/worth.json"


COLUMNS = "combo,sharpe,sessions\n"
EARLIER_LOG = ROOT / "tests/runs/earlier_trials"


def ratio(n: int) -> float:
    """The annual Sharpe ratio that is `n` standard errors over 63 sessions."""
    return 2.0 * n


def grid_ids() -> list[str]:
    """The ids of the grid that conf/ states."""
    study = Study.parse(compose())
    method, model = study.calibration.method, study.forecaster.model
    base = Strategy(study.rules, study.costs, method, model, study.universe.whitelist, frozenset())
    return [combo.strategy.combo for combo in combos(base, study.sweep.grid)]


def cached(project, content: str) -> str:
    """Put a file into DVC's cache, as a run or a fetch does; its md5."""
    digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    path = project.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return digest


def recorded_run(project, swept: list[str], stated: str, opened: str | None = None, months=()) -> dict[str, str]:
    """Leave the dvc.lock of a run whose stages DVC restored from its run-cache: nothing was logged. Path -> md5.

    The swept combos have scores of 0, 1, 2 and so on.
    """
    rules = {"params.yaml": {"rules": project.params()["rules"], "split.holdout_from": None}}
    status = {"status": "OPEN" if opened else "SEALED", "strategy_id": opened or "s0", "trading": []}
    status["months"] = dict.fromkeys(months)
    training = {"sessions_before": 0, "sessions_after": 30}
    tables = {
        "sweep": (RANKING, COLUMNS + "".join(f"{combo},{ratio(n)},63\n" for n, combo in enumerate(swept))),
        "backtest": (STATED, f"{COLUMNS}{stated},,63\n"),
        "evaluate": (VERDICT, json.dumps(status)),
        "judge_worth": (WORTH, json.dumps({"study_id": "w00000000007", "training": training})),
    }
    digests = {path: cached(project, content) for path, content in tables.values()}
    stages = {
        stage: {"params": rules, "outs": [{"path": path, "md5": digests[path]}]} for stage, (path, _) in tables.items()
    }
    (project.path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return digests


def log(project) -> TrialLog:
    return TrialLog(LocalStore(project.path / ".dvc/cache/forecasts"), None)


def variants(project) -> set[str]:
    return {variant.split("-")[1] for entry in log(project).entries() for variant in entry.variants}


@pytest.fixture(scope="module")
def fresh_clone(fresh_clone, tmp_path_factory):
    """The count starts from nothing, whatever the committed study has found."""
    path = shutil.copytree(fresh_clone, tmp_path_factory.mktemp("uncounted") / "project")
    write_sharpe_var(path, "null")
    (path / "params.yaml").write_text(to_yaml(compose(path / "conf")))
    git(path, "commit", "-q", "--allow-empty", "-am", "uncounted")
    return path


def write_sharpe_var(folder: Path, value: str) -> None:
    path = folder / "conf/sweep/default.yaml"
    path.write_text(re.sub(r"prior_sharpe_var: \S+", f"prior_sharpe_var: {value}", path.read_text()))


def state_sharpe_var(project, value: str) -> None:
    write_sharpe_var(project.path, value)
    project.run("params")
    project.commit()


def test_variants_of_a_run_restored_from_the_run_cache_are_not_forgotten(project):
    recorded_run(project, ["a", "b"], "c")
    log_present_run()
    assert variants(project) == {"a", "b", "c"}


def test_the_study_of_a_run_restored_from_the_run_cache_is_counted_too(project):
    recorded_run(project, ["a"], "a")
    log_present_run()
    (entry,) = (entry for entry in log(project).entries() if entry.worth)
    assert (entry.worth, entry.forecaster) == ("w00000000007", "seasonal")


def test_before_the_first_run_there_is_nothing_to_log(project):
    log_present_run()
    assert log(project).entries() == []


def test_counting_again_changes_nothing(project):
    recorded_run(project, ["a", "b"], "c")
    log_present_run()
    before = log(project).entries()
    log_present_run()
    assert log(project).entries() == before


def test_variants_outside_the_grid_are_written_as_prior_trials_and_the_grid_itself_is_not(project):
    recorded_run(project, [*grid_ids(), "a"], "b")
    said = project.run("trials")
    assert "sweep.prior_trials = 2 (was: 0) -> conf/sweep/default.yaml" in said
    assert "git commit" in said
    assert project.params()["sweep"]["prior_trials"] == 2
    project.run("params", "--check")
    assert "already say so" in project.run("trials")


@pytest.mark.journey  # a grid is logged and counted twice
def test_a_count_is_lowered_by_a_grid_that_holds_what_was_counted_and_not_where_the_log_may_lack_entries(project):
    project.edit("conf/sweep/default.yaml", "prior_trials: 0", "prior_trials: 3")
    project.run("params")
    project.commit()
    recorded_run(project, ["a"], "a")
    assert "sweep.prior_trials stays 3: the log knows 1 in all, and may lack some" in project.run("trials")
    assert project.params()["sweep"]["prior_trials"] == 3

    grid = grid_ids()
    gone = recorded_run(project, grid, "a")[STATED]
    table = project.path / ".dvc/cache/files/md5" / gone[:2] / gone[2:]
    table.rename(table.with_suffix(".away"))
    assert f"stays 3: the log knows {len(grid) + 1} in all" in project.run("trials")

    table.with_suffix(".away").rename(table)
    assert "sweep.prior_trials = 1 (was: 3)" in project.run("trials")


def test_other_studies_of_worth_are_written_as_prior_studies_and_never_forgotten(project):
    here = study_id(project.params())
    for name in ("w00000000001", "w00000000002", here):
        log_study(name, {"sessions_before": 0, "sessions_after": 10})
    said = project.run("trials")
    assert "3 studies of worth" in said
    assert "2 other studies judged whether seasonal is worth its price on this source." in said
    assert "worth.prior_studies = 2 (was: 0) -> conf/worth/default.yaml" in said
    assert project.params()["worth"]["prior_studies"] == 2
    assert study_id(project.params()) == here, "counting is no other question"
    shutil.rmtree(project.path / ".dvc/cache/forecasts/trials")
    project.run("trials")
    assert project.params()["worth"]["prior_studies"] == 2


@pytest.mark.journey  # a grid is logged and counted twice
def test_the_variance_of_all_scores_is_written_and_never_lowered(project):
    recorded_run(project, ["a", "b", "c"], "a")  # scores 0, 1 and 2
    assert "is 1.\n" in project.run("trials")
    assert project.params()["sweep"]["prior_sharpe_var"] is None  # 1, which null means

    recorded_run(project, ["a", "b", "c", "d", "e"], "a")  # 0 to 4: 2.5
    assert "sweep.prior_sharpe_var = 2.5 (was: null, which means 1)" in project.run("trials")
    assert project.params()["sweep"]["prior_sharpe_var"] == 2.5

    state_sharpe_var(project, "7.5")
    project.run("trials")
    assert project.params()["sweep"]["prior_sharpe_var"] == 7.5


def test_a_log_written_before_ids_had_a_canonical_form_holds_no_second_trial(project):
    """The log, the params and the grid of the default study as version e96c6ea left them: 36 variants, one opening."""
    shutil.copytree(EARLIER_LOG, project.path / ".dvc/cache/forecasts/trials", ignore=shutil.ignore_patterns("*.yaml"))
    shutil.copy(EARLIER_LOG / "params.yaml", project.path / "params.yaml")
    (project.path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"sweep": {}}}))
    project.commit()
    project.run("params")
    project.commit()

    said = project.run("trials")

    assert "trials: 36 variants ever evaluated, 1 opening of a holdout" in said
    assert "0 variants of this source and study are not in the grid of 36" in said
    assert project.params()["sweep"]["prior_trials"] == 0
    assert len(log(project).entries()) == 3  # read under other names, never rewritten


def test_trials_logged_without_their_first_session_are_of_the_run_that_stated_one_unless_another_has_that_name():
    whole = yaml.safe_load((ROOT / "params.yaml").read_text())
    later = whole | {"requests": whole["requests"] | {"first_session": "2024-11-01"}}
    before, now = context_of(whole), context_of(later)
    assert before != now
    assert entries_of([Run(later, {})]).contexts[before] == now
    for runs in ([Run(later, {}), Run(whole, {})], [Run(whole, {}), Run(later, {})]):
        assert entries_of(runs).contexts[before] == before


def test_an_opening_of_an_earlier_schema_goes_by_the_id_that_the_same_strategy_has_now(project):
    recorded_run(project, ["a"], "b", opened="s00000000abc")
    lock = yaml.safe_load(project.text("dvc.lock"))
    manifest, trading = {"files": []}, ["STRONG"]
    outs = {
        "list_source": ("artifacts/list_source/manifest.json", manifest),
        "evaluate": (VERDICT, {"status": "OPEN", "strategy_id": "s00000000abc", "trading": trading}),
    }
    for stage, (path, document) in outs.items():
        lock["stages"][stage] = {"outs": [{"path": path, "md5": cached(project, json.dumps(document))}]}
    (project.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    log_opening("s00000000abc")

    said = project.run("trials")

    now = strategy_id(project.params(), manifest, trading)
    assert "1 opening of a holdout" in said
    assert f"opened for {now}" in said


def test_with_a_standing_preset_the_number_goes_into_its_file(project):
    project.run("use", "smoke")
    recorded_run(project, ["a"], "a")
    project.run("trials")
    assert "prior_trials: 1" in project.text("conf/preset/smoke.yaml")
    assert "prior_trials: 0" in project.text("conf/sweep/default.yaml")


def test_every_experiment_counts_also_one_that_no_branch_holds(project):
    project.apply_experiment("rules.k_sigma=9.0")
    recorded_run(project, ["x", "y"], "z", opened="s00000000abc")
    project.commit()
    project.git("update-ref", "refs/exps/ab/cdef/wide", "HEAD")
    project.git("reset", "-q", "--hard", "HEAD~1")

    said = project.run("trials")

    assert variants(project) == {"x", "y", "z"}
    assert "opened for s00000000abc" in said
    assert project.params()["sweep"]["prior_trials"] == 3


def test_months_that_a_restored_run_opened_are_on_the_log_though_its_book_is_sealed(project):
    recorded_run(project, ["a"], "b", months=("2025-02",))
    log_present_run()
    assert [(one.opening, one.month) for one in log(project).entries() if one.opening] == [("s0", "2025-02")]


def test_an_opening_that_git_records_counts_where_its_tables_are_gone_and_it_was_taken_back(project):
    """As on the page: a fresh clone said of an opened study that it was opened for nobody."""
    assert ", 0 openings of a holdout" in project.run("trials")
    for opened in ("s00000000abc", "null"):
        state_opening(project, opened)
    said = project.run("trials")
    assert ", 1 opening of a holdout" in said
    family = project.params()["source"]["name"], project.params()["report"]["study"]
    assert "source {}, study {}: 0 variants, opened for s00000000abc".format(*family) in said


def state_opening(project, strategy: str) -> None:
    path = project.path / "params.yaml"
    path.write_text(re.sub(r"open_holdout: .*", f"open_holdout: {strategy}", path.read_text()))
    project.git("commit", "-qam", strategy)


def test_tables_that_are_gone_are_reported(project):
    digests = recorded_run(project, ["a"], "b")
    gone = digests[RANKING]
    (project.path / ".dvc/cache/files/md5" / gone[:2] / gone[2:]).unlink()
    assert "1 of their tables are not in DVC's cache" in project.run("trials")
    assert variants(project) == {"b"}


def test_a_table_whose_copy_was_changed_is_not_believed(project):
    digests = recorded_run(project, ["a"], "b")
    swept = digests[RANKING]
    (project.path / ".dvc/cache/files/md5" / swept[:2] / swept[2:]).write_text("combo,net_bp\ninvented,1.0\n")
    assert "1 of their tables are not in DVC's cache" in project.run("trials")
    assert variants(project) == {"b"}


def test_tables_beside_params_they_were_not_made_with_are_left_out(project):
    recorded_run(project, ["a"], "b")
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    project.run("params")
    assert "another params.yaml" in project.run("trials")
    assert log(project).entries() == []


def test_a_run_is_logged_with_the_params_it_ran_with_whatever_stands_beside_it_by_now(project):
    """Neither the book's capital nor the study's name changes a variant, so that such a run is not left out."""
    recorded_run(project, ["a"], "b", opened="s0", months=())
    manifest = {"files": []}
    lock, before = yaml.safe_load(project.text("dvc.lock")), project.params()
    lock["stages"]["list_source"] = {
        "params": {"params.yaml": before},
        "outs": [{"path": MANIFEST, "md5": cached(project, json.dumps(manifest))}, {"path": STUDY, "md5": "1"}],
    }
    lock["stages"]["evaluate"]["deps"] = [{"path": STUDY, "md5": "1"}]
    (project.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    project.edit("conf/portfolio/default.yaml", "delay_sensitivity_bars: 1", "delay_sensitivity_bars: 3")
    project.edit("conf/report/default.yaml", "synthetic default", "another name")
    project.run("params")

    log_present_run()

    entries = log(project).entries()
    assert {entry.study for entry in entries} == {"synthetic default"}
    assert [entry.opening for entry in entries if entry.opening] == [strategy_id(before, manifest, [])]

    lock["stages"]["list_source"]["outs"][1]["md5"] = "2"  # it ran again, and then the run was stopped
    (project.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert (entries_of(present_run()).entries, entries_of(present_run()).unfit) == (set(), 1)


def test_commits_that_hold_no_run_of_this_pipeline_are_passed_over(project):
    """Another pipeline's, an empty params.yaml, and one with the marks of a merge conflict."""
    kept = project.text("params.yaml")
    for text in ("train: {rate: 1}\n", "", "<<<<<<< HEAD\nopen_holdout: s1\n=======\n"):
        (project.path / "params.yaml").write_text(text)
        (project.path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": {"cmd": text}}}))
        project.commit()
    (project.path / "params.yaml").write_text(kept)
    recorded_run(project, ["a"], "b")
    project.commit()
    assert "re-read: 2 runs" in project.run("trials")
    assert earlier_openings("synthetic") == {}


def test_the_log_is_shown_before_an_applied_experiment_stops_the_count(project, capsys):
    recorded_run(project, ["a"], "b")
    project.apply_experiment("rules.k_sigma=1.0")
    with pytest.raises(ConfigurationError, match="applied experiment"):
        project.run("trials")
    assert "variants ever evaluated" in project.say()


def test_an_uncommitted_opening_is_named_by_the_next_one(project):
    log_opening("s00000000abc")
    judge(project)
    assert "before this one: 1. Strategies: s00000000abc (trial log)" in project.run("open-holdout")


def test_an_uncommitted_opening_of_a_month_is_named_with_its_month(project):
    log_opening("s00000000abc", "2025-02")
    log_opening("s00000000abc", "2025-03")
    judge(project)
    said = project.run("open-holdout")
    assert "before this one: 2." in said
    assert "s00000000abc for 2025-02 (trial log), s00000000abc for 2025-03 (trial log)" in said
