"""`make use`: a preset becomes the market on which later overrides stand."""

import pytest

from stages.errors import ConfigurationError, DataContractError


def test_a_preset_in_use_is_in_the_params_and_stays_there(project):
    said = project.run("use", "smoke")
    assert "smoke" in said
    assert project.params()["report"]["study"] == "smoke"
    project.run("params", "--check")
    assert project.params()["requests"]["history_days"] == [1]


def test_the_next_step_is_to_list_a_source_that_nothing_lists_yet(project):
    assert "Next: `make run`" in project.run("use", "synthetic_null")
    assert "Next: `make refresh`" in project.run("use", "gcs_timegpt")
    with pytest.raises(DataContractError, match=r"conf/manifests/.*\.json is missing: run `make refresh`"):
        project.run("params", "--check")


def test_only_the_line_of_the_preset_changes(project):
    before = project.text("conf/config.yaml")
    project.run("use", "synthetic_null")
    assert project.text("conf/config.yaml") == before.replace("- preset: none", "- preset: synthetic_null")
    project.run("use", "none")
    assert project.text("conf/config.yaml") == before


def test_a_preset_may_have_a_name_that_is_no_text_to_yaml(project):
    (project.path / "conf/preset/on.yaml").write_text(project.text("conf/preset/smoke.yaml"))
    assert "preset on is now active, study 'smoke'" in project.run("use", "on")


def test_an_unknown_preset_is_refused_with_the_list_of_those_there_are(project):
    before = project.text("conf/config.yaml")
    with pytest.raises(ConfigurationError, match=r"'smok'.*smoke"):
        project.run("use", "smok")
    assert project.text("conf/config.yaml") == before


def test_a_preset_that_makes_no_possible_run_changes_nothing(project):
    (project.path / "conf/preset/broken.yaml").write_text("# @package _global_\nrules: {horizon_min: 7}\n")
    before = project.text("conf/config.yaml"), project.text("params.yaml")
    with pytest.raises(ConfigurationError, match=r"\[7\] of rules.horizon_min"):
        project.run("use", "broken")
    assert (project.text("conf/config.yaml"), project.text("params.yaml")) == before


def test_an_applied_experiment_is_not_thrown_away_by_a_change_of_market(project):
    project.apply_experiment("rules.k_sigma=1.0")
    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma"):
        project.run("use", "smoke")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< HEAD\ndefaults:\n=======\ndefaults:\n>>>>>>> other\n", r"cannot be read \(.*\): correct it"),
        ("\udcff", r"cannot be read \(.*utf-8.*\): correct it"),
        ("- preset: none\n", r"cannot be read \(it holds no sections\): correct it"),
        ("defaults: none\n", "names no preset: write `- preset: none` into its list of defaults"),
        ("", "names no preset"),
    ],
)
def test_a_config_that_cannot_be_read_is_reported(project, text, said):
    project.run("params")
    (project.path / "conf/config.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=rf"conf/config\.yaml {said}"):
        project.run("use", "smoke")
