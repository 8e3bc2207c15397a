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


def test_two_runs_stand_on_one_page_with_what_was_told_differently_first(clone):
    clone.sh("dvc exp run -n wider -S rules.s_stop=1.5")
    said = clone.sh("make compare A=HEAD B=wider")
    assert "artifacts/page/HEAD-and-wider.html" in said
    page = (clone.path / "artifacts/page/HEAD-and-wider.html").read_text()
    assert page.index("rules.s_stop") < page.index('id="verdicts"') < page.index('id="figure-search-equity"')


def test_dvc_draws_its_pictures_of_both_runs(clone):
    clone.sh("dvc exp run -n wider -S rules.s_stop=1.5")
    clone.sh("dvc plots diff HEAD wider")
    page = (clone.path / "artifacts/plots/index.html").read_text()
    assert page.count("vegaEmbed('#") == 3
    assert '"rev": "wider"' in page
