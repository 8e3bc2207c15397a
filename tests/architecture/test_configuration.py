"""conf/ -> params.yaml -> models: the names line up and every choice is sound."""

import re

import pytest
import yaml

from stages.configuration.compose import compose, to_yaml
from stages.params.study import problems
from tests.architecture.dependencies import ROOT

CONF = ROOT / "conf"
NOT_SECTIONS = {"preset", "sweeps", "manifests", "events", "halts", "corporate_actions"}
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in NOT_SECTIONS)
STANDING = {(group, choice) for entry in yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
            if isinstance(entry, dict) for group, choice in entry.items()}  # fmt: skip
OTHERS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))
          if (group, path.stem) not in STANDING]  # fmt: skip
PRESETS = sorted(path.stem for path in (CONF / "preset").glob("*.yaml"))


def test_the_committed_params_are_the_composition_of_conf():
    assert (ROOT / "params.yaml").read_text() == to_yaml(compose(CONF, []))


def test_every_group_is_a_section_and_every_section_a_group():
    assert sorted(compose(CONF, [])) == GROUPS


@pytest.mark.parametrize(("group", "choice"), OTHERS)
def test_every_choice_of_every_group_fits_its_model(group, choice):
    """Those that stand are in the preset `none` below."""
    document = compose(CONF, [f"{group}={choice}"])
    assert not [problem for problem in problems(document) if problem.startswith(group)]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_sound_study(preset):
    assert problems(compose(CONF, [f"preset={preset}"])) == []


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "none"])
def test_a_preset_names_its_study_and_brings_its_own_seal_and_trial_count(preset):
    document = yaml.safe_load((CONF / "preset" / f"{preset}.yaml").read_text())
    assert document["report"]["study"]
    assert "open_holdout" in document["split"]
    assert {"prior_trials", "prior_sharpe_var"} <= set(document["sweep"])


def test_clock_times_are_quoted():
    """YAML 1.1 reads an unquoted 13:30 as the number 810."""
    for path in CONF.rglob("*.yaml"):
        unquoted = re.sub(r"\"[^\"]*\"|'[^']*'|#.*", "", path.read_text())
        assert not re.search(r"\d:\d", unquoted), path
