"""The runbook's remedies for a full disk and a moved cache, typed in a clone that has bought answers.

Real git, dvc and make take half a minute; the rules themselves are tested in `test_store_identity`.
"""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.pipeline.clone import Clone, clone_working_tree
from tests.support.contexts import ContextFactory, asked, questions
from tests.support.programs import Done, run_module
from tests.support.timegpt_server import TimeGPTServer

pytestmark = [pytest.mark.journey, pytest.mark.pipeline]


@pytest.fixture
def clone(tmp_path: Path, server: TimeGPTServer) -> Clone:
    """A clone whose store has a limit of 5 requests a day and has spent two on four answers."""
    clone = clone_working_tree(tmp_path / "repository")
    clone.sh("make budget PER_DAY=5")
    ContextFactory(clone.path / ".dvc/cache/forecasts", server.url).backend().answer(
        questions(["AAA", "BBB"], range(2))
    )
    return clone


def left(clone: Clone) -> int:
    return int(re.search(r"budget: (\d+) requests left", asked_of(clone, "budget").stdout)[1])


def verified(clone: Clone) -> int:
    return int(re.search(r"verify: answers=(\d+) damaged=0", asked_of(clone, "verify").stdout)[1])


def asked_of(clone: Clone, command: str, code: int = 0) -> Done:
    done = run_module(clone.path, "stages", *command.split())
    assert done.returncode == code, done
    return done


def test_the_remedy_for_a_full_disk_keeps_answers_and_budget(clone: Clone, tmp_path: Path):
    (tmp_path / "disk").mkdir()
    (block,) = (one for one in blocks(ROOT / "docs/RUNBOOK.md") if "/large/disk" in " ".join(one.commands))
    told = [clone.sh(command.replace("/large/disk", str(tmp_path / "disk"))) for command in block.commands]
    assert "answers=4 damaged=0" in told[-1]
    assert left(clone) == 3


def test_a_cache_that_was_moved_alone_stops_and_its_store_follows_on_demand(clone: Clone, tmp_path: Path):
    old, new = clone.path / ".dvc/cache", tmp_path / "new"
    clone.sh(f"dvc cache dir --local {new}")
    for command in ("verify", "budget", "spend", f"release {asked().question.key}", "plan forecaster=timegpt"):
        told = asked_of(clone, command, 5).stderr
        assert f"are in {old}/forecasts; DVC's cache now has no store at {new}/forecasts" in told
    clone.sh("make adopt-store")
    assert (verified(clone), left(clone)) == (4, 3)

    clone.sh(f"dvc cache dir --local {tmp_path / 'third'}")
    clone.sh("make new-store")
    assert (verified(clone), left(clone)) == (0, 100)
    clone.sh(f"make adopt-store FROM={new}")
    assert (verified(clone), left(clone)) == (4, 3)


def test_a_worktree_is_reported_and_shares_the_clones_store(clone: Clone, tmp_path: Path):
    clone.sh(f"git worktree add -q {tmp_path / 'tree'} && ln -s {clone.path / '.venv'} {tmp_path / 'tree'}/.venv")
    tree = Clone(tmp_path / "tree")
    told = asked_of(tree, "verify", 5).stderr
    remedy = re.search(r"`(dvc cache dir --local [^`]+)` uses them where they are", told)[1]
    tree.sh(remedy)
    assert (verified(tree), left(tree)) == (4, 3)
