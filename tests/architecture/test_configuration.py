"""conf/ -> params.yaml -> models: the names line up and every choice is sound."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from stages.commands.command_line import VERBS
from stages.configuration.compose import compose, to_yaml
from stages.errors import ConfigurationError
from stages.params.rules import RulesParams
from stages.params.section import parse
from stages.params.study import Study, problems
from tests.architecture.dependencies import ROOT

CONF = ROOT / "conf"
NOT_SECTIONS = {"preset", "sweeps", "manifests", "events", "halts", "corporate_actions"}
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in NOT_SECTIONS)
STANDING = {(group, choice) for entry in yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
            if isinstance(entry, dict) for group, choice in entry.items()}  # fmt: skip
OTHERS = [
    [f"{group}={path.stem}" for path in sorted((CONF / group).glob("*.yaml")) if (group, path.stem) not in STANDING]
    for group in GROUPS
]
PRESETS = sorted(path.stem for path in (CONF / "preset").glob("*.yaml"))


def test_the_committed_params_are_the_composition_of_conf():
    assert (ROOT / "params.yaml").read_text() == to_yaml(compose(CONF, [])), "run `make params`"


def test_git_checks_out_the_committed_bytes_whatever_a_user_configured(tmp_path):
    """dvc.lock holds the hashes of files of conf/: with core.autocrlf, each would differ in a fresh clone."""
    git = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=true"]
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    (tmp_path / "listing.json").write_bytes(b"{}\n")
    for typed in (["init", "-q"], ["add", "-A"]):
        subprocess.run([*git, *typed], check=True, capture_output=True)
    (tmp_path / "listing.json").unlink()
    subprocess.run([*git, "checkout", "-q", "--", "listing.json"], check=True)
    assert (tmp_path / "listing.json").read_bytes() == b"{}\n"


def test_every_group_is_a_section_and_every_section_a_group():
    assert sorted(compose(CONF, [])) == GROUPS


@pytest.mark.parametrize("chosen", [[one for one in some if one] for some in zip_longest(*OTHERS)], ids=",".join)
def test_every_choice_of_every_group_fits_its_model(chosen):
    """One of each group at a time; those that stand are in the preset `none` below."""
    document, groups = compose(CONF, chosen), tuple(one.partition("=")[0] for one in chosen)
    assert [problem for problem in problems(document) if problem.startswith(groups)] == []


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


def unbounded(node: dict, definitions: dict, where: str) -> Iterator[str]:
    """Numbers of a JSON schema without a least or a greatest value."""
    node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    if node.get("type") in {"integer", "number"} and (
        not {"minimum", "exclusiveMinimum"} & set(node) or not {"maximum", "exclusiveMaximum"} & set(node)
    ):
        yield where
    inner = {f"{where}.{key}": one for key, one in node.get("properties", {}).items()}
    inner |= {
        f"{where}[{key}]": node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)
    }
    for at, one in [*inner.items(), *((where, one) for one in node.get("anyOf", []))]:
        yield from unbounded(one, definitions, at)


def test_every_number_has_a_least_and_a_greatest_value():
    schemas = {name: model.model_json_schema() for name, model in get_type_hints(Study).items()}
    found = [where for name, one in schemas.items() for where in unbounded(one, one.get("$defs", {}), name)]
    assert found == [], "state its range in stages/params/, as `Annotated[int, Field(ge=1, le=390)]` does"


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 1e20])
def test_no_number_is_infinite_or_larger_than_anything_meant(value):
    rules = compose(CONF, [])["rules"]
    with pytest.raises(ConfigurationError, match=r"rules\.k_sigma"):
        parse(RulesParams, {"rules": rules | {"k_sigma": value}})


def test_the_hooks_before_a_commit_name_programs_commands_and_files_that_exist():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in local["hooks"]:
        program, *words = hook["entry"].split()
        assert (Path(sys.executable).parent / Path(program).name).exists(), hook["entry"]
        if program.endswith("/python"):
            assert words[:2] == ["-m", "stages"]
            assert words[2] in VERBS
        assert all((ROOT / word).exists() for word in words if "/" in word)
