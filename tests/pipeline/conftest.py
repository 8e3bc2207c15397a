"""The default run, made once, and copied for every journey."""

from pathlib import Path

import pytest

from tests.pipeline.clone import Clone, clone_working_tree


def pytest_collection_modifyitems(items):
    """All journeys share one default run, so they stay on one worker."""
    for item in items:
        if "tests/pipeline" in str(item.path):
            item.add_marker(pytest.mark.pipeline)
            item.add_marker(pytest.mark.xdist_group("pipeline"))


@pytest.fixture(scope="session")
def default_run(tmp_path_factory) -> Clone:
    """A fresh clone after `make run`; not to be changed by tests."""
    clone = clone_working_tree(tmp_path_factory.mktemp("default") / "repo")
    clone.sh("make run")
    return clone


@pytest.fixture
def clone(default_run: Clone, tmp_path: Path) -> Clone:
    """A copy of the default run that a test may change."""
    return default_run.copy_to(tmp_path / "repo")


@pytest.fixture
def fresh(tmp_path: Path) -> Clone:
    """A clone in which nothing has run."""
    return clone_working_tree(tmp_path / "repo")
