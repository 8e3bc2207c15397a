"""The default run, made once for all workers, and copied for every journey."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.clone import Clone, clone_working_tree, take_results


def pytest_collection_modifyitems(items):
    """Everything here runs real dvc subprocesses."""
    for item in items:
        if "tests/pipeline" in str(item.path):
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def default_run(tmp_path_factory) -> Clone:
    """A clone in which everything has run; not to be changed by tests.

    What this repository has run with the same code is checked out; test_default_run.py has `make run` run it all.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = shared / "default" / "made"
    with FileLock(shared / "default.lock"):
        if not made.exists():
            run = clone_working_tree(made.parent / "repo")
            take_results(run)
            run.sh("dvc checkout -q", code=None)  # not zero where something must run
            made.write_text(run.sh("dvc repro && python -m stages trials --present"))
    return Clone(made.parent / "repo")


@pytest.fixture
def clone(default_run: Clone, tmp_path: Path) -> Clone:
    """A copy of the default run that a test may change."""
    return default_run.copy_to(tmp_path / "repo")


@pytest.fixture
def fresh(tmp_path: Path) -> Clone:
    """A clone in which nothing has run."""
    return clone_working_tree(tmp_path / "repo")
