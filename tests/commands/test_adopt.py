"""`make adopt`: an experiment or a proposal becomes what conf/ says, comments kept, or nothing changes."""

import errno
import re
import subprocess
from pathlib import Path

import pytest

import stages.configuration.compose
from stages.configuration.compose import LAST_COMPOSED, compose, differences, to_yaml
from stages.errors import ConfigurationError, GateNotMet

PROPOSAL = "artifacts/sweep/proposal.json"
TOURNAMENT = "artifacts/score_forecasts/calibration_proposal.json"


def propose(project, params_, why="the best plateau"):
    project.write_json(PROPOSAL, {"combo": "0" * 12, "params": params_, "why": why})


def test_a_proposal_goes_into_the_groups_and_into_params(project):
    propose(project, {"rules": {"k_sigma": 0.75, "s_stop": 2.0}, "calibration": {"method": "widen"}})
    said = project.run("adopt")
    assert "rules.k_sigma = 0.75 (was: 0.5)" in said
    assert "git commit" in said
    assert project.params()["rules"]["s_stop"] == 2.0
    assert "method: widen                      # the one that trades" in project.text("conf/calibration/cqr.yaml")
    project.run("params", "--check")


def test_comments_and_order_of_a_file_survive(project):
    before = project.text("conf/calibration/cqr.yaml").splitlines()
    propose(project, {"calibration": {"method": "widen"}})
    project.run("adopt")
    after = project.text("conf/calibration/cqr.yaml").splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [
        "method: widen                      # the one that trades"
    ]


@pytest.mark.parametrize("ending", ["\r\n", pytest.param("\n", marks=pytest.mark.journey)])  # once more at length
def test_comments_behind_a_list_and_line_ends_survive_its_change(project, ending):
    path = project.path / "conf/requests/four_snapshots.yaml"
    listed = 'snapshots_et:\n- "10:30"\n- "13:30"\n\n# in percent\nlevels:'
    text = re.sub(r"snapshots_et: .*\nlevels:", listed, path.read_text()).replace("\n", ending)
    path.write_bytes(text.encode())
    project.run("params")
    project.commit()
    project.apply_experiment("requests.snapshots_et=['13:30']")
    project.run("adopt")
    old = listed.replace("\n", ending)
    assert path.read_bytes().decode() == text.replace(
        old, f"snapshots_et: ['13:30']{ending}{ending}# in percent{ending}levels:"
    )


def test_what_stands_beside_a_changed_value_stays_as_it_is(project):
    project.run("use", "yahoo")
    project.commit()
    project.apply_experiment("rules.k_sigma=0.75")
    before = project.text("conf/preset/yahoo.yaml")
    project.run("adopt")
    assert project.text("conf/preset/yahoo.yaml") == f"{before}rules:\n  k_sigma: 0.75\n"


def test_a_preset_of_comments_alone_stays_a_preset(project):
    (project.path / "conf/preset/mine.yaml").write_text("# @package _global_\n# the default, for a start\n")
    project.run("use", "mine")
    project.apply_experiment("rules.k_sigma=0.75")
    project.run("adopt")
    assert project.text("conf/preset/mine.yaml").startswith("# @package _global_\n# the default, for a start\nrules:")
    assert project.params()["rules"]["k_sigma"] == 0.75


@pytest.mark.journey  # a shell and several commits
def test_the_proposed_commit_holds_a_new_and_a_moved_preset(project):
    (project.path / "dvc.lock").touch()
    (project.path / "conf/preset/mine.yaml").write_text("# @package _global_\n")
    project.git("mv", "conf/preset/smoke.yaml", "conf/preset/small one.yaml")
    project.run("use", "mine")
    project.apply_experiment("rules.k_sigma=0.75")
    command = re.search(r"`(git add .*)`", project.run("adopt"))
    subprocess.run(["bash", "-c", command[1]], check=True)
    assert project.git("status", "--porcelain", "conf", "params.yaml", "dvc.lock") == ""


def test_a_file_of_conf_that_is_a_link_goes_on_being_one(project):
    path, shared = project.path / "conf/rules/default.yaml", project.path / "shared.yaml"
    path.rename(shared)
    path.symlink_to(shared)
    project.run("params")
    propose(project, {"rules": {"k_sigma": 0.75}})
    project.run("adopt")
    assert path.is_symlink()
    assert "k_sigma: 0.75" in shared.read_text()


def test_files_are_as_before_where_params_cannot_be_written(project, monkeypatch):
    propose(project, {"rules": {"k_sigma": 0.75}})
    full = OSError(errno.ENOSPC, "No space left on device")

    def write_text(text, path):
        if path == LAST_COMPOSED:
            raise full
        write(text, path)

    write = stages.configuration.compose.write_text
    monkeypatch.setattr(stages.configuration.compose, "write_text", write_text)
    for command in (["adopt"], ["use", "smoke"]):
        with pytest.raises(OSError, match="No space left"):
            project.run(*command)
        assert project.git("status", "--porcelain", "conf", "params.yaml") == ""


def test_with_a_standing_preset_everything_goes_into_its_file(project):
    project.run("use", "smoke")
    rules = project.text("conf/rules/default.yaml")
    propose(project, {"rules": {"k_sigma": 0.75}})
    project.run("adopt")
    assert project.text("conf/rules/default.yaml") == rules
    assert "k_sigma: 0.75" in project.text("conf/preset/smoke.yaml")
    assert project.text("conf/preset/smoke.yaml").startswith("# @package _global_\n# Five sessions")


def test_a_proposed_mapping_replaces_the_stated_one(project):
    project.edit("conf/rules/default.yaml", "horizon_min_by_symbol: {}", "horizon_min_by_symbol: {STRONG: 5}")
    project.run("params", "--check")
    propose(project, {"rules": {"horizon_min_by_symbol": {}}})
    project.run("adopt")
    assert project.params()["rules"]["horizon_min_by_symbol"] == {}


def test_an_experiment_that_ran_before_trials_were_counted_lowers_no_count(project):
    project.edit("conf/sweep/default.yaml", "prior_trials: 0", "prior_trials: 7")
    project.run("params")
    project.git("commit", "-qam", "count")
    project.edit("params.yaml", "prior_trials: 7", "prior_trials: 2")
    project.edit("params.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    said = project.run("adopt")
    assert "sweep.prior_trials stays 7" in said
    params = project.params()
    assert (params["sweep"]["prior_trials"], params["rules"]["k_sigma"]) == (7, 0.75)


@pytest.mark.journey  # many presets or choices are composed
def test_an_experiment_of_another_preset_lowers_no_count_of_its_own_study(project):
    project.apply_experiment("preset=smoke", "sweep.prior_trials=2")
    project.edit("conf/preset/smoke.yaml", "prior_trials: 0", "prior_trials: 7")
    assert "sweep.prior_trials stays 7" in project.run("adopt")
    assert (project.params()["sweep"]["prior_trials"], project.params()["report"]["study"]) == (7, "smoke")


@pytest.mark.journey  # many presets or choices are composed
def test_studies_are_counted_by_source_and_model_under_every_name_of_a_study(project):
    project.apply_experiment("report.study=other", "worth.prior_studies=1", "sweep.prior_trials=1")
    project.edit("conf/worth/default.yaml", "prior_studies: 0", "prior_studies: 3")
    project.edit("conf/sweep/default.yaml", "prior_trials: 0", "prior_trials: 7")
    assert "worth.prior_studies stays 3" in project.run("adopt")
    params = project.params()
    assert (params["worth"]["prior_studies"], params["sweep"]["prior_trials"]) == (3, 1)


def test_a_sweep_that_proposes_nothing_is_reported_with_its_reason(project):
    propose(project, None, why="no combo trades")
    with pytest.raises(GateNotMet, match="no combo trades"):
        project.run("adopt")


def test_a_proposal_that_params_state_already_changes_nothing(project):
    propose(project, {})
    assert "already says so" in project.run("adopt")
    assert project.git("status", "--porcelain", "conf", "params.yaml") == ""


def test_a_proposal_older_than_an_edit_of_conf_is_refused(project):
    propose(project, {"rules": {"k_sigma": 0.75}})
    project.edit("conf/rules/default.yaml", "s_stop: 1.0", "s_stop: 1.5")
    with pytest.raises(ConfigurationError, match=r"rules\.s_stop = 1\.5.*make run"):
        project.run("adopt")


def test_hand_written_params_that_no_run_could_have_are_refused(project):
    whole = project.params()
    whole["sweep"].pop("prior_trials")
    Path("params.yaml").write_text(to_yaml(whole))
    with pytest.raises(ConfigurationError, match=r"sweep\.prior_trials is not stated"):
        project.run("adopt")
    whole.pop("report")
    Path("params.yaml").write_text(to_yaml(whole))
    with pytest.raises(ConfigurationError, match="has no section 'report'"):
        project.run("adopt")


@pytest.mark.parametrize(
    "preset",
    ["report: none\n", *(pytest.param(one, marks=pytest.mark.journey) for one in ("report:\n", "report: {\n"))],
)
def test_the_preset_of_another_study_is_found_beside_presets_with_an_odd_report_section(project, preset):
    project.apply_experiment("report.study=other")
    (project.path / "conf/preset/odd.yaml").write_text(preset)
    assert "report.study = other" in project.run("adopt")


@pytest.mark.journey  # many presets or choices are composed
@pytest.mark.parametrize(
    "mine",
    ["defaults: [smoke]\nrules: {s_stop: 2.0}\n", "report: {study: 'on ${source.name}'}\nrules: {s_stop: 2.0}\n"],
)
def test_an_experiment_becomes_the_preset_it_ran_with_and_changes_no_other(project, mine):
    """Two presets may have one study, and a study may be named by another key."""
    (project.path / "conf/preset/mine.yaml").write_text(f"# @package _global_\n{mine}")
    project.commit()
    project.apply_experiment("preset=mine", "rules.k_sigma=0.75")
    wanted = project.params()
    project.run("adopt")
    assert project.params() == wanted
    changed = project.git("status", "--porcelain", "conf").split()[1::2]
    assert changed == ["conf/config.yaml", "conf/preset/mine.yaml"]
    assert "rules: {s_stop: 2.0, k_sigma: 0.75}" in project.text("conf/preset/mine.yaml")


def test_missing_params_are_reported_before_an_edit_of_conf(project):
    propose(project, {"rules": {"k_sigma": 0.75}})
    Path("params.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"params\.yaml is missing, so nothing ran here: run `make run`"):
        project.run("adopt")


def test_the_proposal_of_the_calibration_tournament_is_adopted_by_name(project):
    propose(project, {"rules": {"k_sigma": 0.75}})
    project.write_json(TOURNAMENT, {"method": "pid", "params": {"calibration": {"method": "pid"}}, "why": "the lowest"})
    said = project.run("adopt", "calibration")
    assert "calibration.method = pid (was: cqr)" in said
    assert project.params()["rules"]["k_sigma"] == 0.5
    assert "method: pid" in project.text("conf/calibration/cqr.yaml")


def test_a_tournament_without_a_sound_method_is_reported_with_its_reason(project):
    project.write_json(TOURNAMENT, {"method": None, "params": None, "why": "coverage FAILs with every one"})
    with pytest.raises(GateNotMet, match=r"calibration_proposal\.json proposes nothing: coverage FAILs"):
        project.run("adopt", "calibration")


def test_a_proposal_asked_for_by_name_does_not_discard_an_experiment(project):
    project.write_json(TOURNAMENT, {"method": "pid", "params": {"calibration": {"method": "pid"}}, "why": "the lowest"})
    project.apply_experiment("rules.s_stop=2.0")
    with pytest.raises(ConfigurationError, match=r"rules\.s_stop = 2\.0.*make adopt"):
        project.run("adopt", "calibration")
    assert project.git("status", "--porcelain", "conf") == ""


def test_an_impossible_proposal_leaves_every_file_as_it_was(project):
    propose(project, {"rules": {"horizon_min": 7}})
    with pytest.raises(ConfigurationError, match=r"\[7\] of rules.horizon_min"):
        project.run("adopt")
    assert project.git("status", "--porcelain", "conf", "params.yaml") == ""


@pytest.mark.parametrize(
    "overrides",
    [
        ["universe.whitelist=[STRONG]", "+rules.horizon_min_by_symbol.STRONG=5"],
        # every preset and forecaster is composed
        pytest.param(["preset=aapl_2024", "forecaster=ewma_fhs", "rules.k_sigma=1.0"], marks=pytest.mark.journey),
        pytest.param(["gates=point", "gates.coverage_tol=0.03"], marks=pytest.mark.journey),
        ["requests.snapshots_et=['10:30','14:45']", "rules.time_stop_et='15:30'"],  # in YAML 10:30 alone is 630
        ["report.study='worth \\${5}'"],
        ["universe.context_symbol='ON'", "+source.synthetic.amplitude_bp.ON=0", "+source.synthetic.beta.ON=0"],
    ],
)
def test_an_applied_experiment_is_what_conf_says_afterwards(project, overrides):
    project.apply_experiment(*overrides)
    wanted = project.params()
    project.run("adopt")
    assert project.params() == wanted
    assert differences(compose(), wanted) == {}


@pytest.mark.journey  # a walk over several commits
def test_files_that_an_experiment_of_an_earlier_commit_sets_back_are_named_before_it_is_adopted(project):
    """`dvc exp apply` gives the workspace all files of the commit on which an experiment ran, also those gone since.

    A file of code that comes back would change what `dvc.lock` says of a stage.
    """
    (project.path / "conf/preset/of_last_week.yaml").write_text("# @package _global_\n")
    (project.path / "notes.csv").write_text("of mine")
    project.commit()
    project.apply_experiment("rules.s_stop=2.0")
    project.commit()
    experiment = project.git("rev-parse", "HEAD").strip()
    project.git("reset", "-q", "--hard", "HEAD^")
    project.edit("conf/sweep/default.yaml", "prior_trials: 0 ", "prior_trials: 38")
    project.run("params")
    (project.path / "a note").write_text("of this week")
    project.git("mv", "conf/preset/of_last_week.yaml", "conf/preset/of_this_week.yaml")
    project.git("rm", "-q", "--cached", "notes.csv")  # it stays here, and is no longer git's
    (project.path / ".git/info/exclude").write_text("notes.csv\n")
    project.commit()
    project.git("read-tree", "-m", "-u", "HEAD", experiment)
    project.git("reset", "-q")
    project.git("update-ref", "refs/exps/exec/EXEC_APPLY", experiment)
    kept = project.text("params.yaml")
    back = (
        r"restored its files.*`git checkout HEAD -- 'a note' conf/preset/of_this_week.yaml conf/sweep/default.yaml` "
        r"brings them back, and `rm conf/preset/of_last_week.yaml` removes what it does not hold"
    )
    with pytest.raises(ConfigurationError, match=back):
        project.run("adopt")
    assert re.search(back, project.run("params"))
    (project.path / "params.yaml").write_text(kept)
    project.git("checkout", "HEAD", "--", "a note", "conf/preset/of_this_week.yaml", "conf/sweep/default.yaml")
    with pytest.raises(ConfigurationError, match=r"differs: `rm conf/preset/of_last_week\.yaml` removes"):
        project.run("adopt")
    (project.path / "conf/preset/of_last_week.yaml").unlink()
    assert "rules.s_stop = 2.0 (was: 1.0)" in project.run("adopt")


def test_files_that_an_experiment_of_another_branch_brought_are_named_before_it_is_adopted(project):
    main = project.git("rev-parse", "HEAD").strip()
    (project.path / "conf/preset/of_the_branch.yaml").write_text("# @package _global_\n")
    project.edit("conf/rules/default.yaml", "k_sigma: 0.5", "k_sigma: 0.75")
    project.run("params")
    project.commit()
    project.apply_experiment("rules.s_stop=2.0")
    project.commit()
    experiment = project.git("rev-parse", "HEAD").strip()
    project.git("reset", "-q", "--hard", main)
    project.git("read-tree", "-m", "-u", "HEAD", experiment)
    project.git("reset", "-q")
    project.git("update-ref", "refs/exps/exec/EXEC_APPLY", experiment)
    otherwise = (
        r"where the present commit differs: `git checkout HEAD -- conf/rules/default.yaml` brings them back, "
        r"and `rm conf/preset/of_the_branch.yaml` removes what it does not hold; then"
    )
    with pytest.raises(ConfigurationError, match=otherwise):
        project.run("adopt")


def test_a_choice_is_kept_as_a_choice_and_not_written_over_another(project):
    project.apply_experiment("forecaster=ewma_fhs")
    wanted = project.params()
    project.run("adopt")
    assert project.params() == wanted
    assert differences(compose(), wanted) == {}
    assert "- forecaster: ewma_fhs" in project.text("conf/config.yaml")
    assert project.git("status", "--porcelain", "conf/forecaster") == ""


@pytest.mark.journey  # many presets or choices are composed
def test_under_a_preset_a_choice_becomes_an_override_of_the_preset(project):
    project.run("use", "aapl_2024")
    project.apply_experiment("forecaster=ewma_fhs")
    project.run("adopt")
    assert "- override /forecaster: ewma_fhs" in project.text("conf/preset/aapl_2024.yaml")
    assert "- forecaster: seasonal" in project.text("conf/config.yaml")


def test_an_applied_experiment_is_adopted_before_a_proposal(project):
    propose(project, {"rules": {"k_sigma": 0.75}})
    project.apply_experiment("rules.s_stop=2.0")
    project.run("adopt")
    assert project.params()["rules"]["k_sigma"] == 0.5
    assert project.params()["rules"]["s_stop"] == 2.0


def test_what_a_preset_cannot_say_is_refused_and_taken_back(project):
    """A preset is merged over the groups, so it cannot take a symbol's costs away."""
    project.edit("conf/universe/synthetic.yaml", "whitelist: ${universe.symbols}", "whitelist: [STRONG]")
    project.run("use", "smoke")
    project.commit()
    project.apply_experiment("~costs.tick_size.WEAK")
    experiment = project.text("params.yaml")
    with pytest.raises(ConfigurationError, match=r"conf/ cannot express .*costs\.tick_size\.WEAK"):
        project.run("adopt")
    assert project.git("status", "--porcelain", "conf") == ""
    assert project.text("params.yaml") == experiment


@pytest.mark.journey  # a walk over several commits
def test_what_follows_another_key_goes_on_following_it(project):
    """`sweep.grid.history_days` and `rules.history_days` follow `requests.history_days`, unless told otherwise."""
    rules, sweep = project.text("conf/rules/default.yaml"), project.text("conf/sweep/default.yaml")
    project.apply_experiment("requests.history_days=[20,30]")
    project.run("adopt")
    assert project.params()["rules"]["history_days"] == 20
    assert project.params()["sweep"]["grid"]["history_days"] == [20, 30]
    assert project.text("conf/rules/default.yaml") == rules
    assert project.text("conf/sweep/default.yaml") == sweep

    project.commit()
    project.apply_experiment("rules.history_days=30")
    project.run("adopt")
    assert project.params()["requests"]["history_days"] == [20, 30]
    assert "history_days: 30" in project.text("conf/rules/default.yaml")


@pytest.mark.journey  # many presets or choices are composed
def test_a_text_that_holds_another_key_goes_on_holding_it(project):
    project.edit("conf/report/default.yaml", "study: synthetic default", 'study: "on ${source.name}"')
    project.run("params")
    project.commit()
    project.apply_experiment("source.name=other")
    project.run("adopt")
    assert project.params()["report"]["study"] == "on other"
    assert "on ${source.name}" in project.text("conf/report/default.yaml")


@pytest.mark.journey  # many presets or choices are composed
def test_many_added_symbols_change_the_active_choices_and_choose_no_other(project):
    """`source=gcs` differs from the artificial market in four keys, of which one is null for all of the market."""
    symbols = ["ON", "NO", "BRK.B", "BF-A", "E5"]
    entries = "{" + ",".join(f"{symbol}: 0.5" for symbol in symbols) + "}"
    project.apply_experiment(
        "universe.symbols=[STRONG,'ON','NO',BRK.B,BF-A,E5]",
        *(f"+source.synthetic.{name}={entries}" for name in ("beta", "amplitude_bp")),
        *(f"+costs.{name}={entries}" for name in ("tick_size", "half_spread_ticks")),
    )
    wanted = project.params()
    project.run("adopt")
    assert project.params() == wanted
    changed = project.git("status", "--porcelain", "conf").split()[1::2]
    assert changed == ["conf/costs/synthetic.yaml", "conf/source/synthetic.yaml", "conf/universe/synthetic.yaml"]
