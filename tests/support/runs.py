"""Two whole runs, each made once for all workers: the default study's, and the smoke preset's of five sessions."""

import os
from collections.abc import Callable

import pytest
from filelock import FileLock

from tests.pipeline.clone import Clone, clone_working_tree, take_results


@pytest.fixture(scope="session")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which everything has run; not to be changed by tests.

    What this repository has run with the same code is checked out; test_default_run.py has `make run` run it all.
    """

    def make(run: Clone) -> None:
        take_results(run)
        run.sh("dvc checkout -q", code=None)  # not zero where something must run
        run.sh("dvc repro && python -m stages gate")  # which logs what was tried

    return made_once(tmp_path_factory, "default", make)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the smoke preset stands, has run and is committed; not to be changed by tests."""

    def make(run: Clone) -> None:
        run.sh("python -m stages use smoke && dvc repro -q")
        run.sh("python -m stages gate", code=3)
        run.sh("python -m stages prepare && git add -A && git commit -q -m 'the smoke preset and its run'")

    return made_once(tmp_path_factory, "smoke", make)


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Clone], None]) -> Clone:
    """The clone of this name, which whoever comes first makes of the working tree."""
    own = folders.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    path, made = shared / name / "repo", shared / name / "made"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            make(clone_working_tree(path))
            made.touch()
    return Clone(path)
