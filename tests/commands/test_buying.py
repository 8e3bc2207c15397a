"""`make study`: how far it buys, with the runs themselves left out."""

from datetime import date
from subprocess import CompletedProcess

import pytest

from stages.commands import worth
from stages.errors import ConfigurationError
from stages.sessions.calendar import trading_calendar
from tests.worth.test_plan import asked
from tests.worth.test_verdict_lines import OPEN

SESSIONS = trading_calendar(date(2024, 10, 29), date(2025, 3, 31))["session"].sort().to_list()


@pytest.fixture
def steps(project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of a study of 20 sessions that stays open; the holdout begins with session 50."""
    project.edit("conf/split/single_holdout.yaml", "holdout_sessions: 30", "holdout_sessions: null")
    project.edit("conf/split/single_holdout.yaml", "holdout_from: null", f'holdout_from: "{SESSIONS[50]}"')
    project.edit("conf/worth/default.yaml", "planned_sessions: 120", "planned_sessions: 20")
    project.run("params")
    found: list[str] = []
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(sessions=SESSIONS))
    monkeypatch.setattr(worth, "_judged", lambda step: found.append(step) or OPEN)
    return found


def test_a_study_buys_nothing_behind_its_search_span(project, steps):
    said = " ".join(project.run("study", "--step", "20").split())

    assert steps == [f"study: to {SESSIONS[n]}" for n in (19, 39, 48)], "the holdout and its embargo are no evidence"
    assert f"The search span ends on {SESSIONS[48]}, before split.holdout_from {SESSIONS[50]}" in said
    assert "make study" not in said, "which would buy nothing more"
    assert project.params()["requests"]["last_session"] == str(SESSIONS[48])


def test_a_study_buys_nothing_that_the_end_of_the_record_leaves_out_and_says_how_it_grows(project, steps, monkeypatch):
    """The last session is the embargo, which `seal` does not search. The listing alone adds none to a run."""
    project.edit("conf/universe/synthetic.yaml", "2025-03-31", str(SESSIONS[29]))
    project.run("params")
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(sessions=SESSIONS[:30]))
    said = " ".join(project.run("study", "--step", "20").split())
    assert steps == [f"study: to {SESSIONS[n]}" for n in (19, 28)]
    assert (
        f"its last 1 session (split.embargo_sessions) may border on the holdout, so the search ends on {SESSIONS[28]}"
        in said
    )
    assert "go on when the record holds more sessions (raise universe.last_session, then `make refresh`)." in said


@pytest.mark.journey  # months of sessions, step by step
def test_a_record_that_ends_where_the_holdout_begins_is_not_said_to_grow(project, steps, monkeypatch):
    """Longer, it holds no session more to search."""
    project.edit("conf/universe/synthetic.yaml", "2025-03-31", str(SESSIONS[49]))
    project.run("params")
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(sessions=SESSIONS[:50]))
    said = " ".join(project.run("study", "--step", "20").split())
    assert steps[-1] == f"study: to {SESSIONS[48]}"
    assert f"The search span ends on {SESSIONS[48]}, before split.holdout_from {SESSIONS[50]}" in said


def test_a_record_that_ends_within_its_embargo_buys_nothing(project, steps, monkeypatch: pytest.MonkeyPatch):
    project.edit("conf/universe/synthetic.yaml", "2025-03-31", str(SESSIONS[2]))
    project.edit("conf/split/single_holdout.yaml", "embargo_sessions: 1", "embargo_sessions: 60")
    project.run("params")
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(sessions=SESSIONS[:3]))
    monkeypatch.setattr(worth, "require_sealed", lambda *_: None)
    with pytest.raises(ConfigurationError, match="no session of the search span has"):
        project.run("study", "--step", "5")
    assert steps == []


def test_the_last_step_buys_no_more_than_the_plan_lacks(project, steps, monkeypatch: pytest.MonkeyPatch):
    lengths = iter((10, 17, 20))
    ended = {20: {"state": "NOT SHOWN"}}

    def judged(step: str) -> dict:
        steps.append(step)
        sessions = next(lengths)
        return OPEN | {"planned_sessions": 20, "sessions": sessions} | ended.get(sessions, {})

    monkeypatch.setattr(worth, "_judged", judged)
    project.run("study", "--step", "8")

    assert steps == [f"study: to {SESSIONS[n]}" for n in (7, 15, 18)]


@pytest.mark.journey  # months of sessions, step by step
def test_a_step_longer_than_the_plan_asks_the_plan(project, steps):
    project.run("study", "--step", "40")

    assert steps[0] == f"study: to {SESSIONS[23]}", "20 behind the four that calibrate"


@pytest.mark.parametrize("before", ["null", f'"{SESSIONS[2]}"'])
def test_the_first_step_asks_the_judged_history(project, steps, monkeypatch: pytest.MonkeyPatch, before):
    """Shorter histories alone are asked on seven sessions: a step that ends there would buy what nobody can judge."""
    project.edit("conf/requests/four_snapshots.yaml", "last_session: null", f"last_session: {before}")
    project.run("params")
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(*[(0, 0)] * 7, sessions=SESSIONS))
    verdicts = iter((OPEN, OPEN | {"state": "NOT SHOWN"}))
    monkeypatch.setattr(worth, "_judged", lambda step: steps.append(step) or next(verdicts))
    project.run("study", "--step", "5")

    assert steps == [f"study: to {SESSIONS[n]}" for n in (7, 12)]


def test_a_judged_history_that_the_record_never_asks_buys_nothing(project, steps, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worth, "_asked_sessions", lambda _: asked(then=(0, 0), sessions=SESSIONS))
    monkeypatch.setattr(worth, "require_sealed", lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"no session of the search span has rules\.history_days 40"):
        project.run("study", "--step", "5")
    assert steps == []


def test_what_was_asked_behind_it_stays(project, steps):
    project.edit("conf/requests/four_snapshots.yaml", "last_session: null", f'last_session: "{SESSIONS[60]}"')
    project.run("params")
    project.run("study", "--step", "20")

    assert steps == [f"study: to {SESSIONS[60]}"]


STOPPED, KILLED = (f"ERROR: failed to reproduce 'forecast': exited with {code}\n" for code in (4, -9))


@pytest.mark.parametrize(
    ("said", "told", "code"), [(f"error of a limit\n{STOPPED}", "error of a limit\n", 4), (KILLED, KILLED, 255)]
)
def test_a_stage_that_was_killed_and_said_nothing_is_named(
    said: str, told: str, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(worth, "run_dvc", lambda *_, **__: CompletedProcess([], 255, "", said))
    with pytest.raises(SystemExit) as ended:
        worth._judged("study")
    assert ended.value.code == code
    assert capfd.readouterr().err == told
