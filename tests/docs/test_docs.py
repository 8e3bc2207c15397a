"""The docs name only what exists, and stay short."""

import importlib.util
import re

import pytest

from tests.docs.blocks import PAGES, ROOT, blocks

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
for name in ("STAGES", "COMMANDS"):
    listed = re.search(rf"^{name} := (.*?[^\\])$", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL)
    TARGETS |= set(listed[1].replace("\\", " ").split())


def page_id(page):
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_that_a_page_names_exists(page):
    named = set(re.findall(r"(?:^|[`$ ])make ([a-z-]+)", page.read_text(), re.MULTILINE))
    code = "\n".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL))
    named = {target for target in named if f"make {target}" in code}
    assert named <= TARGETS


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
def test_a_block_that_is_not_run_says_why(page):
    for block in blocks(page):
        assert not block.note or re.match(r"(not run|fails): \w+", block.note)
