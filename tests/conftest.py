"""Property tests draw the same examples everywhere, and a busy machine fails none of them; servers are started once."""

import gc
import os
import signal
import sys

import exchange_calendars
import polars as pl
import pytest
import yaml
from hypothesis import settings

from tests.support.calendars import Cut

gc.disable()  # until all is imported
settings.register_profile("reproducible", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("reproducible")
exchange_calendars.get_calendar = Cut
yaml.SafeLoader = yaml.CSafeLoader  # libyaml's parser reads the same ten times faster, also for Hydra
sys.dont_write_bytecode = False  # where Python may keep no compiled code, every worker and program would compile it all
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and what they start
os.environ["ENGINE"] = "loop"  # the tests of engines choose for themselves
# Workers share the cores: small tables are no faster with more threads. Programs that tests start have all of them.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("POLARS_MAX_THREADS", "1")
    pl.thread_pool_size()

pytest_plugins = ["tests.support.fixtures", "tests.support.runs"]
SHARING = ("audit",)  # a replay
LONG = {"torture", "scale", "journey", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests of a file share one worker, which makes once what they share; of some folders, all tests do.

    Named groups take longest: they come first, so that no worker waits for another at the end.
    """
    items.sort(key=lambda item: not (item.get_closest_marker("xdist_group") or item.path.parent.name in SHARING))
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if not marks & {*LONG, "xdist_group"}:
            group = item.path.parent if item.path.parent.name in SHARING else item.path
            item.add_marker(pytest.mark.xdist_group(group.as_posix()))


def pytest_collection_finish() -> None:
    """Imported libraries stay to the end, so the collector of garbage walks only what tests make, and seldom."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    gc.enable()
