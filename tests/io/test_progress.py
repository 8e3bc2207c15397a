"""Bars and clocks are for people at a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from stages.io.terminal import progress

ROOT = Path(__file__).parents[2]
STAGE = """
from stages.io.terminal import run, say
run(lambda: say("score", cells=84, share=0.51234))
"""


def test_in_logs_and_pipes_it_is_silent_and_hands_on_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(["a", "b"], "reading")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_at_a_terminal_it_names_what_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert list(progress(["a", "b"], "reading")) == ["a", "b"]
    assert "reading" in capsys.readouterr().err


def at_a_terminal(**environment: str) -> str:
    """What a stage that DVC runs writes to a terminal."""
    ours, theirs = pty.openpty()
    stage = [sys.executable, "-c", STAGE]
    settings = {"PATH": os.environ["PATH"], "TERM": "xterm", "DVC_STAGE": "score_forecasts", **environment}
    with subprocess.Popen(stage, cwd=ROOT, env=settings, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        told = b""
        try:
            while chunk := os.read(ours, 4096):
                told += chunk
        except OSError:  # Linux's end of a terminal
            pass
    os.close(ours)
    return told.decode()


def test_a_stage_that_dvc_runs_shows_its_name_and_a_clock_and_then_only_its_line() -> None:
    told = at_a_terminal()
    assert "score_forecasts" in told
    line = told.rpartition("\x1b[2K")[2]
    assert line.startswith("score: cells=84 share=0.5123 seconds=")


def test_no_color_is_honoured() -> None:
    assert "\x1b[3" in at_a_terminal()
    assert "\x1b[3" not in at_a_terminal(NO_COLOR="1")


def test_a_stage_in_a_pipe_says_one_line_and_nothing_else() -> None:
    environment = {"PATH": os.environ["PATH"], "DVC_STAGE": "score_forecasts"}
    done = subprocess.run(
        [sys.executable, "-c", STAGE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_a_line_longer_than_the_terminal_breaks_between_words_and_goes_on_indented() -> None:
    line = at_a_terminal(COLUMNS="20").rpartition("\x1b[2K")[2]
    assert line.splitlines()[:2] == ["score: cells=84", "    share=0.5123"]
