"""Copies of the whole runs, one for every journey."""

from pathlib import Path

import pytest

from tests.pipeline.clone import Clone, clone_working_tree


def pytest_collection_modifyitems(items):
    """Everything here runs real dvc subprocesses; its journeys take longest, so they start first."""
    here = [item for item in items if "tests/pipeline" in str(item.path)]
    for item in here:
        item.add_marker(pytest.mark.pipeline)
    journeys = {item for item in here if item.get_closest_marker("journey")}
    items.sort(key=lambda item: item not in journeys)


@pytest.fixture
def clone(default_run: Clone, tmp_path: Path) -> Clone:
    """A copy of the default run that a test may change."""
    return default_run.copy_to(tmp_path / "repo")


@pytest.fixture
def small(smoke_run: Clone, tmp_path: Path) -> Clone:
    """A copy of the run of the smoke preset that a test may change."""
    return smoke_run.copy_to(tmp_path / "repo")


@pytest.fixture
def fresh(tmp_path: Path) -> Clone:
    """A clone in which nothing has run."""
    return clone_working_tree(tmp_path / "repo")
