"""What is typed after a command and cannot be read: one sentence, exit code 5, and not the 2 of bad data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
UNREADABLE = [
    (
        "audit",
        ["--instants", "-3"],
        "stages audit: argument --instants: '-3' is not a whole number of at least 1",
    ),
    ("audit", ["--seed", "x"], "python -m stages audit: argument --seed: 'x' is not a whole number of at least 0"),
    ("audit", ["--seed", str(2**32)], f"'{2**32}' is not a whole number of at least 0 and at most 4,294,967,295"),
    ("study", ["--step", "9" * 5000], "is not a whole number of at least 1 and at most 1,000,000,000"),
    ("null", ["--times", "0"], "python -m stages null: argument --times: '0' is not a whole number of at least 1"),
    ("budget", ["1.5"], "python -m stages budget: argument per_day: '1.5' is not a whole number of at least 0"),
    ("new-run", ["x", "--uri", "u", "--symbols", "A", "--holdout", "0"], "--holdout: '0' is not a whole number"),
    ("adopt", ["everything"], "python -m stages adopt: argument what: invalid choice: 'everything'"),
    ("use", [], "python -m stages use: the following arguments are required: preset"),
    ("compare", [], "python -m stages compare: the following arguments are required: a"),
]


@pytest.mark.parametrize(("command", "typed", "said"), UNREADABLE)
def test_what_cannot_be_read_is_named_and_nothing_is_done(project, command, typed, said):
    with pytest.raises(ConfigurationError) as told:
        project.run(command, *typed)
    assert said in str(told.value)
    assert f"`python -m stages {command} --help` shows what it takes" in str(told.value)
    assert project.git("status", "--short") == ""


def test_the_exit_code_is_that_of_configuration_and_help_is_no_error():
    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stages", "audit", *arguments]
        return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)

    refused, helped = typed("--instants", "many"), typed("--help")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert refused.stderr.count("\n") == 1
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "--instants" in helped.stdout


def test_a_sweep_that_is_not_there_is_refused_with_those_that_are():
    command = ["make", "-o", ".venv/runtime", "experiments", "NAME=nope"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2  # make's own, of any failure
    assert "error there is no conf/sweeps/nope.txt: name one of k_sigma.txt" in done.stderr
    assert done.stdout == ""
