"""The page of any run, with what it cost, without disturbing the workspace."""

from hashlib import md5


def test_the_page_of_a_commit_is_that_of_the_workspace_it_was_made_from(clone):
    clone.sh("python -m stages.commands.page")
    clone.sh("python -m stages.commands.page HEAD")
    pages = clone.path / "artifacts/page"
    told = (pages / "workspace.html").read_text()
    assert (pages / "HEAD.html").read_text() == told
    assert 'id="spend"' in told
    assert 'id="openings"' in told
    assert clone.sh("git status --porcelain") == ""


def test_the_hashes_on_the_page_stand_in_dvc_lock(default_run):
    page, lock = default_run.text("artifacts/report/index.html"), default_run.text("dvc.lock")
    for path in ("artifacts/evaluate/gates.json", "artifacts/backtest/bt_trades.csv"):
        digest = md5((default_run.path / path).read_bytes(), usedforsecurity=False).hexdigest()
        assert digest in page
        assert digest in lock


def test_an_unknown_run_is_refused_in_one_sentence(clone):
    told = clone.sh("python -m stages.commands.page nosuch", code=5)
    assert "there is no run 'nosuch'" in told
    assert "Traceback" not in told
