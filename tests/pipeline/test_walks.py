"""The docs as a reader follows them, in a clean shell: every command, in order, has work to do and does it.

SCALING is walked in test_scaling.py, SHARING in test_sharing.py.
"""

import json
import re
import shutil

import pytest

from tests.docs import steps
from tests.docs.blocks import ROOT, page_commands
from tests.docs.shell import shell

TUTORIAL = ROOT / "docs/TUTORIAL.md"
BARS = ROOT.parent / "shared/data/stocks/1m/AAPL"


@pytest.mark.journey  # five experiments
def test_the_readme_can_be_typed_from_top_to_bottom(clone):
    """Its second command made the run copied here (conftest.py); the first is typed in test_first_minute.py."""
    commands = page_commands(ROOT / "README.md")
    assert commands[:2] == ["make demo", "make run"]
    with shell(clone.path) as reader:
        reader.walk(commands[2:], steps.README[2:])


@pytest.mark.journey  # the price of every question of the default study
def test_what_the_pages_on_forecasting_and_buying_type_works_on_the_default_run(default_run):
    with shell(default_run.path) as reader:
        reader.walk(page_commands(ROOT / "docs/FORECASTING.md"), steps.FORECASTING)
        reader.walk(page_commands(ROOT / "docs/BUYING.md"), steps.BUYING)


@pytest.mark.journey  # two studies on real bars
@pytest.mark.skipif(not BARS.is_dir(), reason="the bars of the tutorial do not lie beside this clone")
def test_the_tutorial_leads_from_a_preset_to_an_honest_verdict_on_real_bars(clone):
    shutil.copytree(BARS, clone.path.parent / "shared/data/stocks/1m/AAPL")
    with shell(clone.path) as reader:
        said = reader.walk(page_commands(TUTORIAL), steps.TUTORIAL)
    quoted = re.search(r"```text\n(new-run:.*?)```", TUTORIAL.read_text(), re.DOTALL)[1]
    assert quoted in said[1], "the page quotes what the command prints"
    days = json.loads(clone.text("artifacts/evaluate/gates.json"))["gates"]["forecast"]["n_days"]
    assert f"Now there are {days} days" in TUTORIAL.read_text()
    assert "study: my_study" in clone.text("params.yaml")
