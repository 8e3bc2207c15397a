"""Property tests draw the same examples everywhere, and a busy machine fails none of them; servers are started once."""

import os
import sys

import exchange_calendars
import pytest
import yaml
from hypothesis import settings

from tests.support.calendars import Cut

settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")
exchange_calendars.get_calendar = Cut
yaml.SafeLoader = yaml.CSafeLoader  # libyaml's parser reads the same ten times faster, also for Hydra
sys.dont_write_bytecode = False  # where Python may keep no compiled code, every worker and program would compile it all
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.support.fixtures", "tests.support.runs"]
LONG = {"torture", "scale", "journey", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests of a file share one worker, which makes once what they share; so do all that read the default run."""
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if not marks & {*LONG, "xdist_group"}:
            group = "default run" if item.path.parent.name == "pipeline" else item.path.as_posix()
            item.add_marker(pytest.mark.xdist_group(group))
