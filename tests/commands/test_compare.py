"""`make compare` wants two runs."""

import pytest

from stages.commands.pages import PAGES, page_path
from stages.errors import ConfigurationError


def test_a_run_is_not_compared_with_itself(project):
    with pytest.raises(ConfigurationError, match="A and B are both 'workspace'"):
        project.run("compare", "workspace")
    assert not (project.path / "artifacts").exists()


def test_names_too_long_for_a_file_are_cut_and_still_told_apart():
    long = "a" * 200
    paths = {page_path(long, other) for other in ("b" * 200, "b" * 199 + "c", "é" * 100)}
    assert len(paths) == 3
    assert all(len(path.name.encode()) <= 250 for path in paths)
    assert page_path("x/y", "z") == PAGES / "x-y-and-z.html"
