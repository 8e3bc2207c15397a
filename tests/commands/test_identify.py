"""`make identify`: which program answers is a digest of its files, written where its command stands."""

import re

import pytest
import yaml

from stages.errors import ConfigurationError
from stages.io.file_identity import digest_of_files

CHOICE = "conf/forecaster/command.yaml"
SCRIPT = "examples/forecasters/last_value.py"


@pytest.fixture
def scripted(project):
    """The project with a program where `forecaster=command` expects one, not identified yet."""
    (project.path / SCRIPT).parent.mkdir(parents=True)
    (project.path / SCRIPT).write_text("the first version")
    text = re.sub(r"files_sha256: \w+", "files_sha256: null", project.text(CHOICE))
    (project.path / CHOICE).write_text(text)
    project.commit()
    return project


def stated(text):
    return yaml.safe_load(text)["files_sha256"]


def test_a_choice_that_does_not_stand_is_identified_in_its_file_alone(scripted):
    before = scripted.text("params.yaml")
    told = scripted.run("identify", "command")
    digest = digest_of_files(["python", SCRIPT], [SCRIPT])
    assert told.startswith(f"identify: last_value is {digest} -> {CHOICE}")
    assert stated(scripted.text(CHOICE)) == digest
    assert "docs/COMMAND_FORECASTER.md" in scripted.text(CHOICE), "comments stay"
    assert scripted.text("params.yaml") == before
    assert "of last_value." in scripted.run("identify", "command")


def test_a_standing_program_that_changed_stops_make_run_until_it_is_identified_anew(scripted):
    scripted.edit("conf/config.yaml", "forecaster: seasonal", "forecaster: command")
    scripted.edit(CHOICE, "files_sha256: null", f"files_sha256: '{'0' * 64}'")
    with pytest.raises(ConfigurationError, match=r"they changed, and DVC cannot see them"):
        scripted.run("params", "--check")
    scripted.run("identify")
    digest = digest_of_files(["python", SCRIPT], [SCRIPT])
    assert stated(scripted.text(CHOICE)) == digest
    assert scripted.params()["forecaster"]["files_sha256"] == digest


def test_a_program_that_is_a_free_candidate_is_identified_where_it_is_stated(scripted):
    choice = "conf/forecaster/seasonal.yaml"
    scripted.edit(choice, "command: []", f"command: [python, {SCRIPT}]")
    scripted.edit(choice, "files: []", f"files: [{SCRIPT}]")
    scripted.edit("conf/worth/default.yaml", "ewma_fhs, har]", "ewma_fhs, har, command]")
    told = scripted.run("identify")
    digest = digest_of_files(["python", SCRIPT], [SCRIPT])
    assert told.startswith(f"identify: command is {digest} -> ")
    assert stated(scripted.text(choice)) == digest
    assert scripted.params()["forecaster"]["files_sha256"] == digest


def test_a_choice_stands_also_where_a_preset_beneath_the_standing_one_names_it(scripted):
    beneath = "# @package _global_\ndefaults:\n  - override /forecaster: command\n"
    (scripted.path / "conf/preset/beneath.yaml").write_text(beneath)
    (scripted.path / "conf/preset/mine.yaml").write_text("# @package _global_\ndefaults:\n  - beneath\n")
    scripted.run("use", "mine")
    scripted.run("identify", "command")
    assert scripted.params()["forecaster"]["files_sha256"] == digest_of_files(["python", SCRIPT], [SCRIPT])
    scripted.run("params", "--check")


def test_a_digest_that_the_standing_preset_hides_is_written_nowhere(scripted):
    preset = "# @package _global_\nforecaster:\n  files_sha256: null\n"
    (scripted.path / "conf/preset/mine.yaml").write_text(preset)
    scripted.run("use", "mine")
    scripted.commit()
    with pytest.raises(ConfigurationError, match=r"command\.yaml cannot express forecaster\.files_sha256 = .* preset"):
        scripted.run("identify", "command")
    assert scripted.git("status", "--porcelain", "conf") == ""


def test_what_is_no_program_has_no_files_to_identify(scripted):
    for arguments in ([], ["timegpt"]):
        with pytest.raises(ConfigurationError, match=r"forecaster\.command \[\], so there is no program of yours"):
            scripted.run("identify", *arguments)
    with pytest.raises(ConfigurationError, match="there is no forecaster 'mine'"):
        scripted.run("identify", "mine")
