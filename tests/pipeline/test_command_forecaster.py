"""A program of the user's in the whole pipeline: as its page has it, killed half-way, and judged like any other."""

import re
import signal
import subprocess
import time

import pytest

from tests.docs import steps
from tests.docs.blocks import ROOT, page_commands
from tests.docs.shell import shell
from tests.pipeline.clone import Clone
from tests.support.programs import run_module

SUMMARY = r"forecast: model=my_forecaster questions=54 calls=0 computed=(\d+) "


@pytest.mark.journey  # an experiment of fifteen stages, and the answers asked anew three times
def test_a_program_answers_once_is_noticed_when_it_changes_and_survives_a_kill(small):
    clone = small
    with shell(clone.path) as reader:
        reader.walk(page_commands(ROOT / "docs/COMMAND_FORECASTER.md"), steps.COMMAND_FORECASTER)
    page = clone.text("artifacts/report/index.html")
    assert "Local program “my_forecaster” (not TimeGPT)" in page
    assert "this verdict says nothing about TimeGPT" in page
    assert "Local forecaster" not in page.replace("Local forecaster “persistence”", "")
    again = clone.sh("dvc repro -f -s forecast", NIXTLA_API_KEY="not-used")
    assert re.search(SUMMARY, again)[1] == "0", "all answers are in the store"

    slow = clone.text("my_forecaster.py").replace("flush=True)", "flush=True)\n    __import__('time').sleep(0.05)")
    (clone.path / "my_forecaster.py").write_text(slow)
    for module in (("stages", "identify"), ("stages.build_requests",)):
        assert run_module(clone.path, *module).returncode == 0
    before = answers(clone)
    killed_after(clone, before + 20)
    kept = answers(clone) - before
    assert int(re.search(SUMMARY, clone.sh("dvc repro forecast"))[1]) == 54 - kept < 54

    assert "spend: 0 runs, 0 requests counted" in run_module(clone.path, "stages", "spend").stdout
    assert "verify: answers=162 damaged=0" in run_module(clone.path, "stages", "verify").stdout


def answers(clone: Clone) -> int:
    """How many answers are stored."""
    return len(list((clone.path / ".dvc/cache/forecasts").glob("??/*.json")))


def killed_after(clone: Clone, count: int) -> None:
    """Run the stage alone and kill it when so many answers are stored."""
    program = clone.path / ".venv/bin/python"
    with subprocess.Popen([program, "-m", "stages.forecast"], cwd=clone.path, start_new_session=True) as run:
        while answers(clone) < count:
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
