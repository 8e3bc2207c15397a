"""`make page`: a run of the past with its params as they stood, its commit, and a browser for those who ask for it."""

from types import SimpleNamespace

import pytest

from stages.commands import pages
from stages.commands.pages import named, panels, shown
from stages.errors import ConfigurationError
from stages.io.dvc_internals import commit_of
from stages.io.workspace import store_root
from stages.runs.null_market import keep_luck, kept_luck
from tests.support.repositories import commit_folder, git


def test_a_run_older_than_a_key_of_the_report_is_shown_as_today(project):
    today = project.params()
    past = today | {"report": {"study": "the first one", "fan_days": 1}}
    found = shown(past)
    assert found["report"] == today["report"] | {"study": "the first one", "fan_days": 1}
    assert "api" not in found
    assert {name: found[name] for name in ("rules", "gates")} == {name: today[name] for name in ("rules", "gates")}


def test_what_is_reported_beside_a_run_of_the_past_asks_for_no_key_that_came_later(project):
    config = {"source": {"name": "mine"}, "report": {"study": "the first one"}}
    told = panels(SimpleNamespace(config=config, oos={"strategy_id": "s0"}))
    assert [section.id for section in told] == ["spend", "trials", "openings", "revisions"]


def test_luck_is_told_of_the_gates_that_judge_and_not_of_others_of_the_same_strategy(project):
    stated = project.params()
    rate = {"passed": 1, "n": 20, "share": 0.05, "ci": [0.001265, 0.248733]}
    keep_luck("s0", {"gates": stated["gates"], "dates": {"forecast": rate}, "markets": {"forecast": rate}})
    told = {}
    for rmae_lt in (stated["gates"]["rmae_lt"], 0.99):
        config = stated | {"gates": stated["gates"] | {"rmae_lt": rmae_lt}}
        section = next(
            one for one in panels(SimpleNamespace(config=config, oos={"strategy_id": "s0"})) if one.id == "trials"
        )
        told[rmae_lt] = [len(table.rows) for table in section.grids if "by luck" in table.caption]
    assert told == {0.95: [2], 0.99: []}


@pytest.mark.parametrize("note", [b"", b"[", b"[1]", b"[" * 100_000, b'{"dates": {}}', b"\xff"])
def test_luck_whose_note_is_damaged_counts_as_not_asked(note: bytes, project):
    path = store_root() / "null/s0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(note)
    assert kept_luck("s0", project.params()["gates"]) is None


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A commit and an experiment `wider` on it, as DVC names it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("one: 1\n")
    commit_folder(tmp_path, "a run")
    commit = commit_of("HEAD")
    git(tmp_path, "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/wider", commit)
    return tmp_path, commit[:10]


def test_a_run_is_named_with_its_commit_and_the_workspace_with_what_no_commit_holds(repository):
    path, commit = repository
    assert named("wider") == f"Run `wider`, commit {commit}."
    assert named("HEAD") == f"Run `HEAD`, commit {commit}."
    assert named("workspace") == f"Run `workspace`, on commit {commit}."
    (path / "params.yaml").write_text("one: 2\n")
    assert named("workspace") == f"Run `workspace`, on commit {commit}, with uncommitted changes."


def test_of_experiments_with_one_name_the_one_on_this_commit_is_named_or_all_are(repository):
    """An experiment is shown by the name it has, so the page must not tell the commit of its namesake."""
    path, first = repository

    def commit() -> str:
        git(path, "commit", "-q", "--allow-empty", "-m", "later")
        return commit_of("HEAD")

    second = commit()
    for base, made in (("0" * 40, commit_of("HEAD~1")), (second, second)):
        git(path, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/wider", made)
    assert named("wider") == f"Run `wider`, commit {second[:10]}."

    commit()
    with pytest.raises(ConfigurationError, match=r"3 experiments are called 'wider', .* by its own commit") as told:
        named("wider")
    assert first in str(told.value)
    assert second[:10] in str(told.value)


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
