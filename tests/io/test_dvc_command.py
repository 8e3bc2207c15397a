"""DVC run by a command: Ctrl-C waits until it has ended by itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STAND_IN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
open("began", "w").close()
time.sleep(0.5)
open("saved", "w").close()
sys.exit("exited with 130")
"""
STUDY, EXPERIMENTS = ("worth", "_judged('a step')"), ("experiments", "_dvc('exp')")


# waits for half a second: the second command at length
@pytest.mark.parametrize(("command", "call"), [STUDY, pytest.param(*EXPERIMENTS, marks=pytest.mark.torture)])
def test_ctrl_c_waits_for_dvc_which_keeps_what_it_has_begun(command: str, call: str, tmp_path: Path):
    """The stand-in takes longer than the quarter of a second that `subprocess.run` grants."""
    (tmp_path / "dvc.py").write_text(STAND_IN)
    words = f"from stages.io.terminal import run; from stages.commands import {command} as one; run(lambda: one.{call})"
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (tmp_path / "began").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert (process.returncode, (tmp_path / "saved").exists()) == (130, True)
    assert b"exited with 130" in said
