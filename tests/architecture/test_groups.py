"""Tests of one group run on one worker: what they share, a cluster or a browser, is made once."""

import os
import subprocess
import sys
from pathlib import Path

GROUPED = """
import pathlib
import pytest

pytestmark = pytest.mark.xdist_group("shared")


@pytest.mark.parametrize("number", range(20))
def test_notes_its_worker(number, worker_id):
    pathlib.Path(worker_id).touch()
"""


def test_a_group_stays_on_one_worker(tmp_path: Path):
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "."]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("gw*"))) == 1
