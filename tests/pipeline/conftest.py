"""The default run, typed once in a clean shell for all workers, and copied for every journey."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.docs.shell import shell
from tests.docs.steps import README
from tests.pipeline.clone import Clone, clone_working_tree


def pytest_collection_modifyitems(items):
    """Everything here runs real dvc subprocesses."""
    for item in items:
        if "tests/pipeline" in str(item.path):
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def default_run(tmp_path_factory) -> Clone:
    """A fresh clone after `make run`, the README's first command; not to be changed by tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = shared / "default" / "made"
    with FileLock(shared / "default.lock"):
        if not made.exists():
            with shell(clone_working_tree(made.parent / "repo").path) as reader:
                said = reader.step(*README[0])
            made.write_text(said)  # what the terminal showed
    return Clone(made.parent / "repo")


@pytest.fixture
def clone(default_run: Clone, tmp_path: Path) -> Clone:
    """A copy of the default run that a test may change."""
    return default_run.copy_to(tmp_path / "repo")


@pytest.fixture
def fresh(tmp_path: Path) -> Clone:
    """A clone in which nothing has run."""
    return clone_working_tree(tmp_path / "repo")
