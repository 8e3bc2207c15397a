"""`make page`: a run of the past with its params as they stood, its commit, and a browser for those who ask for it."""

import subprocess
from types import SimpleNamespace

import pytest

from stages.commands import pages
from stages.commands.pages import named, shown


def test_a_run_older_than_a_key_of_the_report_is_shown_as_today(project):
    today = project.params()
    past = today | {"report": {"study": "the first one", "fan_days": 1}}
    found = shown(past)
    assert found["report"] == today["report"] | {"study": "the first one", "fan_days": 1}
    assert "api" not in found
    assert {name: found[name] for name in ("rules", "gates")} == {name: today[name] for name in ("rules", "gates")}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A commit and an experiment `wider` on it, as DVC names it."""
    monkeypatch.chdir(tmp_path)
    identity = ["-c", "user.email=test@example.org", "-c", "user.name=test"]
    (tmp_path / "params.yaml").write_text("one: 1\n")
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "a run"]):
        subprocess.run(["git", *command], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/wider", commit], check=True)
    return tmp_path, commit[:10]


def test_a_run_is_named_with_its_commit_and_the_workspace_with_what_no_commit_holds(repository):
    path, commit = repository
    assert named("wider") == f"Run `wider`, commit {commit}."
    assert named("HEAD") == f"Run `HEAD`, commit {commit}."
    assert named("workspace") == f"Run `workspace`, on commit {commit}."
    (path / "params.yaml").write_text("one: 2\n")
    assert named("workspace") == f"Run `workspace`, on commit {commit}, with changes that are in no commit."


def test_open_shows_what_was_written_or_says_where_it_lies(repository, monkeypatch, capsys):
    path, commit = repository
    asked, written = [], path / "artifacts/page/wider.html"
    monkeypatch.setattr(pages, "read_run", lambda _: SimpleNamespace(gates={"verdict": "PASS"}))
    monkeypatch.setattr(pages, "panels", lambda _: [])
    monkeypatch.setattr(pages, "render_page", lambda *told: told[-1])
    pages.page("wider")
    assert asked == []
    for found in (True, False):
        monkeypatch.setattr(pages.webbrowser, "open", lambda address, found=found: asked.append(address) or found)
        pages.page("wider", opened="1")
        assert asked.pop() == written.as_uri()
        assert written.read_text() == f"Run `wider`, commit {commit}."
        assert ("no browser was found here: open" in capsys.readouterr().out) is not found
