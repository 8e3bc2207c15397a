"""The docs name only what exists, and stay short."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM

import pytest

from stages.errors import Interrupted, PipelineError
from tests.docs import errors
from tests.docs.blocks import PAGES, ROOT, blocks, typed

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
STAGES, COMMANDS = (
    set(
        re.search(rf"^{name} := (.*?[^\\])$", (ROOT / "Makefile").read_text(), re.M | re.S)[1]
        .replace("\\", " ")
        .split()
    )
    for name in ("STAGES", "COMMANDS")
)
TARGETS |= STAGES | COMMANDS
OF_MAINTAINERS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text().partition("##@ Develop")[2], re.M))


def page_id(page):
    return page.name


def targets_of(page):
    """The make targets that a page names in code."""
    code = "\n".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL))
    return set(re.findall(r"(?:^|[`$ ])make ([a-z][a-z-]*)", code, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_that_a_page_names_exists(page):
    assert targets_of(page) <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_module_that_a_page_runs_exists(page):
    for module in set(re.findall(r"python -m (stages\.[a-z_.]+[a-z])", page.read_text())):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_to_a_file_of_the_repository_leads_somewhere(page):
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_page_can_be_read_in_one_sitting(page):
    assert len(page.read_text().splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_block_says_why_it_is_not_run_or_who_types_it(page):
    for block in blocks(page):
        assert not block.note or re.match(r"(not run|fails): \w+|by \w+$", block.note)


def test_the_runbook_explains_every_exit_code():
    explained = set(re.findall(r"^\| (\d+) \| (?!\|)", (ROOT / "docs/RUNBOOK.md").read_text(), re.MULTILINE))
    codes = {str(error.exit_code) for error in PipelineError.__subclasses__()}
    assert explained == codes | {"0", str(Interrupted("by SIGTERM", SIGTERM).exit_code)}


def test_every_sentence_with_which_a_command_may_end_is_listed():
    assert errors.PAGE.read_text() == errors.page(), "run `make errors`"


def test_help_fits_a_screen():
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) <= 40
    assert max(map(len, told)) <= 110


def test_the_picture_of_the_graph_is_the_one_that_dvc_draws():
    dvc = Path(sys.executable).parent / "dvc"
    drawn = subprocess.run([dvc, "dag", "--md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert drawn in (ROOT / "docs/ARCHITECTURE.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_that_a_page_names_is_run_by_a_test(page):
    """By a test of its own, or in a block that a journey types; `make <stage>` is the test below.

    What maintainers type (`make test` and its like) is what runs the tests, and not asked for.
    """
    walked = [command for one in PAGES for block in blocks(one) for command in typed(block)]
    tested = "\n".join([*(path.read_text() for path in (ROOT / "tests").rglob("*.py")), *walked])
    for target in targets_of(page) - STAGES - OF_MAINTAINERS:
        name = target.replace("-", "_")
        imported = rf"from stages\.commands import [^\n]*\b{name}\b|(commands|outside)[./]{name}\b"
        assert re.search(rf"make {target}\b|python -m stages\.{name}\b|{imported}", tested), target


def test_every_stage_has_a_make_target_that_runs_it():
    told = subprocess.run(["make", "-n", *sorted(STAGES)], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for stage in STAGES:
        assert f"dvc --wait-for-lock repro {stage.replace('-', '_')}\n" in told
