"""Fixtures that these tests share with others."""

from tests.support.fixtures import clock, contexts, large_disk, pytest_runtest_makereport, server, small_disk

__all__ = ["clock", "contexts", "large_disk", "pytest_runtest_makereport", "server", "small_disk"]
