"""The page of any run, with what it cost, without disturbing the workspace."""

import re
from hashlib import md5

import pytest

from tests.support.programs import run_module

pytestmark = pytest.mark.journey  # the default run, made anew where the code changed


def test_the_page_of_a_commit_is_that_of_the_workspace_it_was_made_from(clone):
    for run in ((), ("HEAD",)):
        assert run_module(clone.path, "stages", "page", *run).returncode == 0
    pages = clone.path / "artifacts/page"
    told = (pages / "workspace.html").read_text()
    at_head = (pages / "HEAD.html").read_text()
    commit = clone.sh("git rev-parse --short=10 HEAD").strip()
    assert f"Run <code>workspace</code>, on commit {commit}." in told
    assert f"Run <code>HEAD</code>, commit {commit}." in at_head
    assert at_head.replace("<code>HEAD</code>, commit", "<code>workspace</code>, on commit") == told
    assert 'id="spend"' in told
    assert 'id="openings"' in told
    assert clone.sh("git status --porcelain") == ""


def test_the_hashes_on_the_page_stand_in_dvc_lock(default_run):
    page, lock = default_run.text("artifacts/report/index.html"), default_run.text("dvc.lock")
    for path in ("artifacts/evaluate/gates.json", "artifacts/backtest/bt_trades.csv"):
        digest = md5((default_run.path / path).read_bytes(), usedforsecurity=False).hexdigest()
        assert digest in page
        assert digest in lock


def test_an_unknown_run_is_refused_in_one_sentence(default_run):
    told = run_module(default_run.path, "stages", "page", "nosuch")
    assert told.returncode == 5
    assert "there is no run 'nosuch'" in told.stderr


def test_a_verdict_that_was_changed_in_dvcs_cache_is_found_by_all_who_read_it_and_made_anew(clone):
    """DVC believes a read-only copy by its name: `dvc checkout` brings the change, and `dvc status` sees none."""
    gates = "artifacts/evaluate/gates.json"
    digest = md5((clone.path / gates).read_bytes(), usedforsecurity=False).hexdigest()
    copy = f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    clone.sh(f"chmod u+w {copy} && sed -i s/PASS/FAIL/ {copy} && chmod a-w {copy} && rm {gates} && dvc checkout")
    assert '"verdict": "FAIL"' in clone.text(gates)
    for reader in ("page", "page HEAD", "doctor", "gate"):
        told = run_module(clone.path, "stages", *reader.split())
        assert (told.returncode, gates in told.stdout + told.stderr) == (5, True), reader
    remedy = re.search(r"`(rm -rf [^`]+)`, then `make run`", told.stderr)[1]
    assert "gate: PASS" in clone.sh(f"{remedy} && make run")
