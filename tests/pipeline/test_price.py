"""What a run would cost: `make plan` after a whole run, without a key."""

import re

import pytest

from stages.commands import spending
from stages.configuration.compose import compose, to_yaml
from tests.pipeline.clone import Clone
from tests.support.programs import run_module
from tests.support.sockets import no_sockets

# Tests on other workers read this run too, and then DVC writes down what it hashed.
FILES = (
    "find . -type f -not -path './.venv/*' -not -path './.dvc/tmp/site/*' -not -path ./.git/index -not -name '*.pyc' "
    "-print0 | xargs -0 md5sum | sort"
)
KNOWN = ("forecaster.input_size=500", "forecaster.model_horizon=20")


def plan(clone: Clone, *overrides: str) -> str:
    """What `make plan` says of the paid forecaster, for which it opens no socket."""
    with no_sockets():
        done = run_module(clone.path, "stages", "plan", "forecaster=timegpt", *overrides, *KNOWN)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(output: str, name: str) -> int:
    """A number of the plan."""
    found = re.search(rf"^ *{name} +(\d+)", output, re.MULTILINE)
    assert found, output
    return int(found[1])


@pytest.mark.journey  # the price of every question of the default study, twice
def test_other_params_are_priced_once_without_touching_the_workspace(default_run, monkeypatch):
    """Histories that send the same rows are named, and cost what the shortest costs alone."""
    before = default_run.sh(FILES)
    output = plan(default_run, "requests.history_days=[20,40,60]")
    asked = int(re.search(r"plan: ([\d,]+) questions to timegpt-2.1", output)[1].replace(",", ""))
    assert told(output, "answered here") == 0
    assert told(output, "to buy") == asked
    assert told(output, "requests, packed") < told(output, "requests") < asked
    assert told(output, "left today") == 100
    assert told(output, "days needed") == -(-told(output, "requests") // 100)
    assert default_run.sh(FILES) == before
    monkeypatch.setattr(spending, "evidence_lines", lambda *_, **__: [])  # of no part here
    alone = plan(default_run, "requests.history_days=[20]", "rules.history_days=20", "sweep.grid.history_days=[20]")
    assert int(re.search(r"(\d+) rows of the schedule are the same question as another", output)[1]) > 0
    assert told(output, "to buy") == told(alone, "to buy")
    assert "same question as another" not in alone


@pytest.mark.journey  # the price of every question of the default study, twice
def test_a_record_without_a_session_to_search_is_refused_before_it_is_bought(default_run, tmp_path, monkeypatch):
    """104 sessions have forecasts: 102 held out and one of embargo leave one; 103 leave none, as `seal` would say."""
    left = "with at least one session left to search"
    monkeypatch.setattr(spending, "evidence_lines", lambda *_, **__: [])  # of no part here
    assert told(plan(default_run, "split.holdout_sessions=102"), "to buy") > 0
    planned = run_module(default_run.path, "stages", "plan", "forecaster=timegpt", "split.holdout_sessions=103", *KNOWN)
    assert (planned.returncode, left in planned.stderr) == (5, True)
    (tmp_path / "artifacts").symlink_to(default_run.path / "artifacts")
    bought = compose(default_run.path / "conf", ["forecaster=timegpt", "split.holdout_sessions=103"])
    (tmp_path / "params.yaml").write_text(to_yaml(bought))
    with no_sockets():
        stopped = run_module(tmp_path, "stages.forecast")
    assert (stopped.returncode, left in stopped.stderr) == (5, True)
