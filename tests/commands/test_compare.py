"""`make compare` wants two runs."""

import pytest

from stages.errors import ConfigurationError


def test_a_run_is_not_compared_with_itself(project):
    with pytest.raises(ConfigurationError, match="A and B are both 'workspace'"):
        project.run("compare", "workspace")
    assert not (project.path / "artifacts").exists()
