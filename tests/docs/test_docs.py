"""The docs name only what exists, and stay short."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

import pytest
import yaml

from stages.commands import command_line
from stages.configuration.compose import compose
from stages.errors import Interrupted, PipelineError
from stages.params.study import problems
from tests.docs import errors, params_page, steps
from tests.docs.blocks import PAGES, ROOT, blocks, page_commands

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
STAGES, COMMANDS = (
    set(
        re.search(rf"^override {name} := (.*?[^\\])$", (ROOT / "Makefile").read_text(), re.M | re.S)[1]
        .replace("\\", " ")
        .split()
    )
    for name in ("STAGES", "COMMANDS")
)
TARGETS |= STAGES | COMMANDS
OF_MAINTAINERS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text().partition("##@ Develop")[2], re.M))


def targets_of(page):
    """The make targets that a page names in code."""
    code = "\n".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL))
    return set(re.findall(r"(?:^|[`$ ])make ([a-z][a-z-]*)", code, re.MULTILINE))


RUNBOOK = ROOT / "docs/RUNBOOK.md"


def of_all_pages(wrong: Callable[[Path], Iterable[str]]) -> list[str]:
    """Whatever is wrong on any page, after the page's name."""
    return [f"{page.name}: {one}" for page in PAGES for one in wrong(page)]


def test_every_make_target_that_a_page_names_exists():
    assert of_all_pages(lambda page: targets_of(page) - TARGETS) == []


def test_every_module_that_a_page_runs_exists():
    def unknown(page: Path) -> list[str]:
        named = set(re.findall(r"python -m ((?:stages|tests)\.[a-z_.]+[a-z])", page.read_text()))
        return [module for module in named if not importlib.util.find_spec(module)]

    assert of_all_pages(unknown) == []


def test_every_link_to_a_file_of_the_repository_leads_somewhere():
    def broken(page: Path) -> list[str]:
        targets = re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text())
        return [target for target in targets if not (page.parent / target).exists()]

    assert of_all_pages(broken) == []


def test_every_link_to_a_heading_names_one():
    def headings(page: Path) -> set[str]:
        titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def broken(page: Path) -> list[str]:
        links = re.findall(r"\]\((?!http)([^)#\s]*)#([^)]+)\)", page.read_text())
        return [f"{to}#{name}" for to, name in links if name not in headings(page.parent / to if to else page)]

    assert of_all_pages(broken) == []


def test_a_page_can_be_read_in_one_sitting():
    """PARAMS and ERRORS are tables to look things up in, not to be read."""
    tables = {params_page.PAGE, errors.PAGE}
    assert of_all_pages(lambda page: [] if page in tables else page.read_text().splitlines()[250:]) == []


def test_a_block_says_why_it_is_not_run_or_who_types_it():
    def unsaid(page: Path) -> list[str]:
        notes = [block.note for block in blocks(page)]
        return [note for note in notes if note and not re.match(r"(not run|fails): \w+|by \w+$", note)]

    assert of_all_pages(unsaid) == []


def test_every_command_that_a_page_lets_you_type_stands_in_a_walk_with_what_shows_that_it_worked():
    """Journeys type them (tests/pipeline); here their lists are held beside the pages."""
    walks = {
        "README.md": steps.README,
        "BUYING.md": steps.BUYING,
        "COMMAND_FORECASTER.md": steps.COMMAND_FORECASTER,
        "FORECASTING.md": steps.FORECASTING,
        "SCALING.md": steps.SCALING[:4] + steps.DASK + steps.SCALING[4:],
        "SHARING.md": [step for _, *step in steps.SHARING],
        "TUTORIAL.md": steps.TUTORIAL,
    }
    for page in PAGES:
        commands, walk = page_commands(page), walks.get(page.name, [])
        begins = [begin for begin, _ in walk]
        assert [begin for command, begin in zip(commands, begins, strict=False) if command.startswith(begin)] == begins
        assert len(commands) == len(begins), f"{page.name}: {commands[len(begins) :]}"


def test_the_runbook_explains_every_exit_code():
    explained = set(re.findall(r"^\| (\d+) \| (?!\|)", RUNBOOK.read_text(), re.MULTILINE))
    codes = {error.exit_code for error in PipelineError.__subclasses__() if error is not Interrupted}
    signals = {Interrupted("by a signal", signum).exit_code for signum in (SIGHUP, SIGINT, SIGTERM)}
    assert explained == {str(code) for code in {0} | codes | signals}


def test_every_sentence_with_which_a_command_may_end_is_listed():
    assert errors.PAGE.read_text() == errors.page(), "run `make errors`"


def test_every_verb_that_is_typed_anywhere_exists():
    """Long tests and make targets too: a verb that is gone would be met there last."""
    typed = re.compile(r"python -m stages ([a-z][a-z-]*)|\"-m\", \"stages\", \"([a-z-]+)\"")
    files = [*PAGES, ROOT / "Makefile", *(ROOT / "stages").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    found = {(path.name, one or other) for path in files for one, other in typed.findall(path.read_text())}
    assert {(name, verb) for name, verb in found if verb not in command_line.VERBS} == set()
    assert len(found) > 30


OF_DVC = {
    "Unable to acquire lock", "DVC failed to load some plots", "required key not provided",
    "Unable to read RWLock-file",
}  # fmt: skip
PLACEHOLDER = re.compile(r"\b(?:N|M|NAME)\b|\b\d{3}(?:(?:, | or )\d{3})*\b")


def texts_of_the_code() -> str:
    """Every text of stages/, a value in it as `…`, one a line."""
    found = []
    for path in sorted((ROOT / "stages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    found += [path.read_text() for path in sorted((ROOT / "stages/reporting/templates").iterdir())]
    return "\n".join(" ".join(text.split()) for text in found)


def test_what_the_runbook_says_a_run_says_is_what_it_says():
    """Part of a sentence is enough to find it; N, M, NAME and a status stand for values."""
    table = r"^\| (?:the run says|line) [^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)"
    tables = re.findall(table, RUNBOOK.read_text(), re.MULTILINE)
    rows = [row.split("|")[1] for table in tables for row in table.splitlines()]
    phrases = {re.sub(r"\s*\(.*?\)", "", part).strip() for row in rows for part in row.split(";")} - OF_DVC
    said = texts_of_the_code()
    parts = {phrase: [re.escape(part.strip()) for part in PLACEHOLDER.split(phrase)] for phrase in phrases}
    assert len(phrases) >= 10
    assert [phrase for phrase, of in parts.items() if not re.search(r"[^\n]{1,40}?".join(of), said)] == []


def test_the_changes_that_the_page_of_params_shows_can_be_made():
    shown = re.findall(r"`-S ([^`]+)`", params_page.PREFACE)
    assert len(shown) == 3
    for change in shown:
        assert problems(compose(ROOT / "conf", shlex.split(change))) == [], change


def test_every_key_of_params_is_listed_with_its_range_and_what_it_makes_stale():
    assert params_page.PAGE.read_text() == params_page.page(), "run `make params-page`"


def test_help_fits_a_screen():
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) <= 30
    assert max(map(len, told)) <= 80


@pytest.mark.journey  # a start of DVC
def test_the_picture_of_the_graph_is_the_one_that_dvc_draws():
    dvc = Path(sys.executable).parent / "dvc"
    drawn = subprocess.run([dvc, "dag", "--md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert drawn in (ROOT / "docs/ARCHITECTURE.md").read_text()


def strings_and_imports() -> str:
    """What the tests type and call: comments and docstrings are neither."""
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text())
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                found.append(node.value)
            elif isinstance(node, ast.ImportFrom):
                found += [f"from {node.module} import {alias.name}" for alias in node.names]
    return "\n".join(found)


@cache
def recipe_of(target: str) -> str:
    return subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True).stdout


def test_every_command_that_a_page_names_is_run_by_a_test():
    """By a test of its own, or in a block that a journey types; `make <stage>` is the test below.

    What maintainers type (`make test` and its like) is what runs the tests, and not asked for.
    """
    tested = "\n".join([strings_and_imports(), *(command for page in PAGES for command in page_commands(page))])

    def unrun(page: Path) -> Iterator[str]:
        for target in targets_of(page) - STAGES - OF_MAINTAINERS:
            module = "".join(re.findall(r"python -m ([\w.]+)", recipe_of(target))[-1:]) or "of no module"
            package, _, name = module.rpartition(".")
            imports = rf"from ({module} import|{package} import {name}$)"
            if not re.search(rf"(?m)^(! {{ )?make {target}\b|^(python -m )?{module}\b|^{imports}", tested):
                yield target

    assert of_all_pages(unrun) == []


def test_every_stage_has_a_make_target_that_runs_it():
    told = subprocess.run(["make", "-n", *sorted(STAGES)], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for stage in STAGES:
        assert f"dvc --wait-for-lock repro {stage.replace('-', '_')}\n" in told


def test_the_workflow_trusts_no_tag_and_gives_proposed_code_no_right_to_write():
    """A tag of an action can be moved to other code; the token of a checkout stays readable for what runs later."""
    workflow = yaml.safe_load((ROOT / "docs/ci/pull-request.yaml").read_text())
    jobs = workflow["jobs"]
    steps = {name: job["steps"] for name, job in jobs.items()}
    used = [step["uses"] for job in steps.values() for step in job if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []
    assert workflow["permissions"] == {}
    runs_proposed_code = {
        name for name in jobs if any("actions/checkout@" in step.get("uses", "") for step in steps[name])
    }
    assert runs_proposed_code == {"judge"}
    assert jobs["judge"]["permissions"] == {"contents": "read", "id-token": "write"}
    (checkout,) = [step for step in steps["judge"] if "actions/checkout@" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] is False
    assert [one for job in steps.values() for step in job for one in re.findall(r"\$\{\{", step.get("run", ""))] == []
