"""The docs as a reader follows them: every command, in order, in a clone after `make run`."""

import json
import re
import shutil

import pytest

from tests.docs.blocks import PAGES, ROOT, blocks, typed

TUTORIAL = ROOT / "docs/TUTORIAL.md"
WALKS = {"README.md", "SCALING.md", "SHARING.md", "TUTORIAL.md"}  # walked elsewhere: test_scaling.py, test_sharing.py
BARS = ROOT.parent / "shared/data/stocks/1m/AAPL"


@pytest.mark.journey
def test_the_readme_can_be_typed_from_top_to_bottom(clone):
    commands = [command for block in blocks(ROOT / "README.md") for command in typed(block)]
    assert len(commands) >= 8
    for command in commands:
        clone.sh(command)


def test_what_the_other_pages_type_works_on_the_default_run(default_run):
    others = [page for page in PAGES if page.name not in WALKS]
    commands = [command for page in others for block in blocks(page) for command in typed(block)]
    assert commands
    for command in commands:
        default_run.sh(command)


@pytest.mark.journey
@pytest.mark.skipif(not BARS.is_dir(), reason="the bars of the tutorial do not lie beside this clone")
def test_the_tutorial_leads_from_a_preset_to_an_honest_verdict_on_real_bars(clone):
    shutil.copytree(BARS, clone.path.parent / "shared/data/stocks/1m/AAPL")
    said = {command: clone.sh(command) for block in blocks(TUTORIAL) for command in typed(block)}

    told = next(output for command, output in said.items() if command.startswith("make new-run"))
    quoted = re.search(r"```text\n(new-run:.*?)```", TUTORIAL.read_text(), re.DOTALL)[1]
    assert quoted in told, "the page quotes what the command prints"
    assert "the verdict is FAIL" in said["! { make run; }"]
    assert "the verdict is FAIL" in said["! { make gate; }"]
    days = json.loads(clone.text("artifacts/evaluate/gates.json"))["gates"]["forecast"]["n_days"]
    assert f"Now there are {days} days" in TUTORIAL.read_text()
    assert "0 keys moved" in said["make audit INSTANTS=3"]
    assert "study: my_study" in clone.text("params.yaml")
